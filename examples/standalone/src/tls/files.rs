use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use tokio_rustls::rustls::{
    Error, RootCertStore,
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
    let private = private_key(key)?;
    let certified = CertifiedKey::from_der(chain, private, &provider()).map_err(|why| match why {
        Error::InconsistentKeys(_) => format!(
            "--tls-key {} is not the key of --tls-cert {}: give the keys in the order of their certificates",
            key.display(),
            certificate.display()
        ),
        Error::InvalidCertificate(_) => format!(
            "--tls-cert {}: cannot be used ({why}): make one of version 3, with subjectAltName",
            certificate.display()
        ),
        why => format!(
            "--tls-key {}: cannot be used ({why}): give an RSA key of 2048 to 8192 bits, an ECDSA key of P-256 or P-384, \
             or an Ed25519 key",
            key.display()
        ),
    })?;
    Ok(Arc::new(certified))
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let text = fs::read(path).map_err(|why| format!("--tls-key {}: {why}", path.display()))?;
    if ENCRYPTED.iter().any(|mark| text.windows(mark.len()).any(|part| part == *mark)) {
        let path = path.display();
        return Err(format!(
            "--tls-key {path}: is encrypted: decrypt it, as by `openssl pkey -in {path} -out FILE`"
        ));
    }
    PrivateKeyDer::from_pem_slice(&text).map_err(|why| match why {
        pem::Error::NoItemsFound => {
            format!("--tls-key {}: has no private key in PEM (-----BEGIN PRIVATE KEY-----)", path.display())
        }
        why => unreadable("--tls-key", path, &why),
    })
}

/// In PEM, of PKCS #8 (RFC 7468 §11) and of the form before it (RFC 1421 §4.6.1.1).
const ENCRYPTED: [&[u8]; 2] = [b"BEGIN ENCRYPTED PRIVATE KEY", b"Proc-Type: 4,ENCRYPTED"];

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
