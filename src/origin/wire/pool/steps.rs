//! Connects to a host step by step, so that a diagnosis can name the step that fails.

use std::{io, net::SocketAddr};

use tokio_rustls::rustls::{self, CertificateError};

use super::Pool;
use crate::origin::wire::{
    dial::{DialError, Line},
    proxy::Proxy,
    stream::{Stream, server_name},
};

/// Why TLS fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TlsFault {
    /// The certificate is for these names.
    OtherName(Vec<String>),
    UnknownIssuer,
    /// The certificate is not valid now, by this machine's clock.
    NotValidNow,
    /// The other side does not speak TLS.
    NotTls,
    Other(String),
}

// === impl Pool ===

impl Pool {
    /// The host and port that connections go to, not always the endpoint's own.
    pub(in crate::origin) fn address(&self) -> (&str, u16) {
        self.0.dialer.target()
    }

    pub(in crate::origin) async fn look_up(&self) -> io::Result<Vec<SocketAddr>> {
        self.0.dialer.look_up().await
    }

    /// Returns the negotiated protocol.
    /// The proxy in between.
    pub(in crate::origin) fn proxy(&self) -> Option<&Proxy> {
        self.0.dialer.proxy()
    }

    /// Connects to one of these addresses.
    pub(in crate::origin) async fn connect_to(&self, found: Vec<SocketAddr>) -> Result<Line, DialError> {
        self.0.dialer.connect_to(found).await
    }

    /// Returns the negotiated protocol.
    pub(in crate::origin) async fn shake_hands(&self, line: Line) -> Result<String, TlsFault> {
        let Some(tls) = &self.0.tls else { return Err(TlsFault::Other("TLS is not set up".to_owned())) };
        let name = server_name(&self.0.host.name).map_err(|why| TlsFault::Other(why.to_string()))?;
        let stream = Stream::secured(line.io, tls, name, self.0.settings.tls_timeout).await;
        let version = stream.map_err(|error| TlsFault::of(&error))?.tls_version();
        Ok(version.map_or_else(|| "TLS".to_owned(), |version| format!("{version:?}").replace('_', ".")))
    }
}

// === impl TlsFault ===

impl TlsFault {
    fn of(error: &io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::InvalidCertificate(why)) => Self::of_certificate(why),
            Some(rustls::Error::InvalidMessage(_)) => Self::NotTls,
            Some(other) => Self::Other(other.to_string()),
            None => Self::Other(error.to_string()),
        }
    }

    fn of_certificate(why: &CertificateError) -> Self {
        match why {
            CertificateError::NotValidForName => Self::OtherName(Vec::new()),
            CertificateError::NotValidForNameContext { presented, .. } => {
                // `DnsName("*.example.com")`, as the verifier writes it.
                let name = |text: &String| text.split('"').nth(1).unwrap_or(text).to_owned();
                Self::OtherName(presented.iter().map(name).collect())
            }
            CertificateError::UnknownIssuer => Self::UnknownIssuer,
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => Self::NotValidNow,
            other => Self::Other(format!("the certificate is not valid: {other:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_certificate_is_told_apart() {
        for (why, fault) in [
            (CertificateError::NotValidForName, TlsFault::OtherName(Vec::new())),
            (CertificateError::UnknownIssuer, TlsFault::UnknownIssuer),
            (CertificateError::Expired, TlsFault::NotValidNow),
            (CertificateError::NotValidYet, TlsFault::NotValidNow),
        ] {
            let error = io::Error::other(rustls::Error::InvalidCertificate(why));
            assert_eq!(TlsFault::of(&error), fault);
        }
        let html = rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType);
        assert_eq!(TlsFault::of(&io::Error::other(html)), TlsFault::NotTls);
        assert_eq!(TlsFault::of(&io::Error::other("reset")), TlsFault::Other("reset".to_owned()));
    }
}
