use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use http::uri::Scheme;
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;

use super::{Budget, Forward, Host, Peer, Pool, PoolSettings, PoolShared, ReadBuffer};
use crate::origin::wire::{
    ConnectTo,
    dial::{Avoided, Dialer, Manner, Via},
    proxy::Proxies,
};

/// Pools by host, which the mounts of one transport share, and the settings that belong to one mount.
#[derive(Clone)]
pub(crate) struct Pools {
    pub(super) shared: Arc<PoolsShared>,
    connect_to: Option<ConnectTo>,
    read_buffer: ReadBuffer,
    peer: Peer,
    tls: Option<TlsConnector>,
    proxies: Arc<Proxies>,
}

pub(super) struct PoolsShared {
    settings: PoolSettings,
    budget: Arc<Budget>,
    /// A pool lives as long as a mount refers to it.
    pub(super) by_host: Mutex<HashMap<Host, Weak<PoolShared>>>,
    /// All buckets of a region have the same addresses.
    avoided: Arc<Avoided>,
}

// === impl Pools ===

impl Pools {
    /// Without TLS.
    pub(crate) fn new(settings: PoolSettings) -> Self {
        Self::within(Budget::of_process(), settings)
    }

    pub(super) fn within(budget: Arc<Budget>, settings: PoolSettings) -> Self {
        let (by_host, avoided) = (Mutex::default(), Arc::default());
        let shared = Arc::new(PoolsShared { settings, budget, by_host, avoided });
        Self {
            shared,
            connect_to: None,
            read_buffer: ReadBuffer::Growing,
            peer: Peer::Other,
            tls: None,
            proxies: Arc::default(),
        }
    }

    pub(crate) fn with_tls(self, tls: Option<TlsConnector>) -> Self {
        Self { tls, ..self }
    }

    #[cfg(feature = "diagnosis")]
    pub(crate) fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// The same pools, with another address to connect to.
    pub(crate) fn connecting_to(self, connect_to: Option<ConnectTo>) -> Self {
        Self { connect_to, ..self }
    }

    pub(crate) fn through(self, proxies: Proxies) -> Self {
        Self { proxies: Arc::new(proxies), ..self }
    }

    pub(crate) fn reading_into(self, read_buffer: ReadBuffer) -> Self {
        Self { read_buffer, ..self }
    }

    pub(crate) fn asking(self, peer: Peer) -> Self {
        Self { peer, ..self }
    }

    pub(crate) fn pool(&self, scheme: &Scheme, name: &str, port: u16) -> Pool {
        let Self { connect_to, read_buffer, peer, tls, .. } = self.clone();
        let host =
            Host { scheme: scheme.clone(), name: name.to_owned(), port, connect_to, read_buffer, peer };
        let mut by_host = self.shared.by_host.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = by_host.get(&host).and_then(Weak::upgrade) {
            return Pool(pool);
        }
        by_host.retain(|_, pool| pool.strong_count() > 0);
        let (mut settings, budget) = (self.shared.settings.clone(), Arc::clone(&self.shared.budget));
        // Who waits for a connection of the host gets one that becomes free; who waits for the budget, only a place.
        settings.max_connections = settings.max_connections.min(budget.most());
        let (free, idle) = (Arc::new(Semaphore::new(settings.max_connections)), Mutex::default());
        let via = host.via(&self.proxies, tls.as_ref());
        let forward = match &via {
            Some(Via { manner: Manner::Forward, proxy, .. }) => {
                Some(Forward { authorization: proxy.authorization.clone() })
            }
            Some(Via { manner: Manner::Tunnel, .. }) | None => None,
        };
        let avoided = Arc::clone(&self.shared.avoided);
        let dialer = Dialer::new(host.address(), via, settings.dial.clone(), avoided);
        let host_of_pool = host.clone();
        let pool = PoolShared { host: host_of_pool, settings, tls, dialer, forward, free, budget, idle };
        let pool = Arc::new(pool);
        pool.budget.add(&pool);
        by_host.insert(host, Arc::downgrade(&pool));
        Pool(pool)
    }
}

impl fmt::Debug for Pools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pools").field(&self.shared.settings).finish()
    }
}
