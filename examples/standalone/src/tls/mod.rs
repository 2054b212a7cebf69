//! TLS towards clients: certificates from files, which are read again when they change.

mod args;
mod certificates;
mod files;

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use tokio::task::spawn_blocking;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        RootCertStore, ServerConfig,
        crypto::{CryptoProvider, ring},
        server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier},
        sign::CertifiedKey,
    },
};

pub(crate) use self::{args::TlsArgs, files::TlsFiles};
use self::{
    certificates::Certificates,
    files::{Stamps, client_authorities},
};

/// What TLS is spoken with.
#[derive(Clone)]
pub(crate) struct Tls {
    config: Arc<ServerConfig>,
    current: Arc<Current>,
    files: TlsFiles,
    /// When they were read.
    stamps: Stamps,
}

/// The certificates of new connections.
#[derive(Debug)]
struct Current(ArcSwap<Certificates>);

/// How often the files are looked at.
const PERIOD: Duration = Duration::from_secs(2);

// === impl Tls ===

impl Tls {
    pub(crate) fn load(files: TlsFiles) -> Result<Self, String> {
        let stamps = files.stamps();
        let certificates = files.load()?;
        tracing::info!(?certificates, "serving HTTPS by these names");
        let current = Arc::new(Current(ArcSwap::from_pointee(certificates)));
        let provider = Arc::new(provider());
        let versions =
            ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
        // Of the provider's own algorithms, which have them all.
        let versions = versions.map_err(|why| format!("TLS cannot be set up: {why}"))?;
        let verified = match &files.client_ca {
            None => versions.with_no_client_auth(),
            Some(path) => {
                let roots: Arc<RootCertStore> = client_authorities(path)?.into();
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build();
                let verifier =
                    verifier.map_err(|why| format!("--tls-client-ca {}: {why}", path.display()))?;
                versions.with_client_cert_verifier(verifier)
            }
        };
        let mut config = verified.with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![HTTP2.to_vec(), HTTP1.to_vec()];
        // Sessions go on without a state here: their tickets outlive a change of certificates.
        config.ticketer = ring::Ticketer::new().map_err(|why| format!("TLS cannot be set up: {why}"))?;
        Ok(Self { config: Arc::new(config), current, files, stamps })
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        Arc::clone(&self.config).into()
    }

    /// Reads the files again when they change, for as long as the process lives. Files that are wrong change nothing: a
    /// certificate and its key are seldom written in the same moment.
    pub(crate) fn watch(&self) {
        let (files, current) = (self.files.clone(), Arc::clone(&self.current));
        let mut seen = self.stamps.clone();
        tokio::spawn(async move {
            let mut look = tokio::time::interval(PERIOD);
            loop {
                look.tick().await;
                let (files, last) = (files.clone(), seen.clone());
                let looked = spawn_blocking(move || read_if_changed(&files, last)).await;
                let Ok((now, read)) = looked else {
                    return tracing::error!("the files of certificates are not looked at any more");
                };
                seen = now;
                match read {
                    None => {}
                    Some(Ok(certificates)) => {
                        tracing::info!(?certificates, "the files of certificates were read again");
                        current.0.store(Arc::new(certificates));
                    }
                    Some(Err(why)) => tracing::error!("the certificates stay as they are: {why}"),
                }
            }
        });
    }
}

const HTTP1: &[u8] = b"http/1.1";
pub(crate) const HTTP2: &[u8] = b"h2";

fn read_if_changed(files: &TlsFiles, last: Stamps) -> (Stamps, Option<Result<Certificates, String>>) {
    let now = files.stamps();
    match now == last {
        true => (last, None),
        false => (now, Some(files.load())),
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("current", &self.current).finish_non_exhaustive()
    }
}

// === impl Current ===

impl ResolvesServerCert for Current {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load().for_name(hello.server_name()))
    }
}

/// The algorithms of keys and handshakes.
pub(crate) fn provider() -> CryptoProvider {
    ring::default_provider()
}
