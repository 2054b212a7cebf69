//! Proxies on the way to S3: which host is reached through which.

use std::{fmt, net::IpAddr};

use http::{
    HeaderValue, Uri,
    uri::{Authority, Scheme},
};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};

use super::stream::bare;

/// The proxies of a transport.
#[derive(Debug, Clone, Default)]
pub(crate) struct Proxies {
    http: Option<Proxy>,
    https: Option<Proxy>,
    /// The hosts that are reached without, as in `NO_PROXY`.
    except: String,
    reach: Reach,
}

/// An HTTP proxy. `Debug` shows no credentials.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Proxy {
    /// Without the brackets of an IPv6 address.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) security: Security,
    /// A value for `Proxy-Authorization`, which is sensitive.
    pub(super) authorization: Option<HeaderValue>,
}

/// How the proxy itself is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Security {
    Plain,
    Tls,
}

/// Which hosts a proxy can be for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Reach {
    /// All but those that only this machine reaches: variables are set for everything that runs on it.
    #[default]
    Remote,
    /// All, since the configuration says so.
    All,
}

/// What a transport is told of proxies.
#[derive(Debug, Clone, Default)]
pub(crate) struct ProxySettings {
    /// In place of those that the variables name.
    pub(crate) proxy: Option<Result<Proxy, ProxyUrlError>>,
    /// In place of `NO_PROXY`.
    pub(crate) no_proxy: Option<String>,
}

/// The URL of a proxy that can't be used. The URL is not part of it, since it may contain credentials.
#[derive(Debug, Clone)]
pub(crate) struct ProxyUrlError {
    /// The option or variable.
    name: &'static str,
    why: Unusable,
}

#[derive(Debug, Clone, Copy)]
enum Unusable {
    Malformed,
    Socks,
}

// === impl ProxySettings ===

impl ProxySettings {
    pub(crate) fn is_silent(&self) -> bool {
        self.proxy.is_none() && self.no_proxy.is_none()
    }

    /// The proxies by these settings and the variables of the environment, as other tools read them: in lower case or else
    /// in upper case, and not at all if they are empty.
    pub(crate) fn resolve(
        &self,
        variable: impl Fn(&'static str) -> Option<String>,
    ) -> Result<Proxies, ProxyUrlError> {
        let first = |names: &[&'static str]| {
            names
                .iter()
                .find_map(|name| Some((*name, variable(name).filter(|value| !value.trim().is_empty())?)))
        };
        let of_environment = || first(&["no_proxy", "NO_PROXY"]).map(|(_, value)| value);
        let except = self.no_proxy.clone().or_else(of_environment).unwrap_or_default();
        if except.trim() == "*" {
            return Ok(Proxies::default());
        }
        if let Some(proxy) = &self.proxy {
            let proxy = proxy.clone()?;
            return Ok(Proxies { http: Some(proxy.clone()), https: Some(proxy), except, reach: Reach::All });
        }
        // With CGI, a client's field `Proxy` becomes HTTP_PROXY (CVE-2016-5385).
        let of_http: &[_] = match first(&["REQUEST_METHOD"]) {
            Some(_) => &["http_proxy"],
            None => &["http_proxy", "HTTP_PROXY"],
        };
        let parse = |found: Option<(&'static str, String)>| {
            let (name, url) = found.or_else(|| first(&["all_proxy", "ALL_PROXY"]))?;
            Some(Proxy::parse(name, &url))
        };
        let http = parse(first(of_http)).transpose()?;
        let https = parse(first(&["https_proxy", "HTTPS_PROXY"])).transpose()?;
        Ok(Proxies { http, https, except, reach: Reach::Remote })
    }
}

// === impl Proxies ===

impl Proxies {
    /// The proxy through which this host is reached; `None` if it is reached without.
    pub(super) fn of(&self, scheme: &Scheme, host: &str) -> Option<&Proxy> {
        let proxy = match *scheme == Scheme::HTTPS {
            true => self.https.as_ref()?,
            false => self.http.as_ref()?,
        };
        let is_in_reach = match self.reach {
            Reach::Remote => !is_of_this_machine(host),
            Reach::All => true,
        };
        (is_in_reach && !self.excepts(host)).then_some(proxy)
    }

    /// Whether TLS is needed for a proxy.
    pub(crate) fn need_tls(&self) -> bool {
        [&self.http, &self.https].into_iter().flatten().any(|proxy| proxy.security == Security::Tls)
    }

    fn excepts(&self, host: &str) -> bool {
        let Ok(uri) = Uri::try_from(format!("http://{}/", bracketed(host))) else { return false };
        let matcher = Matcher::builder().http("http://proxy.invalid").no(self.except.as_str()).build();
        matcher.intercept(&uri).is_none()
    }
}

/// Loopback, link-local addresses, and the metadata services of AWS, which have addresses of other kinds, too.
fn is_of_this_machine(host: &str) -> bool {
    let host = bare(host);
    let Ok(address) = host.parse::<IpAddr>() else {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        return host == "localhost" || host.ends_with(".localhost");
    };
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_loopback() || address.is_link_local() || address.is_unspecified(),
        IpAddr::V6(address) => {
            // fd00:ec2::254 and fd00:ec2::23.
            let is_of_ec2 = matches!(address.segments(), [0xfd00, 0x0ec2, 0, 0, 0, 0, 0, _]);
            address.is_loopback() || address.is_unicast_link_local() || address.is_unspecified() || is_of_ec2
        }
    }
}

/// A host as it stands in an authority (RFC 3986 §3.2.2).
pub(super) fn bracketed(host: &str) -> String {
    match host.contains(':') && !host.starts_with('[') {
        true => format!("[{host}]"),
        false => host.to_owned(),
    }
}

// === impl Proxy ===

impl Proxy {
    /// `http://host:port` or `https://host:port`, with `user:password@` in front of the host if the proxy wants them,
    /// percent-encoded. Without a scheme it is `http`.
    pub(crate) fn parse(name: &'static str, url: &str) -> Result<Self, ProxyUrlError> {
        let url = url.trim();
        let error = |why| ProxyUrlError { name, why };
        if url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("socks")) {
            return Err(error(Unusable::Socks));
        }
        let any = Uri::from_static("http://s3.test/");
        let found = Matcher::builder().all(url).build().intercept(&any);
        found.as_ref().and_then(Self::of).ok_or_else(|| error(Unusable::Malformed))
    }

    fn of(found: &Intercept) -> Option<Self> {
        let uri = found.uri();
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
        let (security, usual) = match uri.scheme()? == &Scheme::HTTPS {
            true => (Security::Tls, 443),
            false => (Security::Plain, 80),
        };
        let host = bare(authority.host());
        // `port` is silent about one that is too large.
        let port = match authority.as_str().get(authority.host().len()..)?.strip_prefix(':') {
            Some(port) if !port.is_empty() => port.parse().ok().filter(|port| *port > 0)?,
            Some(_) | None => usual,
        };
        let authorization = found.basic_auth().cloned();
        (!host.is_empty()).then(|| Self { host: host.to_owned(), port, security, authorization })
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", bracketed(&self.host), self.port)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

// === impl ProxyUrlError ===

impl fmt::Display for ProxyUrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.why {
            Unusable::Malformed => {
                "the URL is malformed: give it as http://host:port, or http://user:password@host:port"
            }
            Unusable::Socks => {
                "a SOCKS proxy can't be used: give the URL of an HTTP proxy, or except all hosts (NO_PROXY=*)"
            }
        };
        write!(f, "{}: {why}", self.name)
    }
}

impl std::error::Error for ProxyUrlError {}

/// A request for a plain `http` host goes to the proxy itself (RFC 9112 §3.2.2). It names the host as in `Host`.
pub(super) fn absolute(path: &Uri, host: &HeaderValue) -> Option<Uri> {
    let authority = Authority::try_from(host.as_bytes()).ok()?;
    let path = path.path_and_query()?.clone();
    Uri::builder().scheme(Scheme::HTTP).authority(authority).path_and_query(path).build().ok()
}

#[cfg(test)]
mod tests;
