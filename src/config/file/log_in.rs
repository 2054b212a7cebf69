//! Who is let in: the tables `[mount.forward_auth]`, `[mount.users]` and `[mount.own_links]`.

use std::time::Duration;

use toml::Spanned;

#[cfg(feature = "users")]
use super::table::UsersTable;
use super::{
    source::Source,
    table::{ForwardAuthTable, LinkKeyTable, MountTable, OwnLinksTable},
};
#[cfg(feature = "users")]
use crate::access::Users;
use crate::{
    access::{DecidesBy, ForwardAuth, LinkKey, OwnLinks, Unlinked},
    config::MountBuilder,
    error::{ConfigError, ConfigErrorKind},
};

pub(super) fn of_mount(
    source: &Source<'_>,
    table: &MountTable,
    builder: MountBuilder,
) -> Result<MountBuilder, ConfigError> {
    #[cfg(feature = "users")]
    let builder = users(source, table, builder)?;
    let builder = match &table.own_links {
        Some(table) => builder.own_links(own_links(source, table)?),
        None => builder,
    };
    Ok(match &table.forward_auth {
        Some(table) => builder.forward_auth(forward_auth(source, table)?),
        None => builder,
    })
}

#[cfg(feature = "users")]
fn users(
    source: &Source<'_>,
    table: &MountTable,
    builder: MountBuilder,
) -> Result<MountBuilder, ConfigError> {
    let Some(table) = &table.users else { return Ok(builder) };
    let span = table.span();
    let UsersTable { file, realm } = table.get_ref();
    let Some(path) = source.unless_empty("file", file.as_ref())? else {
        let message = "users needs the file with their names and hashes";
        return Err(source.error(ConfigErrorKind::Missing, span, message));
    };
    let users = Users::load(&path).map_err(|why| source.error(why.kind(), span, format!("users: {why}")))?;
    let realm = source.unless_empty("realm", realm.as_ref())?;
    Ok(builder.users(&users, realm.unwrap_or_else(|| "Files".to_owned())))
}

fn forward_auth(source: &Source<'_>, table: &Spanned<ForwardAuthTable>) -> Result<ForwardAuth, ConfigError> {
    let span = table.span();
    let ForwardAuthTable {
        url,
        send,
        pass_on,
        remember_secs,
        remember_by,
        decides_by,
        timeout_ms,
        scheme,
        pass_through,
    } = table.get_ref();
    let Some(url) = source.unless_empty("url", url.as_ref())? else {
        let message = "forward_auth needs the url of the log-in service, like \"http://127.0.0.1:4180/\"";
        return Err(source.error(ConfigErrorKind::Missing, span, message));
    };
    let mut service = ForwardAuth::new(url);
    if let Some(names) = send {
        service = service.send(source.list("send", names)?);
    }
    if let Some(names) = pass_on {
        service = service.pass_on(source.list("pass_on", names)?);
    }
    if let Some(names) = remember_by {
        service = service.remember_by(source.list("remember_by", names)?);
    }
    if let Some(seconds) = remember_secs {
        service = service.remember(Duration::from_secs(*seconds));
    }
    if let Some(limit) = timeout_ms {
        service = service.timeout(Duration::from_millis(*limit));
    }
    let choices = [("path", DecidesBy::Path), ("host", DecidesBy::Host)];
    if let Some(what) = source.choice("decides_by", decides_by.as_ref(), choices)? {
        service = service.decides_by(what);
    }
    if let Some(scheme) = source.unless_empty("scheme", scheme.as_ref())? {
        service = service.scheme(scheme);
    }
    Ok(match source.unless_empty("pass_through", pass_through.as_ref())? {
        Some(path) => service.pass_through(path),
        None => service,
    })
}

fn own_links(source: &Source<'_>, table: &Spanned<OwnLinksTable>) -> Result<OwnLinks, ConfigError> {
    let span = table.span();
    let OwnLinksTable { segment, unlinked, key: keys } = table.get_ref();
    let mut keys = keys.0.iter().map(|key| link_key(source, key));
    let first = keys.next().ok_or_else(|| {
        let message =
            "own_links needs a key: a table [[mount.own_links.key]] with id, and secret or secret_file";
        source.error(ConfigErrorKind::Missing, span, message)
    })?;
    let mut links = OwnLinks::new(first?);
    for key in keys {
        links = links.key(key?);
    }
    if let Some(segment) = source.unless_empty("segment", segment.as_ref())? {
        links = links.segment(segment);
    }
    let choices = [("served", Unlinked::Served), ("refused", Unlinked::Refused)];
    Ok(match source.choice("unlinked", unlinked.as_ref(), choices)? {
        Some(unlinked) => links.unlinked(unlinked),
        None => links,
    })
}

fn link_key(source: &Source<'_>, table: &Spanned<LinkKeyTable>) -> Result<LinkKey, ConfigError> {
    let LinkKeyTable { id, secret, secret_file } = table.get_ref();
    let missing = |message| source.error(ConfigErrorKind::Missing, table.span(), message);
    let id =
        source.unless_empty("id", id.as_ref())?.ok_or_else(|| missing("a key of own links needs an id"))?;
    let secret = match (secret, secret_file) {
        (Some(_), Some(text)) => {
            let message = "secret and secret_file contradict each other: leave out one of them";
            return Err(source.error(ConfigErrorKind::Contradiction, text.span(), message));
        }
        (secret, None) => source.unless_empty("secret", secret.as_ref())?,
        (None, Some(text)) => {
            let path = source.value("secret_file", text)?;
            let read = std::fs::read_to_string(&path).map_err(|why| {
                let message = format!("secret_file {path:?}: {why}");
                source.error(ConfigErrorKind::InvalidValue, text.span(), message)
            })?;
            Some(read.trim().to_owned())
        }
    };
    let needed = "a key of own links needs a secret, like \"${LINK_KEY}\", or a secret_file";
    Ok(LinkKey::new(id, secret.ok_or_else(|| missing(needed))?))
}
