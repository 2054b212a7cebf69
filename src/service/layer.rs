use std::sync::Arc;

use arc_swap::ArcSwap;
use tower::Layer;

use super::S3Proxy;
use crate::{
    config::{Mount, S3ProxyConfig},
    error::ProxyError,
    proxy::Proxy,
};

/// A layer that puts the mounts of a configuration in front of a service.
///
/// Requests that no mount claims reach the inner service untouched. Its clones and the services that it makes share
/// connections and credentials.
#[derive(Debug, Clone)]
pub struct S3ProxyLayer {
    proxy: Arc<ArcSwap<Proxy>>,
}

// === impl S3ProxyLayer ===

impl S3ProxyLayer {
    /// A layer over a [`Mount`](crate::Mount) or over a configuration of several.
    pub fn new(config: impl Into<S3ProxyConfig>) -> Self {
        Self { proxy: Arc::new(ArcSwap::from_pointee(Proxy::new(config.into()))) }
    }

    /// Serves this configuration from now on, in all clones of the layer and all services that it has made. Requests that
    /// have begun are answered as they would have been.
    ///
    /// A [`Mount`](crate::Mount) that both configurations have, as clones of one, keeps everything: credentials, connections, its
    /// part of the cache. With the feature `toml`, `ConfigFile::parse_after` takes over the mounts that are as before.
    pub fn reload(&self, config: impl Into<S3ProxyConfig>) {
        self.proxy.store(Arc::new(Proxy::new(config.into())));
    }

    /// Whether a mount has a use for a [`ClientAddress`](crate::access::ClientAddress) in the extensions of requests, and for the
    /// [`Scheme`](http::uri::Scheme) of their connections: to tell a [log-in service](crate::access::ForwardAuth). A layer in
    /// front spares the others the allocation.
    pub fn wants_client_address(&self) -> bool {
        self.proxy.load().wants_client_address()
    }

    /// The mounts that are served now, in the order in which they are tried.
    pub fn mounts(&self) -> Vec<Mount> {
        self.proxy.load().mounts().to_vec()
    }

    /// Whether requests can be served: each mount has credentials, and S3 responds for the bucket of each mount with a
    /// fixed one. Requests a byte of a key that need not exist.
    ///
    /// The mounts are asked at once, for 5 s at most, and the answer stands for a second: who asks meanwhile gets the same.
    ///
    /// # Errors
    ///
    /// The error that a request to the first mount that is not ready would get.
    pub async fn ready(&self) -> Result<(), ProxyError> {
        self.proxy.load_full().ready().await
    }

    /// Tells the recorder what is read rather than counted: circuit breakers, credentials, and the state of caches. To be called
    /// before the recorder is read, or every few seconds.
    #[cfg(feature = "metrics")]
    pub fn report_metrics(&self) {
        self.proxy.load().report();
    }
}

impl<S> Layer<S> for S3ProxyLayer {
    type Service = S3Proxy<S>;

    fn layer(&self, inner: S) -> S3Proxy<S> {
        S3Proxy::over(Arc::clone(&self.proxy), inner)
    }
}
