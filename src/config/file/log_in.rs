//! Who is let in: the tables `[mount.forward_auth]` and `[mount.users]`.

use std::time::Duration;

use toml::Spanned;

#[cfg(feature = "users")]
use super::table::UsersTable;
use super::{
    source::Source,
    table::{ForwardAuthTable, MountTable},
};
#[cfg(feature = "users")]
use crate::access::Users;
use crate::{
    access::{DecidesBy, ForwardAuth},
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
