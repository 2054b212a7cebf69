use std::{
    env, fmt,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
    time::Duration,
};

use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime_api::client::http::{HttpClient, SharedHttpClient};
use http::{Uri, uri::Scheme};
use tokio_rustls::TlsConnector;

use super::WireClient;
use super::wire::{
    Budget, ConnectTo, DialSettings, Peer, PoolSettings, Pools, Proxies, Proxy, ProxySettings, ProxyUrlError,
    ReadBuffer, SdkClient, ServiceClient, TlsError, tls_connector, tls_connector_trusting,
};
use crate::error::{ConfigError, ConfigErrorKind};

/// Carries requests to S3: connections, trusted certificates, and time-outs.
///
/// Mounts without one share the default transport, and thus the connections to common hosts. Certificates are loaded
/// once for all. Clones are the same transport.
///
/// A connection serves the Tokio runtime that opened it: programs and tests with several runtimes can share a transport.
///
/// ```
/// use std::time::Duration;
///
/// use tower_s3_proxy::{BucketName, Mount, Transport};
///
/// let patient = Transport::builder().response_timeout(Duration::from_secs(120)).build()?;
/// let archive = Mount::builder(BucketName::parse("studio-archive")?)
///     .region("us-west-2")
///     .anonymous()
///     .transport(&patient)
///     .build()?;
/// # let _ = archive;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Transport(Arc<Shared>);

/// Builds a [`Transport`].
#[must_use = "a builder does nothing before `build`"]
#[derive(Debug, Clone)]
pub struct TransportBuilder {
    settings: PoolSettings,
    ca_file: Option<PathBuf>,
    proxy: ProxySettings,
    http_client: Option<SharedHttpClient>,
}

struct Shared {
    settings: PoolSettings,
    proxy: ProxySettings,
    via: Via,
}

enum Via {
    /// With the TLS of the transport's own authorities, if it has any.
    Pools(Pools, Option<TlsConnector>),
    Client(SharedHttpClient),
}

// === impl Transport ===

impl Transport {
    /// A builder with the default options.
    pub fn builder() -> TransportBuilder {
        let settings = PoolSettings {
            dial: DialSettings {
                connect_timeout: CONNECT_TIMEOUT,
                tcp_keep_alive: TCP_KEEP_ALIVE,
                tcp_user_timeout: TCP_USER_TIMEOUT,
            },
            tls_timeout: TLS_TIMEOUT,
            response_timeout: RESPONSE_TIMEOUT,
            read_timeout: READ_TIMEOUT,
            max_connections: MAX_CONNECTIONS,
            max_idle: MAX_IDLE_CONNECTIONS,
            idle_timeout: IDLE_TIMEOUT,
            max_age: MAX_CONNECTION_AGE,
        };
        TransportBuilder { settings, ca_file: None, proxy: ProxySettings::default(), http_client: None }
    }

    /// Bounds the connections of all transports of the process together, to whatever hosts, idle ones included: each
    /// takes a file. There is no bound by default. For one connection more an idle one is closed, of any host; if there is
    /// none, a request waits as at [`max_connections`](TransportBuilder::max_connections).
    ///
    /// A program calls it at its start, before it builds a mount: a bound is lowered, and never raised.
    ///
    /// # Errors
    ///
    /// [`ConfigErrorKind::InvalidValue`] if it is 0.
    ///
    /// ```
    /// use tower_s3_proxy::Transport;
    ///
    /// Transport::limit_open_connections(200)?;
    /// assert!(Transport::limit_open_connections(0).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn limit_open_connections(most: usize) -> Result<(), ConfigError> {
        if most == 0 {
            let message = "the limit of open connections is 0: nothing could ever be asked";
            return Err(ConfigError::new(ConfigErrorKind::InvalidValue, message));
        }
        Budget::of_process().lower(most);
        Ok(())
    }

    /// The transport of mounts without their own.
    pub(crate) fn shared() -> Self {
        static SHARED: LazyLock<Transport> = LazyLock::new(|| Transport::builder().assemble(None));
        SHARED.clone()
    }

    /// How long S3 may take to the first byte of a response.
    pub(crate) fn response_timeout(&self) -> Duration {
        self.0.settings.response_timeout
    }

    /// How long a body may stand still.
    pub(crate) fn read_timeout(&self) -> Duration {
        self.0.settings.read_timeout
    }

    /// Whether the program's own HTTP client connects, wherever it chooses.
    pub(crate) fn has_own_client(&self) -> bool {
        matches!(self.0.via, Via::Client(_))
    }

    /// The client with which a mount sends its requests.
    pub(crate) fn client(
        &self,
        connect_to: Option<ConnectTo>,
        read_buffer: ReadBuffer,
        peer: Peer,
        needs_tls: bool,
        clock: SharedTimeSource,
    ) -> Result<WireClient, ConfigError> {
        match &self.0.via {
            Via::Client(_) if connect_to.is_some() => {
                let message = "connect-to and an HTTP client of your own contradict each other: let the client connect there";
                Err(ConfigError::new(ConfigErrorKind::Contradiction, message))
            }
            Via::Client(client) => {
                let PoolSettings { dial, response_timeout, read_timeout, .. } = &self.0.settings;
                let connect_timeout = dial.connect_timeout;
                let client = SdkClient::new(client, connect_timeout, *response_timeout, *read_timeout, clock);
                client.map(WireClient::Sdk).map_err(|why| {
                    ConfigError::new(ConfigErrorKind::InvalidValue, "the HTTP client can't be used")
                        .caused_by(why)
                })
            }
            Via::Pools(pools, own) => {
                let proxies = proxies(&self.0.proxy)?;
                let tls = match (needs_tls || proxies.need_tls(), own) {
                    (true, None) => Some(trusted()?),
                    (true, Some(own)) => Some(own.clone()),
                    (false, _) => None,
                };
                let pools = pools.clone().connecting_to(connect_to).reading_into(read_buffer).asking(peer);
                Ok(WireClient::Pools(pools.with_tls(tls).through(proxies)))
            }
        }
    }
}

// === services besides S3 ===

impl Transport {
    /// A client for another HTTP service, with these settings. A transport of the program's own HTTP client has no
    /// connections to lend: then it is the default transport's.
    pub(crate) fn service(&self, url: &Uri) -> Result<Option<ServiceClient>, ConfigError> {
        let needs_tls = url.scheme() == Some(&Scheme::HTTPS);
        let clock = SharedTimeSource::default();
        match self.client(None, ReadBuffer::Growing, Peer::Other, needs_tls, clock)? {
            WireClient::Pools(pools) => Ok(ServiceClient::new(&pools, url)),
            WireClient::Sdk(_) => Self::shared().service(url),
        }
    }
}

/// TLS with the authorities that the environment or the system trusts.
pub(crate) fn trusted() -> Result<TlsConnector, ConfigError> {
    tls_connector().map_err(no_tls)
}

/// The proxies that the variables name.
#[cfg(feature = "aws-config")]
pub(crate) fn proxies_of_environment() -> Result<Proxies, ConfigError> {
    proxies(&ProxySettings::default())
}

fn proxies(settings: &ProxySettings) -> Result<Proxies, ConfigError> {
    settings.resolve(|name| env::var(name).ok()).map_err(no_proxy)
}

fn no_proxy(why: ProxyUrlError) -> ConfigError {
    ConfigError::new(ConfigErrorKind::InvalidValue, why.to_string()).caused_by(why)
}

fn no_tls(why: TlsError) -> ConfigError {
    ConfigError::new(ConfigErrorKind::Tls, why.to_string()).caused_by(why)
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}

// === impl TransportBuilder ===

impl TransportBuilder {
    /// The limit for DNS and TCP, over all addresses of the host, and for a proxy to connect; 3 s by default.
    ///
    /// The addresses are tried as in RFC 8305, IPv6 and IPv4 in turn: each has a head start of 250 ms on the next, or less if
    /// not every address had its turn within the limit. The first connection that stands is taken. An address that does not
    /// answer, or refuses, is tried after the others for 30 s.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.settings.dial.connect_timeout = limit;
        self
    }

    /// The limit for the TLS handshake, from TCP's connection on; 3 s by default.
    pub fn tls_timeout(mut self, limit: Duration) -> Self {
        self.settings.tls_timeout = limit;
        self
    }

    /// The limit from a request to the first byte of its response's body; 10 s by default.
    pub fn response_timeout(mut self, limit: Duration) -> Self {
        self.settings.response_timeout = limit;
        self
    }

    /// The limit between two pieces of a body, as long as somebody waits for the next one; 30 s by default. A body has no
    /// limit in all. If S3 falls silent, the rest is asked for
    /// ([`RetryPolicy`](crate::RetryPolicy)).
    pub fn read_timeout(mut self, limit: Duration) -> Self {
        self.settings.read_timeout = limit;
        self
    }

    /// The number of connections to each host, idle ones included; 4096 by default. Beyond that, a request waits for one as
    /// long as it may take to [connect](Self::connect_timeout), and then its client gets 503
    /// ([`ProxyErrorKind::Overloaded`](crate::ProxyErrorKind::Overloaded)).
    pub fn max_connections(mut self, limit: usize) -> Self {
        self.settings.max_connections = limit;
        self
    }

    /// The number of idle connections that are kept for each host; 256 by default. One that S3 closes is let go within two
    /// seconds.
    pub fn max_idle_connections(mut self, limit: usize) -> Self {
        self.settings.max_idle = limit;
        self
    }

    /// How old a connection can be to serve another request; 5 min by default, of which up to a tenth is taken at random. So
    /// a change of DNS takes effect, and load spreads.
    pub fn max_connection_age(mut self, limit: Duration) -> Self {
        self.settings.max_age = limit;
        self
    }

    /// How long a connection is silent before TCP asks whether the other side is there, in whole seconds; 15 s by default,
    /// and never if it is zero. It asks three times, so long after one another, and then the connection is closed.
    pub fn tcp_keep_alive(mut self, interval: Duration) -> Self {
        self.settings.dial.tcp_keep_alive = interval;
        self
    }

    /// How long S3's host may leave a request unacknowledged, or TCP's question whether it is there, before the connection
    /// is closed; 20 s by default, and as long as the system lets it if it is zero. On Linux and Android only, where it is
    /// called `TCP_USER_TIMEOUT`; elsewhere the system's own limit holds.
    pub fn tcp_user_timeout(mut self, limit: Duration) -> Self {
        self.settings.dial.tcp_user_timeout = limit;
        self
    }

    /// Trusts the certificate authorities of this file, in PEM, and no others. It is read when the transport is
    /// [built](Self::build).
    ///
    /// By default those of the file that the variable `AWS_CA_BUNDLE` names, or else the operating system's, which
    /// `SSL_CERT_FILE` and `SSL_CERT_DIR` replace. Clients of STS and the like have the default.
    pub fn ca_file(mut self, file: impl AsRef<Path>) -> Self {
        self.ca_file = Some(file.as_ref().to_owned());
        self
    }

    /// Reaches S3 through this HTTP proxy: `http://host:port`, or `https://host:port` if the proxy itself is spoken to by TLS,
    /// with `user:password@` in front of the host if it wants them, percent-encoded.
    ///
    /// By default the variables of the environment name the proxy, as for other tools: `https_proxy` or `http_proxy`, by the
    /// scheme of the endpoint, else `all_proxy`; each in upper case, too. They hold for credentials from STS and the like,
    /// whatever is set here, and never for loopback and link-local addresses; a proxy that is set here holds for those.
    pub fn proxy(mut self, url: impl AsRef<str>) -> Self {
        self.proxy.proxy = Some(Proxy::parse("proxy", url.as_ref()));
        self
    }

    /// The hosts that are reached without a proxy, in place of those of the variable `no_proxy` (or `NO_PROXY`): names, which
    /// stand for what is below them, too, addresses, and networks like `10.0.0.0/8`, with commas in between; `*` for all.
    pub fn no_proxy(mut self, hosts: impl Into<String>) -> Self {
        self.proxy.no_proxy = Some(hosts.into());
        self
    }

    /// Sends requests with an HTTP client of the SDK instead of the built-in connection pool: for example one with its
    /// own TLS stack, or one that records and replays. It applies the time-outs itself, as its
    /// documentation says.
    pub fn http_client(mut self, client: impl HttpClient + 'static) -> Self {
        self.http_client = Some(SharedHttpClient::new(client));
        self
    }

    /// # Errors
    ///
    /// [`ConfigErrorKind::InvalidValue`] if a time-out, the number of connections or their age is zero, or for a malformed URL
    /// of a proxy;
    /// [`ConfigErrorKind::Tls`] if the file of authorities can't be read or holds none; [`ConfigErrorKind::Contradiction`] if
    /// there is one, or a proxy, and an HTTP client of your own.
    pub fn build(self) -> Result<Transport, ConfigError> {
        let PoolSettings { tls_timeout, response_timeout, read_timeout, max_connections, max_age, .. } =
            self.settings;
        let connect_timeout = self.settings.dial.connect_timeout;
        for (name, limit) in [
            ("connect", connect_timeout),
            ("TLS", tls_timeout),
            ("response", response_timeout),
            ("read", read_timeout),
        ] {
            if limit.is_zero() {
                let message = format!("the {name} time-out is zero: no response could ever be in time");
                return Err(ConfigError::new(ConfigErrorKind::InvalidValue, message));
            }
        }
        let message = if max_connections == 0 {
            "max_connections is 0: nothing could ever be asked"
        } else if max_age.is_zero() {
            "the maximum age of connections is zero: set max_idle_connections to 0 to keep none"
        } else {
            return self.with_proxy_and_trust();
        };
        Err(ConfigError::new(ConfigErrorKind::InvalidValue, message))
    }

    fn with_proxy_and_trust(self) -> Result<Transport, ConfigError> {
        if let Some(Err(why)) = &self.proxy.proxy {
            return Err(no_proxy(why.clone()));
        }
        if self.http_client.is_some() && !self.proxy.is_silent() {
            let message = "proxy or no_proxy and an HTTP client of your own contradict each other: let the client use the proxy";
            return Err(ConfigError::new(ConfigErrorKind::Contradiction, message));
        }
        let Some(file) = &self.ca_file else { return Ok(self.assemble(None)) };
        if self.http_client.is_some() {
            let message =
                "ca_file and an HTTP client of your own contradict each other: let the client trust the file";
            return Err(ConfigError::new(ConfigErrorKind::Contradiction, message));
        }
        let own = tls_connector_trusting(file).map_err(no_tls)?;
        Ok(self.assemble(Some(own)))
    }

    fn assemble(self, own: Option<TlsConnector>) -> Transport {
        let Self { settings, proxy, http_client, .. } = self;
        let via = match http_client {
            Some(client) => Via::Client(client),
            None => Via::Pools(Pools::new(settings.clone()), own),
        };
        Transport(Arc::new(Shared { settings, proxy, via }))
    }
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const TLS_TIMEOUT: Duration = Duration::from_secs(3);
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);
const READ_TIMEOUT: Duration = Duration::from_secs(30);
const MAX_CONNECTIONS: usize = 4096;
const MAX_IDLE_CONNECTIONS: usize = 256;
const MAX_CONNECTION_AGE: Duration = Duration::from_secs(5 * 60);

/// A connection that S3 or a NAT in between has dropped costs a retry; the longer it is idle, the likelier that is.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// NATs forget connections that are silent for minutes: AWS's own after 350 s.
pub(crate) const TCP_KEEP_ALIVE: Duration = Duration::from_secs(15);
pub(crate) const TCP_USER_TIMEOUT: Duration = Duration::from_secs(20);
