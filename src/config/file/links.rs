//! The links that a mount makes: the table `[mount.links]`.

use std::time::Duration;

use toml::Spanned;

use super::{
    cache::bytes,
    source::Source,
    table::{CloudFrontTable, LinksTable, MountTable, RedirectTable},
};
use crate::{
    config::MountBuilder,
    error::{ConfigError, ConfigErrorKind},
    links::{Askers, CloudFront, CloudFrontKey, LinkPolicy, Redirect},
    terms::Grant,
};

pub(super) fn of_mount(
    source: &Source<'_>,
    table: &MountTable,
    builder: MountBuilder,
) -> Result<MountBuilder, ConfigError> {
    Ok(match &table.links {
        Some(table) => builder.links(policy(source, table.get_ref())?),
        None => builder,
    })
}

fn policy(source: &Source<'_>, table: &LinksTable) -> Result<LinkPolicy, ConfigError> {
    let LinksTable {
        longest_secs,
        renew_below_percent,
        grant,
        public_host,
        endpoint,
        askers: asked,
        redirect,
        cloudfront,
    } = table;
    let grants = [("read", Grant::Read), ("read-write", Grant::ReadWrite)];
    let policy = LinkPolicy::new();
    let policy = set(policy, longest_secs.map(Duration::from_secs), LinkPolicy::longest);
    let policy = set(policy, *renew_below_percent, LinkPolicy::renew_below);
    let policy = set(policy, source.choice("grant", grant.as_ref(), grants)?, LinkPolicy::grant);
    let public_host = source.unless_empty("public_host", public_host.as_ref())?;
    let policy = set(policy, public_host, LinkPolicy::public_host);
    let endpoint = source.unless_empty("endpoint", endpoint.as_ref())?;
    let policy = set(policy, endpoint, LinkPolicy::endpoint);
    let choices = [("authorized", Askers::Authorized), ("anybody", Askers::Anybody)];
    let mut policy = set(policy, source.choice("askers", asked.as_ref(), choices)?, LinkPolicy::askers);
    for table in &redirect.0 {
        policy = policy.redirect(self::redirect(source, table.get_ref())?);
    }
    let cloudfront = cloudfront.as_ref().map(|table| self::cloudfront(source, table)).transpose()?;
    Ok(set(policy, cloudfront, LinkPolicy::cloudfront))
}

fn cloudfront(source: &Source<'_>, table: &Spanned<CloudFrontTable>) -> Result<CloudFront, ConfigError> {
    let CloudFrontTable { host, key_pair_id, private_key, private_key_file, origin_path } = table.get_ref();
    let missing = |message| source.error(ConfigErrorKind::Missing, table.span(), message);
    let host = source.unless_empty("host", host.as_ref())?;
    let host = host.ok_or_else(|| missing("cloudfront needs the host of the distribution"))?;
    let id = source.unless_empty("key_pair_id", key_pair_id.as_ref())?;
    let id = id.ok_or_else(|| missing("cloudfront needs the key_pair_id: the id of the public key"))?;
    let (pem, text) = match (private_key, private_key_file) {
        (Some(text), None) => (source.value("private_key", text)?, text),
        (None, Some(text)) => {
            let path = source.value("private_key_file", text)?;
            let read = std::fs::read_to_string(&path);
            let pem = read.map_err(|why| {
                let message = format!("private_key_file {path:?}: {why}");
                source.error(ConfigErrorKind::InvalidValue, text.span(), message)
            })?;
            (pem, text)
        }
        (Some(_), Some(text)) => {
            let message = "private_key and private_key_file contradict each other: leave out one of them";
            return Err(source.error(ConfigErrorKind::Contradiction, text.span(), message));
        }
        (None, None) => {
            return Err(missing("cloudfront needs private_key_file, or private_key with the PEM itself"));
        }
    };
    // Never shown, not even as written: it is a secret.
    let key = CloudFrontKey::from_pem(&pem).map_err(|why| {
        source.error(ConfigErrorKind::InvalidValue, text.span(), format!("private_key: {why}"))
    })?;
    let distribution = CloudFront::new(host, id, key);
    Ok(match source.optional("origin_path", origin_path.as_ref())? {
        Some(path) => distribution.origin_path(path),
        None => distribution,
    })
}

fn redirect(source: &Source<'_>, table: &RedirectTable) -> Result<Redirect, ConfigError> {
    let mut redirect = Redirect::always();
    if let Some(glob) = source.optional("key", table.key.as_ref())? {
        redirect = redirect.key(glob);
    }
    if let Some(size) = &table.at_least {
        redirect = redirect.at_least(bytes(source, "at_least", size)?);
    }
    Ok(redirect)
}

fn set<T>(
    policy: LinkPolicy,
    value: Option<T>,
    method: impl FnOnce(LinkPolicy, T) -> LinkPolicy,
) -> LinkPolicy {
    match value {
        Some(value) => method(policy, value),
        None => policy,
    }
}
