use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use tokio_rustls::rustls::{
    RootCertStore,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    sign::CertifiedKey,
};

use super::{certificates::Certificates, provider};

/// Where certificates and keys are.
#[derive(Debug, Clone)]
pub(crate) struct TlsFiles {
    /// Of a certificate with its chain, and of its key.
    pub(crate) pairs: Vec<(PathBuf, PathBuf)>,
    /// The authorities of clients.
    pub(crate) client_ca: Option<PathBuf>,
}

/// By which a change of the files is seen: the time and the size of each, where it has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamps(Vec<Option<(SystemTime, u64)>>);

// === impl TlsFiles ===

impl TlsFiles {
    pub(crate) fn load(&self) -> Result<Certificates, String> {
        let keys = self.pairs.iter().map(|(certificate, key)| load(certificate, key));
        Certificates::new(keys.collect::<Result<_, _>>()?)
    }

    pub(crate) fn stamps(&self) -> Stamps {
        let paths = self.pairs.iter().flat_map(|(certificate, key)| [certificate, key]);
        Stamps(paths.map(|path| stamp(path)).collect())
    }
}

/// Of what a link leads to.
fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

fn load(certificate: &Path, key: &Path) -> Result<Arc<CertifiedKey>, String> {
    let chain = certificates("--tls-cert", certificate)?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|why| match why {
        pem::Error::NoItemsFound => {
            format!("--tls-key {}: has no private key in PEM (-----BEGIN PRIVATE KEY-----)", key.display())
        }
        why => unreadable("--tls-key", key, &why),
    })?;
    let certified = CertifiedKey::from_der(chain, private, &provider()).map_err(|why| {
        format!("--tls-cert {} with --tls-key {}: {why}", certificate.display(), key.display())
    })?;
    Ok(Arc::new(certified))
}

/// The authorities that certificates of clients must be of.
pub(crate) fn client_authorities(path: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for authority in certificates("--tls-client-ca", path)? {
        roots.add(authority).map_err(|why| format!("--tls-client-ca {}: {why}", path.display()))?;
    }
    Ok(roots)
}

fn certificates(flag: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).and_then(|found| found.collect::<Result<Vec<_>, _>>());
    match read {
        Ok(found) if found.is_empty() => {
            Err(format!("{flag} {}: has no certificate in PEM (-----BEGIN CERTIFICATE-----)", path.display()))
        }
        Ok(found) => Ok(found),
        Err(why) => Err(unreadable(flag, path, &why)),
    }
}

fn unreadable(flag: &str, path: &Path, why: &pem::Error) -> String {
    match why {
        pem::Error::Io(why) => format!("{flag} {}: {why}", path.display()),
        why => format!("{flag} {}: is not PEM: {why}", path.display()),
    }
}
