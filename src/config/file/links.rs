//! The links that a mount makes: the table `[mount.links]`.

use std::time::Duration;

use super::{
    source::Source,
    table::{LinksTable, MountTable},
};
use crate::{config::MountBuilder, error::ConfigError, links::LinkPolicy, terms::Grant};

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
    let LinksTable { longest_secs, renew_below_percent, grant, public_host } = table;
    let grants = [("read", Grant::Read), ("read-write", Grant::ReadWrite)];
    let policy = LinkPolicy::new();
    let policy = set(policy, longest_secs.map(Duration::from_secs), LinkPolicy::longest);
    let policy = set(policy, *renew_below_percent, LinkPolicy::renew_below);
    let policy = set(policy, source.choice("grant", grant.as_ref(), grants)?, LinkPolicy::grant);
    let public_host = source.unless_empty("public_host", public_host.as_ref())?;
    Ok(set(policy, public_host, LinkPolicy::public_host))
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
