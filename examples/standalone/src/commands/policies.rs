//! `policies`: the permissions that the mounts need.

use std::error::Error;

use tower_s3_proxy::{
    BucketName, Mount,
    bucket::AccountId,
    credentials::ExternalId,
    encryption::KmsKeyArn,
    policies::{Policies, PolicyDialect, PolicyRequest},
};

use crate::{
    args::{CacheArgs, CredentialsArgs, SourceArgs},
    mounts::MountArgs,
};

/// Print the policies that the mounts need: of the role and its trust, the bucket, the access point, the KMS key and the VPC
/// endpoint.
///
/// Lines that begin with # give the reasons above each document. The command uses neither the network nor credentials.
#[derive(Debug, clap::Args)]
pub(crate) struct PoliciesArgs {
    /// Print the policies as JSON
    #[arg(long)]
    json: bool,

    /// The ARN of the role or user that signs [default: the role that the credentials of a file assume]
    #[arg(long, value_name = "ARN", help_heading = "Who")]
    role: Option<String>,

    /// The principal that assumes the role: an account, the ARN of a role, a user or an identity provider, or a service
    /// like ecs-tasks.amazonaws.com
    #[arg(long, value_name = "PRINCIPAL", help_heading = "Who")]
    trust: Option<String>,

    /// The subject in the tokens of the identity provider, like system:serviceaccount:NAMESPACE:NAME
    #[arg(long, value_name = "SUBJECT", requires = "trust", help_heading = "Who")]
    trust_subject: Option<String>,

    /// The External ID that the principal must give to assume the role
    #[arg(long, value_name = "ID", value_parser = external_id, requires = "trust", help_heading = "Who")]
    external_id: Option<ExternalId>,

    /// Allow writing and deleting, too; in a file, mounts say so themselves
    #[arg(long, conflicts_with = "config", help_heading = "What")]
    read_write: bool,

    /// Allow listing keys, to warm a prefix, and so that S3 tells missing keys from denied ones
    #[arg(long, help_heading = "What")]
    list: bool,

    /// The ARN of a KMS key that encrypts objects; can be repeated
    #[arg(long, value_name = "ARN", help_heading = "What")]
    kms_key: Vec<KmsKeyArn>,

    /// The bucket of the policies, where requests name it (--bucket-from-path)
    #[arg(long, value_name = "BUCKET", help_heading = "What")]
    for_bucket: Option<String>,

    /// The bucket behind the access point that is served
    #[arg(long, value_name = "BUCKET", help_heading = "What")]
    bucket_behind: Option<String>,

    /// The account that owns the buckets, unless --expected-bucket-owner says so
    #[arg(long, value_name = "ACCOUNT", help_heading = "What")]
    owner: Option<AccountId>,

    /// Allow only requests from this VPC
    #[arg(long, value_name = "ID", help_heading = "From where")]
    vpc: Option<String>,

    /// Allow only requests through this VPC endpoint
    #[arg(long, value_name = "ID", conflicts_with = "vpc", help_heading = "From where")]
    vpc_endpoint: Option<String>,

    /// Make the bucket deny requests from elsewhere, whoever signs them, administrators included
    #[arg(long, help_heading = "From where")]
    deny_elsewhere: bool,

    /// Make the bucket deny requests without TLS, whoever signs them
    #[arg(long, help_heading = "From where")]
    deny_plain_http: bool,

    /// The policies that the server understands: aws or compatible [default: aws, or compatible for an --endpoint that is not AWS's]
    #[arg(long, value_name = "DIALECT", value_parser = dialect, help_heading = "From where")]
    dialect: Option<PolicyDialect>,

    #[command(flatten)]
    source: SourceArgs,

    #[command(flatten)]
    cache: CacheArgs,
}

pub(crate) async fn run(args: PoliciesArgs) -> Result<(), Box<dyn Error>> {
    super::print(&text(&args).await?)?;
    Ok(())
}

async fn text(args: &PoliciesArgs) -> Result<String, Box<dyn Error>> {
    if args.source.is_demo() {
        return Err(
            "nothing is named for which to print policies: give --bucket, --bucket-from-path or --config"
                .into(),
        );
    }
    let mounts = MountArgs {
        source: &args.source,
        credentials: &CredentialsArgs::default(),
        cache: &args.cache,
        writes: args.read_write.then_some("--read-write"),
    };
    let served = mounts.load(None).await?;
    let policies = served.config.mounts().iter().map(|mount| Ok(args.request(mount)?.build()?));
    let policies = policies.collect::<Result<Vec<_>, Box<dyn Error>>>()?;
    Ok(match args.json {
        true => format!("[{}]\n", policies.iter().map(Policies::to_json).collect::<Vec<_>>().join(",\n")),
        false => policies.iter().map(Policies::to_string).collect::<Vec<_>>().join("\n"),
    })
}

impl PoliciesArgs {
    fn request(&self, mount: &Mount) -> Result<PolicyRequest, Box<dyn Error>> {
        let mut request = PolicyRequest::for_mount(mount)
            .deny_elsewhere(self.deny_elsewhere)
            .deny_plain_http(self.deny_plain_http);
        if self.list {
            request = request.listing(true);
        }
        request = self.kms_key.iter().cloned().fold(request, PolicyRequest::kms_key);
        if let Some(name) = &self.for_bucket {
            request = request.bucket(bucket("--for-bucket", name)?);
        }
        if let Some(name) = &self.bucket_behind {
            request = request.bucket_behind(bucket("--bucket-behind", name)?);
        }
        if let Some(account) = &self.owner {
            request = request.owner(account.clone());
        }
        if let Some(dialect) = self.dialect {
            request = request.dialect(dialect);
        }
        if let Some(id) = &self.external_id {
            request = request.external_id(id.clone());
        }
        request = with(request, self.role.as_ref(), PolicyRequest::role);
        request = with(request, self.trust.as_ref(), PolicyRequest::trusted_principal);
        request = with(request, self.trust_subject.as_ref(), PolicyRequest::trusted_subject);
        request = with(request, self.vpc.as_ref(), PolicyRequest::vpc);
        request = with(request, self.vpc_endpoint.as_ref(), PolicyRequest::vpc_endpoint);
        Ok(request)
    }
}

fn with(
    request: PolicyRequest,
    text: Option<&String>,
    set: fn(PolicyRequest, String) -> PolicyRequest,
) -> PolicyRequest {
    match text {
        Some(text) => set(request, text.clone()),
        None => request,
    }
}

fn bucket(flag: &str, name: &str) -> Result<BucketName, String> {
    BucketName::parse(name).map_err(|why| format!("{flag}: {why}"))
}

fn external_id(text: &str) -> Result<ExternalId, String> {
    ExternalId::parse(text).map_err(|why| why.to_string())
}

fn dialect(text: &str) -> Result<PolicyDialect, String> {
    match text {
        "aws" => Ok(PolicyDialect::Aws),
        "compatible" => Ok(PolicyDialect::Compatible),
        _ => Err("aws, or compatible for MinIO, Ceph, SeaweedFS and the like".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Args, Command};

    const ROLE: &str = "arn:aws:iam::111122223333:role/media-proxy";

    async fn text_of(flags: &[&str]) -> Result<String, String> {
        let args = Args::try_parse_from(["standalone", "policies"].iter().chain(flags))
            .map_err(|why| why.to_string())?;
        let Some(Command::Policies(args)) = args.command else { panic!("{flags:?}: another command") };
        text(&args).await.map_err(|why| why.to_string())
    }

    #[tokio::test]
    async fn flags_of_a_bucket_and_of_what_is_around_it_make_its_policies() {
        let bucket =
            ["--bucket", "studio-media", "--region", "us-west-2", "--prefix", "films", "--anonymous"];
        let who = ["--role", ROLE, "--trust", "444455556666", "--external-id", "studio:2031"];
        let key = "arn:aws:kms:us-west-2:111122223333:key/1234abcd";
        let around =
            ["--read-write", "--list", "--kms-key", key, "--vpc-endpoint", "vpce-0a1b", "--deny-elsewhere"];
        let all = text_of(&[&bucket[..], &who, &around].concat()).await.unwrap();
        for said in [
            "## studio-media at /",
            "# Role policy",
            "# Trust policy",
            "# Bucket policy",
            "# Key policy",
            "# VPC endpoint policy",
            "arn:aws:s3:::studio-media/films/*",
            "\"sts:ExternalId\": \"studio:2031\"",
            "s3:PutObject",
            "s3:ListBucket",
            "kms:Decrypt",
            "DenyElsewhere",
        ] {
            assert!(all.contains(said), "{said} in {all}");
        }
        for (flags, hint) in [
            (&[][..], "nothing is named"),
            (&["--role", "media"], "nothing is named"),
            (
                &["--bucket", "media", "--region", "us-west-2", "--anonymous", "--role", "media"],
                "ARN of a role",
            ),
            (&["--bucket", "media", "--external-id", "studio"], "--trust"),
            (
                &["--bucket", "media", "--trust", "444455556666", "--external-id", "two words"],
                "--external-id",
            ),
            (&["--bucket", "media", "--vpc", "vpc-1", "--vpc-endpoint", "vpce-1"], "cannot be used with"),
            (&["--bucket", "media", "--kms-key", "1234abcd"], "not the ARN of a KMS key"),
            (&["--bucket", "media", "--dialect", "minio"], "compatible"),
            (&["--config", "proxy.toml", "--read-write"], "cannot be used with"),
        ] {
            let refusal = text_of(flags).await.unwrap_err();
            assert!(refusal.contains(hint), "{flags:?}: {refusal}");
        }
    }

    #[tokio::test]
    async fn what_a_policy_lacks_is_named_by_its_flag() {
        let all = text_of(&["--bucket", "media", "--region", "us-west-2", "--vpc", "vpc-1"]).await.unwrap();
        let words = all.replace("\n#", "").split_whitespace().collect::<Vec<_>>().join(" ");
        for said in ["which is not known. Give its ARN (--role).", "Name it (--trust), if there is a role."] {
            assert!(words.contains(said), "{said} in {words}");
        }
    }

    #[tokio::test]
    async fn each_mount_of_a_file_has_its_policies_and_machines_get_a_list_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("proxy.toml");
        let mounts = r#"
            region = "us-west-2"
            [[mount]]
            path = "/media"
            bucket = "studio-media"
            anonymous = true
            grant = "read-write"
            [[mount]]
            path = "/docs"
            bucket = "studio-docs"
            anonymous = true
        "#;
        std::fs::write(&file, mounts).unwrap();
        let json = text_of(&["--config", file.to_str().unwrap(), "--role", ROLE, "--json"]).await.unwrap();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let [media, docs] = &json.as_array().unwrap()[..] else { panic!("{json}") };
        let actions = |mount: &serde_json::Value| {
            assert_eq!(mount["documents"][0]["kind"], "role-policy", "{mount}");
            mount["documents"][0]["document"].to_string().matches("\"s3:").count()
        };
        // The depth of their paths is the same.
        assert_eq!((&media["mount"], actions(media)), (&"studio-media at /media".into(), 5));
        assert_eq!((&docs["mount"], actions(docs)), (&"studio-docs at /docs".into(), 1));
    }
}
