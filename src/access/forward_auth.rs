//! A log-in service that decides on each request of a mount.

mod asker;
mod fields;
mod memory;
mod verdict;

use std::time::Duration;

use http::{HeaderName, Uri, uri::Scheme};

pub(crate) use self::{asker::Asker, fields::client_fields};
use self::{
    fields::{Fields, is_of_proxy},
    memory::Memory,
};
use crate::{
    access::random::random,
    error::{ConfigError, ConfigErrorKind},
    origin::Transport,
};

/// An HTTP service that is asked about each request of a mount before the cache is: oauth2-proxy, authelia, authentik, or
/// your own.
///
/// It gets a GET without a body that describes the request in `X-Forwarded-Method`, `-Proto`, `-Host`, `-Uri` and `-For`,
/// as Traefik's and Caddy's forward authentication send it. A 2xx lets the request pass. Any other answer below 500 goes to
/// the client. A service that fails, is silent or is down makes the response 503: the door stays shut.
///
/// ```
/// use std::time::Duration;
///
/// use tower_s3_proxy::{BucketName, Mount, access::ForwardAuth};
///
/// let log_in = ForwardAuth::new("http://127.0.0.1:4180/")
///     .remember(Duration::from_secs(10))
///     .pass_through("/oauth2/");
/// let mount = Mount::builder(BucketName::parse("studio-media")?)
///     .region("us-west-2")
///     .anonymous()
///     .forward_auth(log_in)
///     .build()?;
/// # let _ = mount;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// See the [guide](crate::guide::log_in).
#[must_use = "it has no effect before `MountBuilder::forward_auth`"]
#[derive(Debug, Clone)]
pub struct ForwardAuth {
    url: String,
    send: Vec<String>,
    pass_on: Vec<String>,
    remember: Duration,
    remember_by: Option<Vec<String>>,
    decides_by: DecidesBy,
    timeout: Duration,
    scheme: Option<String>,
    pass_through: Option<String>,
}

/// What of a request's URL a log-in service looks at: as far as that, its verdicts can be remembered for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum DecidesBy {
    /// Method, host, path and query: each URL is a question of its own.
    #[default]
    Path,
    /// Method and host. For a service that lets a user see everything or nothing: a page with a hundred pictures is one
    /// question.
    Host,
}

// === impl ForwardAuth ===

impl ForwardAuth {
    /// A service at this URL: `http://127.0.0.1:9091/api/authz/forward-auth`.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            send: SENT.map(str::to_owned).into(),
            pass_on: Vec::new(),
            remember: Duration::from_secs(5),
            remember_by: None,
            decides_by: DecidesBy::default(),
            timeout: Duration::from_secs(5),
            scheme: None,
            pass_through: None,
        }
    }

    /// The fields of a request that the service gets, in place of `Accept`, `Authorization`, `Cookie`, `User-Agent` and
    /// `X-Requested-With`. It never gets a client's own `X-Forwarded-*`, `X-Original-*`, `X-Auth-Request-*` and the like.
    pub fn send<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.send = names.into_iter().map(Into::into).collect();
        self
    }

    /// Fields of an answer that the client gets when it is turned away, besides `Content-Type`, `Location`, `Retry-After`,
    /// `Set-Cookie` and `WWW-Authenticate`.
    pub fn pass_on<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.pass_on = names.into_iter().map(Into::into).collect();
        self
    }

    /// How long a verdict holds for equal requests; 5 s by default, and zero asks for every request. A session that ends
    /// is noticed so much later.
    pub fn remember(mut self, time: Duration) -> Self {
        self.remember = time;
        self
    }

    /// The fields that make two requests unequal to the service: all that it is sent, without this call. Name fewer only if
    /// the service decides by those alone: leave out `Accept` and `User-Agent`, say, but never the one that has the session.
    pub fn remember_by<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.remember_by = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// What of the URL the service looks at; all of it by default.
    pub fn decides_by(mut self, what: DecidesBy) -> Self {
        self.decides_by = what;
        self
    }

    /// The limit from the question to the whole answer; 5 s by default.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self
    }

    /// The scheme that clients use, which the service makes URLs of: `https` where something in front of the proxy ends
    /// TLS. Without this call it is a [`Scheme`] in the extensions of the request, then that of its URI, then `http`.
    pub fn scheme(mut self, scheme: impl Into<String>) -> Self {
        self.scheme = Some(scheme.into());
        self
    }

    /// Hands the requests below this path of the host to the service as they are, whatever the mount's own path is:
    /// `/oauth2/`, so that the sign-in of oauth2-proxy works on the same host.
    pub fn pass_through(mut self, path: impl Into<String>) -> Self {
        self.pass_through = Some(path.into());
        self
    }

    pub(crate) fn check(&self, transport: &Transport) -> Result<Asker, ConfigError> {
        let url = parse_url(&self.url)?;
        let client = transport.service(&url)?.ok_or_else(|| invalid_url(&self.url))?;
        let send = names("send", &self.send)?;
        let remember_by = match &self.remember_by {
            Some(by) => names("remember_by", by)?,
            None => send.clone(),
        };
        if let Some(name) = remember_by.iter().find(|name| !send.contains(name)) {
            let message = format!(
                "remember_by of a log-in service names {name}, which the service is not sent: add it to send, or leave it out"
            );
            return Err(ConfigError::new(ConfigErrorKind::Contradiction, message));
        }
        let mut pass_on = PASSED_ON.map(HeaderName::from_static).to_vec();
        pass_on.extend(names("pass_on", &self.pass_on)?);
        if self.timeout.is_zero() {
            let message = "the time-out of a log-in service is zero: no answer could ever be in time";
            return Err(ConfigError::new(ConfigErrorKind::InvalidValue, message));
        }
        let scheme = self.scheme.as_deref().map(parse_scheme).transpose()?;
        let pass_through = self.pass_through.as_deref().map(parse_path).transpose()?;
        let fields = Fields { send, remember_by, decides_by: self.decides_by, scheme };
        let memory = Memory::new(random()?, self.remember);
        Ok(Asker::new(client, fields, pass_on, memory, self.timeout, pass_through))
    }
}

const SENT: [&str; 5] = ["accept", "authorization", "cookie", "user-agent", "x-requested-with"];

const PASSED_ON: [&str; 5] = ["content-type", "location", "retry-after", "set-cookie", "www-authenticate"];

fn names(option: &str, names: &[String]) -> Result<Vec<HeaderName>, ConfigError> {
    let parse = |name: &String| {
        let invalid = |why| ConfigError::invalid(&format!("{option} of a log-in service"), name, why);
        let parsed =
            HeaderName::try_from(name.as_str()).map_err(|_| invalid("must be the name of a field"))?;
        match is_of_proxy(&parsed) {
            true => Err(invalid("is a field that the proxy itself sets, or that is for the connection")),
            false => Ok(parsed),
        }
    };
    names.iter().map(parse).collect()
}

fn parse_url(url: &str) -> Result<Uri, ConfigError> {
    if url.contains('@') {
        let message =
            "the URL of a log-in service must not carry a user name: the service gets what the client sends";
        return Err(ConfigError::new(ConfigErrorKind::InvalidValue, message));
    }
    let parsed: Uri = url.parse().map_err(|_| invalid_url(url))?;
    match parsed.scheme_str() {
        Some("http" | "https") if parsed.host().is_some() => Ok(parsed),
        _ => Err(invalid_url(url)),
    }
}

fn invalid_url(url: &str) -> ConfigError {
    let why = "must begin with \"http://\" or \"https://\" and name a host";
    ConfigError::invalid("the URL of a log-in service", url, why)
}

fn parse_scheme(scheme: &str) -> Result<Scheme, ConfigError> {
    match scheme {
        "http" => Ok(Scheme::HTTP),
        "https" => Ok(Scheme::HTTPS),
        _ => Err(ConfigError::invalid(
            "the scheme that a log-in service is told",
            scheme,
            "must be \"http\" or \"https\"",
        )),
    }
}

fn parse_path(path: &str) -> Result<String, ConfigError> {
    let is_path = path.len() > 2
        && path.starts_with('/')
        && path.ends_with('/')
        && !path.contains("//")
        && path.bytes().all(|b| b.is_ascii_graphic() && !b"?#%\\".contains(&b))
        && !path.split('/').any(|segment| matches!(segment, "." | ".."));
    match is_path {
        true => Ok(path.to_owned()),
        false => Err(ConfigError::invalid(
            "pass_through of a log-in service",
            path,
            "must be a path with a slash at both ends, like \"/oauth2/\", and not \"/\"",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_could_not_be_asked_is_refused() {
        let at = || ForwardAuth::new("http://127.0.0.1:1/auth?rd=https://a.test/");
        for (service, hint) in [
            (at(), None),
            (ForwardAuth::new("https://auth.test"), None),
            (at().send(["cookie", "x-api-key"]).remember_by(["x-api-key"]).pass_through("/oauth2/"), None),
            (at().scheme("https").remember(Duration::ZERO), None),
            (ForwardAuth::new("auth.test"), Some("must begin with")),
            (ForwardAuth::new("ftp://auth.test/"), Some("must begin with")),
            (ForwardAuth::new("http://user:secret@auth.test/"), Some("must not carry a user name")),
            (at().send(["a b"]), Some("must be the name of a field")),
            (at().send(["X-Forwarded-For"]), Some("the proxy itself sets")),
            (at().send(["X_Forwarded_For"]), Some("the proxy itself sets")),
            (at().send(["host"]), Some("the proxy itself sets")),
            (at().pass_on(["transfer-encoding"]), Some("for the connection")),
            (at().remember_by(["x-api-key"]), Some("add it to send")),
            (at().timeout(Duration::ZERO), Some("could ever be in time")),
            (at().scheme("ftp"), Some("must be \"http\" or \"https\"")),
            (at().pass_through("/"), Some("with a slash at both ends")),
            (at().pass_through("/oauth2"), Some("with a slash at both ends")),
            (at().pass_through("/a/../"), Some("with a slash at both ends")),
            (at().pass_through("/%6f/"), Some("with a slash at both ends")),
        ] {
            let told = service.check(&Transport::shared()).map_err(|why| why.to_string());
            match hint {
                None => assert!(told.is_ok(), "{told:?}"),
                Some(hint) => {
                    let why = told.expect_err(hint);
                    assert!(why.contains(hint) && !why.contains("secret"), "{why}");
                }
            }
        }
    }
}
