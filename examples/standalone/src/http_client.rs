//! The client of a running instance.

use std::{error::Error, fs::File, io::BufReader, path::PathBuf, sync::Arc};

use bytes::Bytes;
use http::{
    Method, Request, Response, StatusCode, Uri,
    header::{AUTHORIZATION, HOST},
};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};

use crate::tls::provider;

/// Which instance is meant.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct InstanceArgs {
    /// The URL of the running instance, with its --cache-admin-path
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080/_cache")]
    pub(crate) url: Uri,

    /// Trust the certificate authorities in this PEM file, and not those of the system
    #[arg(long, value_name = "FILE")]
    pub(crate) cacert: Option<PathBuf>,
}

type Failure = Box<dyn Error>;

/// In bytes, of an answer that is an error.
const LONGEST_ERROR: usize = 64 * 1024;

// === impl InstanceArgs ===

impl InstanceArgs {
    /// Asks for a path below the URL, with this token.
    ///
    /// # Errors
    ///
    /// There is no answer, or it is an error; what the instance says is told.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path_and_query: &str,
        token: &str,
    ) -> Result<Response<Incoming>, Failure> {
        let base = self.url.path().trim_end_matches('/');
        let request = Request::builder()
            .method(method)
            .uri(format!("{base}{path_and_query}"))
            .header(AUTHORIZATION, format!("Bearer {token}"));
        let answer = self.send(request).await?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status();
        let text = Limited::new(answer.into_body(), LONGEST_ERROR).collect().await;
        let text = text.map_err(|why| why.to_string())?.to_bytes();
        Err(explain(&self.url, status, &text).into())
    }

    /// Sends a request to the instance.
    pub(crate) async fn send(&self, request: http::request::Builder) -> Result<Response<Incoming>, Failure> {
        let authority = self.url.authority().ok_or_else(|| {
            format!("--url {}: give a URL with scheme and host, like http://127.0.0.1:8080/_cache", self.url)
        })?;
        let mut sender = self.connect(authority.host()).await?;
        let request = request.header(HOST, authority.as_str()).body(Empty::new())?;
        Ok(sender.send_request(request).await?)
    }

    async fn connect(&self, host: &str) -> Result<SendRequest<Empty<Bytes>>, Failure> {
        let is_tls = match self.url.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(format!("--url {}: must begin with http:// or https://", self.url).into()),
        };
        let port = self.url.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        // An IPv6 address is in brackets in a URL.
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let tcp = TcpStream::connect((host, port))
            .await
            .map_err(|why| format!("nothing answers at {}: {why}; is the proxy running there?", self.url))?;
        if !is_tls {
            return handshake(tcp).await;
        }
        let name = ServerName::try_from(host.to_owned())?;
        let tls = TlsConnector::from(Arc::new(self.tls()?)).connect(name, tcp).await;
        handshake(tls.map_err(|why| {
            format!("TLS with {}: {why}; --cacert FILE trusts a certificate authority of your own", self.url)
        })?)
        .await
    }

    fn tls(&self) -> Result<ClientConfig, Failure> {
        let mut roots = RootCertStore::empty();
        match &self.cacert {
            Some(path) => {
                let file = File::open(path).map_err(|why| format!("--cacert {}: {why}", path.display()))?;
                for certificate in CertificateDer::pem_reader_iter(BufReader::new(file)) {
                    roots.add(certificate?)?;
                }
            }
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        let config = ClientConfig::builder_with_provider(Arc::new(provider()))
            .with_safe_default_protocol_versions()?;
        Ok(config.with_root_certificates(roots).with_no_client_auth())
    }
}

async fn handshake<S>(stream: S) -> Result<SendRequest<Empty<Bytes>>, Failure>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends with the answer, whose body tells what went wrong.
    tokio::spawn(connection);
    Ok(sender)
}

fn explain(url: &Uri, status: StatusCode, text: &[u8]) -> String {
    let told = serde_json::from_slice::<serde_json::Value>(text).ok();
    let told = told.as_ref().and_then(|told| told.get("error")?.as_str()).unwrap_or_default();
    match status {
        StatusCode::UNAUTHORIZED => format!("{url} refuses the token of the environment: {told}"),
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED if told.is_empty() => format!(
            "{url} is not the path of an admin interface: give --url the proxy's address with its --cache-admin-path"
        ),
        status if told.is_empty() => format!("{url} answers {status}"),
        _ => told.to_owned(),
    }
}

/// A value in a query.
pub(crate) fn encoded(value: &str) -> impl std::fmt::Display + '_ {
    percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC)
}
