//! The authorities whose certificates servers can have.

use std::{
    env,
    ffi::OsString,
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use tokio_rustls::{
    TlsConnector,
    rustls::{
        self, ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, pem, pem::PemObject},
    },
};

/// No TLS client can be made.
#[derive(Debug)]
pub(crate) enum TlsError {
    /// What was met on the way to them.
    NoSystemAnchors(String),
    /// The file of anchors: the variable that names it, if one does.
    Unreadable(Option<&'static str>, PathBuf, io::Error),
    Malformed(Option<&'static str>, PathBuf, pem::Error),
    /// So many sections of the file are certificates by their label, and none by what they contain.
    NoCertificate(Option<&'static str>, PathBuf, usize),
    Rustls(rustls::Error),
}

/// TLS with the authorities of the file that `AWS_CA_BUNDLE` names, or else with the operating system's, or those that
/// `SSL_CERT_FILE` and `SSL_CERT_DIR` name. They are loaded once, so that all connections can resume sessions.
pub(crate) fn tls_connector() -> Result<TlsConnector, TlsError> {
    static LOADED: Mutex<Option<TlsConnector>> = Mutex::new(None);
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(connector) = &*loaded {
        return Ok(connector.clone());
    }
    Ok(loaded.insert(connector(by_environment(|name| env::var_os(name))?)?).clone())
}

/// TLS with the authorities of a PEM file, and no others.
pub(crate) fn tls_connector_trusting(file: &Path) -> Result<TlsConnector, TlsError> {
    connector(of_file(None, file)?)
}

fn by_environment(variable: impl Fn(&str) -> Option<OsString>) -> Result<RootCertStore, TlsError> {
    match variable(AWS_CA_BUNDLE).filter(|file| !file.is_empty()) {
        Some(file) => of_file(Some(AWS_CA_BUNDLE), Path::new(&file)),
        None => of_system(),
    }
}

fn of_system() -> Result<RootCertStore, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let why: Vec<_> = found.errors.iter().map(ToString::to_string).collect();
        return Err(TlsError::NoSystemAnchors(why.join("; ")));
    }
    Ok(roots)
}

fn of_file(variable: Option<&'static str>, file: &Path) -> Result<RootCertStore, TlsError> {
    let text = fs::read(file).map_err(|why| TlsError::Unreadable(variable, file.to_owned(), why))?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|why| TlsError::Malformed(variable, file.to_owned(), why))?;
    let mut roots = RootCertStore::empty();
    // Bundles of whole systems have old certificates, which nothing can be checked against.
    match roots.add_parsable_certificates(certificates) {
        (0, ignored) => Err(TlsError::NoCertificate(variable, file.to_owned(), ignored)),
        _ => Ok(roots),
    }
}

fn connector(roots: RootCertStore) -> Result<TlsConnector, TlsError> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Rustls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Where AWS's tools look (AWS SDKs and Tools Reference Guide, "ca_bundle").
const AWS_CA_BUNDLE: &str = "AWS_CA_BUNDLE";

// === impl TlsError ===

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (variable, file) = match self {
            Self::NoSystemAnchors(why) => {
                return write!(
                    f,
                    "no trusted certificates: install the system's CA certificates or set SSL_CERT_FILE ({why})"
                );
            }
            Self::Rustls(why) => return write!(f, "TLS can't be set up: {why}"),
            Self::Unreadable(variable, file, _)
            | Self::Malformed(variable, file, _)
            | Self::NoCertificate(variable, file, _) => (variable.unwrap_or("ca_file"), file.display()),
        };
        write!(f, "{variable} {file}: ")?;
        match self {
            Self::NoSystemAnchors(_) | Self::Rustls(_) => Ok(()),
            Self::Unreadable(_, _, why) => write!(f, "the file can't be read ({why})"),
            Self::Malformed(_, _, why) => write!(f, "the file is not PEM ({why})"),
            Self::NoCertificate(_, _, 0) => f.write_str(
                "the file holds no certificate: it must have the authority's, in PEM (BEGIN CERTIFICATE)",
            ),
            Self::NoCertificate(_, _, sections) => {
                write!(f, "none of the file's {sections} certificates can be read: is it damaged?")
            }
        }
    }
}

impl std::error::Error for TlsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable(_, _, why) => Some(why),
            Self::Malformed(_, _, why) => Some(why),
            Self::Rustls(why) => Some(why),
            Self::NoSystemAnchors(_) | Self::NoCertificate(..) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_loaded_once() {
        let (one, other) = (tls_connector().unwrap(), tls_connector().unwrap());
        assert!(Arc::ptr_eq(one.config(), other.config()));
    }

    #[test]
    fn a_file_must_have_certificates() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec![]).unwrap().self_signed(&key).unwrap().pem();
        for (text, expected) in [
            ("", Err("ca.pem: the file holds no certificate")),
            ("no PEM at all", Err("ca.pem: the file holds no certificate")),
            (&key.serialize_pem(), Err("ca.pem: the file holds no certificate")),
            (
                "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n",
                Err("ca.pem: the file is not PEM ("),
            ),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                Err("none of the file's 1 certificates"),
            ),
            (&certificate, Ok(1)),
            (&format!("# ours\n{certificate}{}\n{certificate}", key.serialize_pem()), Ok(2)),
        ] {
            fs::write(&path, text).unwrap();
            match (of_file(None, &path), expected) {
                (Ok(roots), Ok(number)) => assert_eq!(roots.len(), number, "{text}"),
                (Err(why), Err(message)) => assert!(why.to_string().contains(message), "{why}"),
                (Ok(_), Err(message)) => panic!("accepted: {message}"),
                (Err(why), Ok(_)) => panic!("{why}"),
            }
        }
        assert!(tls_connector_trusting(&path).is_ok());
        let why = tls_connector_trusting(&folder.path().join("absent.pem")).err().unwrap().to_string();
        assert!(
            why.starts_with("ca_file /") && why.contains("absent.pem: the file can't be read (No such"),
            "{why}"
        );
    }

    #[test]
    fn the_bundle_of_aws_tools_counts_unless_it_is_empty() {
        let system = of_system().unwrap().len();
        assert_eq!(by_environment(|_| None).unwrap().len(), system);
        assert_eq!(by_environment(|_| Some(OsString::new())).unwrap().len(), system);
        let absent = |name: &str| (name == "AWS_CA_BUNDLE").then(|| "/absent.pem".into());
        let why = by_environment(absent).unwrap_err().to_string();
        assert!(why.starts_with("AWS_CA_BUNDLE /absent.pem: "), "{why}");
    }
}
