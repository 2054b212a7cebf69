use std::time::Duration;

use toml::Spanned;

use super::{source::Source, table::TransportTable};
use crate::{error::ConfigError, origin::Transport};

/// The transport that `[transport]` or `[mount.transport]` describes.
pub(super) fn read(source: &Source<'_>, table: &Spanned<TransportTable>) -> Result<Transport, ConfigError> {
    let span = table.span();
    let TransportTable {
        connect_timeout_ms,
        tls_timeout_ms,
        response_timeout_ms,
        read_timeout_ms,
        max_connections,
        max_idle_connections,
        max_connection_age_secs,
        tcp_keep_alive_secs,
        tcp_user_timeout_secs,
        ca_file,
        proxy,
        no_proxy,
    } = table.get_ref();
    let mut transport = Transport::builder();
    if let Some(limit) = connect_timeout_ms {
        transport = transport.connect_timeout(Duration::from_millis(*limit));
    }
    if let Some(limit) = tls_timeout_ms {
        transport = transport.tls_timeout(Duration::from_millis(*limit));
    }
    if let Some(limit) = response_timeout_ms {
        transport = transport.response_timeout(Duration::from_millis(*limit));
    }
    if let Some(limit) = read_timeout_ms {
        transport = transport.read_timeout(Duration::from_millis(*limit));
    }
    if let Some(limit) = max_connections {
        transport = transport.max_connections(*limit);
    }
    if let Some(limit) = max_idle_connections {
        transport = transport.max_idle_connections(*limit);
    }
    if let Some(limit) = max_connection_age_secs {
        transport = transport.max_connection_age(Duration::from_secs(*limit));
    }
    if let Some(interval) = tcp_keep_alive_secs {
        transport = transport.tcp_keep_alive(Duration::from_secs(*interval));
    }
    if let Some(limit) = tcp_user_timeout_secs {
        transport = transport.tcp_user_timeout(Duration::from_secs(*limit));
    }
    if let Some(file) = source.optional("ca_file", ca_file.as_ref())?.filter(|file| !file.is_empty()) {
        transport = transport.ca_file(file);
    }
    if let Some(url) = source.optional("proxy", proxy.as_ref())?.filter(|url| !url.is_empty()) {
        transport = transport.proxy(url);
    }
    if let Some(hosts) = source.optional("no_proxy", no_proxy.as_ref())? {
        transport = transport.no_proxy(hosts);
    }
    transport.build().map_err(|why| source.error(why.kind(), span, &why).caused_by(why))
}
