use std::{env, error::Error};

use tower_s3_proxy::{
    BucketName, Cache, ConfigFile, Cors, Mount, S3ProxyConfig,
    bucket::Grant,
    credentials::{self, AssumeRole, CredentialsSource, ExternalId, RoleArn},
};

use crate::{
    args::{CacheArgs, CredentialsArgs, SourceArgs},
    cache,
};

/// What is served.
pub(crate) struct Served {
    pub(crate) config: S3ProxyConfig,
    pub(crate) cache: Option<Cache>,
    /// If it is one bucket: its mount.
    pub(crate) single: Option<(BucketName, Mount)>,
}

/// What the arguments describe. A file says itself what its mounts are granted.
pub(crate) async fn from_args(
    args: &SourceArgs,
    credentials: &CredentialsArgs,
    cache_args: &CacheArgs,
    grant: Grant,
) -> Result<Served, Box<dyn Error>> {
    if let Some(path) = &args.config {
        let text = std::fs::read_to_string(path).map_err(|why| format!("{}: {why}", path.display()))?;
        let in_file = |why| format!("{}: {why}", path.display());
        let file = ConfigFile::parse(&text).map_err(in_file)?;
        let cache = file.cache().cloned();
        return Ok(Served { config: file.load().await.map_err(in_file)?, cache, single: None });
    }

    let bucket = args.bucket.as_ref().map(|name| (name, BucketName::parse(name)));
    let bucket = bucket.map(|(name, bucket)| bucket.map_err(|why| format!("--bucket {name}: {why}")));
    let bucket = bucket.transpose()?;
    let mut mount = match &bucket {
        Some(bucket) => Mount::builder(bucket.clone()),
        None => Mount::bucket_from_path(args.bucket_from_path.clone()),
    };
    mount = mount.at(&args.mount).path_style(args.path_style);
    mount = mount.requester_pays(args.requester_pays).grant(grant);

    let endpoint = args.endpoint.clone().or_else(|| variable(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]));
    let region = match region(args.region.clone()) {
        Some(region) => region,
        // Servers that speak S3's protocol rarely care; this is what they call theirs.
        None if endpoint.is_some() => "us-east-1".to_owned(),
        None => return Err("the bucket's region is not known: give --region or set AWS_REGION".into()),
    };
    mount = match args.anonymous {
        true => mount.anonymous(),
        false => mount.credentials(source(credentials, &region).await?),
    };
    mount = mount.region(region);
    if let Some(url) = endpoint {
        mount = mount.endpoint_url(url);
    }
    if let Some(prefix) = &args.prefix {
        mount = mount.prefix(prefix);
    }
    if let Some(address) = &args.connect_to {
        mount = mount.connect_to(address);
    }
    if let Some(account) = &args.expected_bucket_owner {
        mount = mount.expected_bucket_owner(account.clone());
    }
    if let Some(value) = &args.default_cache_control {
        mount = mount.default_cache_control(value);
    }
    if let Some(value) = &args.override_cache_control {
        mount = mount.override_cache_control(value);
    }
    for glob in &args.forward_response_header {
        mount = mount.forward_response_header(glob);
    }
    if !args.cors_origin.is_empty() {
        mount = mount.cors(Cors::origins(&args.cors_origin));
    }
    let cache = cache::from_args(cache_args)?;
    let mount = cache::for_mount(mount, cache.as_ref(), cache_args).build()?;
    Ok(Served { config: mount.clone().into(), cache, single: bucket.map(|bucket| (bucket, mount)) })
}

/// Whose credentials: the profile's or what is found, or those of the role that these assume.
async fn source(args: &CredentialsArgs, region: &str) -> Result<CredentialsSource, Box<dyn Error>> {
    let own = match &args.profile {
        Some(name) => credentials::from_profile(name).await?,
        None => credentials::default_chain(Some(region)).await?,
    };
    let Some(arn) = &args.role_arn else { return Ok(own) };
    let role = RoleArn::parse(arn.as_str()).map_err(|why| format!("--role-arn {arn}: {why}"))?;
    let mut builder = AssumeRole::new(role).source(own).region(region);
    if let Some(id) = &args.external_id {
        let id = ExternalId::parse(id.as_str()).map_err(|why| format!("--external-id: {why}"))?;
        builder = builder.external_id(id);
    }
    if let Some(name) = &args.role_session_name {
        builder = builder.session_name(name);
    }
    Ok(builder.build().await?)
}

fn region(flag: Option<String>) -> Option<String> {
    flag.or_else(|| variable(&["AWS_REGION", "AWS_DEFAULT_REGION"]))
}

/// The first of these environment variables that says something.
pub(crate) fn variable(names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| env::var(name).ok().filter(|value| !value.is_empty()))
}
