//! The links that a mount makes: the table `[mount.links]`.

use std::time::Duration;

use super::{
    cache::bytes,
    source::Source,
    table::{LinksTable, MountTable, RedirectTable},
};
use crate::{
    config::MountBuilder,
    error::ConfigError,
    links::{Askers, LinkPolicy, Redirect},
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
    Ok(policy)
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
