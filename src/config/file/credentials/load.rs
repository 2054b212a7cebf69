use std::collections::BTreeMap;

use super::{NamedCredentials, NamedSource, SourceSpec};
#[cfg(feature = "aws-config")]
use super::{RoleSpec, SessionSpec};
#[cfg(feature = "aws-config")]
use crate::credentials::{self, AssumeRole, AwsSetting, AwsSettings, WebIdentity};
use crate::{
    credentials::{CredentialsSource, from_keys},
    error::ConfigError,
};

/// Builds these credentials, and the chain of sources that assumes them.
pub(in crate::config::file) async fn load(
    named: &NamedCredentials,
    used: impl Iterator<Item = &str>,
) -> Result<BTreeMap<String, CredentialsSource>, ConfigError> {
    let mut built: BTreeMap<String, CredentialsSource> = BTreeMap::new();
    for name in used {
        // From the one that needs no other to the one that the mount uses.
        let mut chain: Vec<(&str, &NamedSource)> = Vec::new();
        let mut next = Some(name);
        while let Some((name, source)) = next.and_then(|name| named.get_key_value(name)) {
            chain.push((name, source));
            next = source.source().filter(|source| !built.contains_key(*source));
        }
        for (name, source) in chain.into_iter().rev() {
            if !built.contains_key(name) {
                let by = source.source().and_then(|name| built.get(name)).cloned();
                let one = build(&source.spec, by).await.map_err(|why| {
                    ConfigError::new(why.kind(), format!("{}: {why}", source.place)).caused_by(why)
                })?;
                built.insert(name.to_owned(), one);
            }
        }
    }
    Ok(built)
}

/// The place of a bucket, as far as a profile of the AWS CLI says it.
#[derive(Default)]
pub(in crate::config::file) struct Told {
    pub(in crate::config::file) region: Option<String>,
    pub(in crate::config::file) endpoint_url: Option<String>,
}

/// What this profile says, or that of `AWS_PROFILE`.
#[cfg(feature = "aws-config")]
pub(in crate::config::file) async fn settings(profile: Option<&str>) -> Result<Told, ConfigError> {
    let settings = AwsSettings::of_profile(profile).await?;
    let value = |setting: Option<&AwsSetting>| setting.map(|setting| setting.value().to_owned());
    Ok(Told { region: value(settings.region()), endpoint_url: value(settings.endpoint_url()) })
}

#[cfg(not(feature = "aws-config"))]
pub(in crate::config::file) async fn settings(_profile: Option<&str>) -> Result<Told, ConfigError> {
    Ok(Told::default())
}

/// The source for a mount without credentials.
#[cfg(feature = "aws-config")]
pub(in crate::config::file) async fn default_source(
    region: Option<&str>,
) -> Result<Option<CredentialsSource>, ConfigError> {
    credentials::default_chain(region).await.map(Some)
}

#[cfg(not(feature = "aws-config"))]
pub(in crate::config::file) async fn default_source(
    _region: Option<&str>,
) -> Result<Option<CredentialsSource>, ConfigError> {
    Ok(None)
}

#[cfg(feature = "aws-config")]
async fn build(spec: &SourceSpec, by: Option<CredentialsSource>) -> Result<CredentialsSource, ConfigError> {
    match spec {
        SourceSpec::Anonymous => Ok(CredentialsSource::anonymous()),
        SourceSpec::Keys(keys) => Ok(from_keys(keys.clone())),
        SourceSpec::Environment => Ok(credentials::from_environment()),
        SourceSpec::Profile(name) => credentials::from_profile(name).await,
        SourceSpec::DefaultChain { region } => credentials::default_chain(region.as_deref()).await,
        SourceSpec::Role(spec) => role(spec, by).build().await,
        SourceSpec::WebIdentity { identity, session } => {
            let mut builder = match identity {
                Some((role, file)) => WebIdentity::new(role.clone(), file),
                None => WebIdentity::from_environment()?,
            };
            let SessionSpec { name, duration, region, endpoint_url } = session;
            builder = set(builder, name.clone(), WebIdentity::session_name);
            builder = set(builder, *duration, WebIdentity::duration);
            builder = set(builder, region.clone(), WebIdentity::region);
            builder = set(builder, endpoint_url.clone(), WebIdentity::endpoint_url);
            builder.build().await
        }
        SourceSpec::Container => credentials::from_container(),
        SourceSpec::Instance { endpoint_url } => credentials::from_instance(endpoint_url.as_deref()),
        SourceSpec::Process(command) => Ok(credentials::from_process(command)),
    }
}

#[cfg(feature = "aws-config")]
fn role(spec: &RoleSpec, by: Option<CredentialsSource>) -> AssumeRole {
    let SessionSpec { name, duration, region, endpoint_url } = &spec.session;
    let mut builder = AssumeRole::new(spec.role.clone());
    builder = set(builder, spec.external_id.clone(), AssumeRole::external_id);
    builder = set(builder, spec.policy.clone(), AssumeRole::session_policy);
    builder = set(builder, by, AssumeRole::source);
    builder = set(builder, name.clone(), AssumeRole::session_name);
    builder = set(builder, *duration, AssumeRole::duration);
    builder = set(builder, region.clone(), AssumeRole::region);
    builder = set(builder, endpoint_url.clone(), AssumeRole::endpoint_url);
    spec.policy_arns.iter().fold(builder, AssumeRole::policy_arn)
}

#[cfg(feature = "aws-config")]
fn set<B, T>(builder: B, value: Option<T>, method: impl FnOnce(B, T) -> B) -> B {
    match value {
        Some(value) => method(builder, value),
        None => builder,
    }
}

#[cfg(not(feature = "aws-config"))]
async fn build(spec: &SourceSpec, _by: Option<CredentialsSource>) -> Result<CredentialsSource, ConfigError> {
    match spec {
        SourceSpec::Anonymous => Ok(CredentialsSource::anonymous()),
        SourceSpec::Keys(keys) => Ok(from_keys(keys.clone())),
        _ => {
            let message = "credentials of this type need the feature \"aws-config\"";
            Err(ConfigError::new(crate::error::ConfigErrorKind::InvalidValue, message))
        }
    }
}
