use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use super::{Tls, files::TlsFiles};
use crate::listen::parse_address;

/// TLS towards clients.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct TlsArgs {
    /// Serve HTTPS with this certificate (PEM, with its chain); again with another --tls-key for other names
    ///
    /// A client gets the first certificate that covers the name it asks for, or the first of all if none does. The files are read
    /// again when they change; while they are wrong, the old certificates stay in use.
    #[arg(long, value_name = "FILE", requires = "tls_key", help_heading = "TLS")]
    tls_cert: Vec<PathBuf>,

    /// The private key of the certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert", help_heading = "TLS")]
    tls_key: Vec<PathBuf>,

    /// Admit only clients with a certificate from an authority in this file (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert", help_heading = "TLS")]
    tls_client_ca: Option<PathBuf>,

    /// Listen here for plain HTTP, too, and redirect it to HTTPS at the port of --listen; health checks are answered
    #[arg(long, value_name = "ADDR", value_parser = parse_address, requires = "tls_cert", help_heading = "TLS")]
    pub(crate) redirect_http: Option<SocketAddr>,
}

// === impl TlsArgs ===

impl TlsArgs {
    /// The first certificate.
    pub(crate) fn certificate(&self) -> Option<&Path> {
        self.tls_cert.first().map(PathBuf::as_path)
    }

    /// Reads the files, as serving does.
    pub(crate) fn check(&self) -> Result<(), String> {
        self.files()?.map_or(Ok(()), |files| Tls::load(files).map(drop))
    }

    /// `None` for plain HTTP.
    pub(crate) fn files(&self) -> Result<Option<TlsFiles>, String> {
        let (certificates, keys) = (self.tls_cert.len(), self.tls_key.len());
        if certificates != keys {
            return Err(format!(
                "--tls-cert is given {certificates} times and --tls-key {keys} times: give a key for each certificate, in the \
                 same order"
            ));
        }
        if certificates == 0 {
            return Ok(None);
        }
        let pairs = self.tls_cert.iter().cloned().zip(self.tls_key.iter().cloned()).collect();
        Ok(Some(TlsFiles { pairs, client_ca: self.tls_client_ca.clone() }))
    }
}
