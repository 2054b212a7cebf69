use std::sync::Arc;

use super::ListenAddress;
use crate::{
    inherited::Sockets,
    server::{Addressing, Binding, Listener, Role, listen_tcp},
    tls::{Tls, TlsFiles},
};

/// What is asked for at one place.
#[derive(Debug, Clone)]
pub(super) struct ListenerSettings {
    /// The flag or the table that asks for it.
    pub(super) name: &'static str,
    pub(super) address: ListenAddress,
    /// Plain HTTP without it.
    pub(super) tls: Option<TlsFiles>,
    /// Whether requests are redirected to HTTPS, and where that is.
    pub(super) redirect: Option<Redirect>,
    pub(super) proxy_protocol: bool,
    /// The permissions of a socket file.
    pub(super) mode: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Redirect {
    ToPort(u16),
    /// To the port of the first listener with TLS.
    ToFirst,
}

/// Everything that is listened at.
#[derive(Debug)]
pub(crate) struct Bound {
    /// The first address, as clients write it.
    pub(crate) url: String,
    pub(crate) bindings: Vec<Binding>,
}

/// Of HTTPS (RFC 9110 §4.2.2).
const HTTPS: u16 = 443;

// === impl Bound ===

impl Bound {
    /// Listens at each.
    pub(super) fn to(settings: Vec<ListenerSettings>) -> Result<Self, String> {
        let mut inherited = Sockets::of_process();
        let mut opened: Vec<(ListenerSettings, Option<Arc<Tls>>, Listener)> = Vec::new();
        for one in settings {
            let tls = one.tls.clone().map(Tls::load).transpose()?.map(Arc::new);
            if let Some(tls) = &tls {
                tls.watch();
            }
            for listener in one.open(&mut inherited)? {
                opened.push((one.clone(), tls.clone(), listener));
            }
        }
        let https = opened.iter().find(|(_, tls, _)| tls.is_some());
        let https = https.and_then(|(_, _, listener)| listener.port()).unwrap_or(HTTPS);
        let bindings: Vec<_> = opened
            .into_iter()
            .map(|(settings, tls, listener)| Binding {
                listener,
                role: match (settings.redirect, tls) {
                    (Some(Redirect::ToPort(port)), _) => Role::Redirect { port },
                    (Some(Redirect::ToFirst), _) => Role::Redirect { port: https },
                    (None, Some(tls)) => Role::Https(tls),
                    (None, None) => Role::Http,
                },
                addressing: match settings.proxy_protocol {
                    true => Addressing::ProxyProtocol,
                    false => Addressing::Peer,
                },
            })
            .collect();
        let url = match bindings.first() {
            Some(Binding { listener: listener @ Listener::Tcp(_), role, .. }) => {
                format!("{}://{listener}", role.scheme())
            }
            Some(Binding { listener, .. }) => listener.to_string(),
            None => return Err("there is nothing to listen at: give --listen an address".to_owned()),
        };
        for Binding { listener, role, .. } in bindings.iter().skip(1) {
            tracing::info!(address = %listener, role = role.name(), "listening");
        }
        Ok(Self { url, bindings })
    }
}

// === impl ListenerSettings ===

impl ListenerSettings {
    fn open(&self, inherited: &mut Sockets) -> Result<Vec<Listener>, String> {
        let opened = match &self.address {
            ListenAddress::Tcp(address) => listen_tcp(*address).map(|listener| vec![Listener::Tcp(listener)]),
            ListenAddress::Unix(path) => Listener::unix(path, self.mode).map(|listener| vec![listener]),
            ListenAddress::Systemd(name) => inherited.take(name.as_deref()),
        };
        let (name, address) = (self.name, &self.address);
        let opened = opened
            .map_err(|why| format!("cannot listen on {address}: {why}; give another {name} address"))?;
        if opened.is_empty() {
            return Err(format!(
                "{name} {address}: no such socket was handed over (LISTEN_FDS, LISTEN_FDNAMES): start the program by its \
                 .socket unit, or give an address"
            ));
        }
        Ok(opened)
    }
}
