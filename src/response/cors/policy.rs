use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
        ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
        ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
    },
};

use super::{ANY_HEADER, Cors, CredentialsMode, origins::AllowedOrigins};
use crate::{
    request::Methods,
    response::{
        list::{joined, members},
        vary::vary_by,
    },
};

/// The policy of a mount, with its field values ready to send.
#[derive(Debug, Clone)]
pub(crate) struct CorsPolicy {
    origins: AllowedOrigins,
    methods: Vec<Method>,
    headers: AllowedHeaders,
    credentials: CredentialsMode,
    allow_methods: HeaderValue,
    expose_headers: Option<HeaderValue>,
    max_age: HeaderValue,
    /// The configuration that it was made from.
    #[cfg(feature = "policies")]
    told: Cors,
}

#[derive(Debug, Clone)]
enum AllowedHeaders {
    /// Any that a preflight asks for.
    Any,
    Listed {
        names: Vec<HeaderName>,
        value: Option<HeaderValue>,
    },
}

/// The CORS fields that a response will have, as decided from the request.
#[derive(Debug, Clone)]
#[must_use = "a response of a mount with CORS varies by origin, allowed or not"]
pub(crate) struct CorsGrant(Option<Allowed>);

#[derive(Debug, Clone)]
struct Allowed {
    origin: HeaderValue,
    credentials: CredentialsMode,
    expose_headers: Option<HeaderValue>,
}

/// An invalid CORS configuration; the message says what is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum InvalidCors {
    Value(String),
    Contradiction(String),
}

// === impl CorsPolicy ===

impl CorsPolicy {
    /// `answered`: the methods of the mount.
    pub(crate) fn new(cors: &Cors, answered: Methods) -> Result<Self, InvalidCors> {
        let origins = AllowedOrigins::parse(&cors.origins)?;
        let exposed = header_names(&cors.exposed)?;
        if cors.credentials == CredentialsMode::Allowed {
            if matches!(origins, AllowedOrigins::Any) {
                return contradiction(
                    "any origin and credentials contradict each other: list the origins that may send credentials, or leave out credentials",
                );
            }
            if origins.has_opaque() {
                return contradiction(
                    "the origin \"null\" and credentials contradict each other: every page can have that origin; leave out one of them",
                );
            }
            if exposed.iter().any(|name| name == ANY_HEADER) {
                return contradiction(
                    "exposing \"*\" and credentials contradict each other: browsers take it for a field name; list the names",
                );
            }
        }
        let methods = methods(&cors.methods, answered)?;
        let allow_methods = joined(methods.iter().map(|method| method.as_str().as_bytes()));
        Ok(Self {
            origins,
            allow_methods: allow_methods.expect("there is a method"),
            methods,
            headers: AllowedHeaders::parse(&cors.headers)?,
            credentials: cors.credentials,
            expose_headers: joined_names(&exposed),
            max_age: HeaderValue::from(cors.max_age.as_secs()),
            #[cfg(feature = "policies")]
            told: cors.clone(),
        })
    }

    /// The configuration as given.
    #[cfg(feature = "policies")]
    pub(crate) fn told(&self) -> &Cors {
        &self.told
    }

    /// The fields of the response to a preflight: an OPTIONS with `Origin` and `Access-Control-Request-Method` (Fetch,
    /// "CORS-preflight request"). `None` for any other request.
    ///
    /// A denial is the absence of a field: a browser needs each permission spelled out.
    pub(crate) fn preflight(&self, headers: &HeaderMap) -> Option<HeaderMap> {
        if !headers.contains_key(ORIGIN) || !headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
            return None;
        }
        let mut answer = HeaderMap::with_capacity(8);
        answer.insert(VARY, PREFLIGHT_VARY);
        if let Some(origin) = self.allowed_origin(headers)
            && self.allows_method(headers)
            && self.headers.allow(headers)
        {
            answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            if self.credentials == CredentialsMode::Allowed {
                answer.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE);
            }
            answer.insert(ACCESS_CONTROL_ALLOW_METHODS, self.allow_methods.clone());
            self.headers.tell(headers, &mut answer);
            answer.insert(ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
        }
        Some(answer)
    }

    /// The grant for a request with these fields.
    pub(crate) fn grant(&self, headers: &HeaderMap) -> CorsGrant {
        CorsGrant(self.allowed_origin(headers).map(|origin| Allowed {
            origin,
            credentials: self.credentials,
            expose_headers: self.expose_headers.clone(),
        }))
    }

    /// The value of `Access-Control-Allow-Origin`. `*` also goes to requests without an origin, since a cache that
    /// ignores `Vary` may keep the response.
    fn allowed_origin(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let mut lines = headers.get_all(ORIGIN).iter();
        match (&self.origins, lines.next(), lines.next()) {
            // No browser sends two, so they cannot be trusted.
            (_, _, Some(_)) => None,
            (AllowedOrigins::Any, _, None) => Some(ANY_ORIGIN),
            (AllowedOrigins::Listed(list), Some(origin), None) => {
                list.contains(origin).then(|| origin.clone())
            }
            (AllowedOrigins::Listed(_), None, None) => None,
        }
    }

    /// Whether the one method that a preflight asks for is allowed. Methods are case-sensitive (RFC 9110 §9.1).
    fn allows_method(&self, headers: &HeaderMap) -> bool {
        let mut lines = headers.get_all(ACCESS_CONTROL_REQUEST_METHOD).iter();
        match (lines.next(), lines.next()) {
            (Some(asked), None) => self.methods.iter().any(|method| asked == method.as_str()),
            _ => false,
        }
    }
}

fn contradiction<T>(message: &str) -> Result<T, InvalidCors> {
    Err(InvalidCors::Contradiction(message.to_owned()))
}

fn methods(names: &[String], answered: Methods) -> Result<Vec<Method>, InvalidCors> {
    if names.is_empty() {
        return Err(InvalidCors::Value(
            "no method is allowed: leave the methods out for GET and HEAD".to_owned(),
        ));
    }
    let method = |name: &String| match Method::from_bytes(name.as_bytes()) {
        Ok(method) if answered.contain(&method) => Ok(method),
        _ => {
            let allow = answered.allow();
            let hint = match answered.write() {
                false => ", as long as nobody may write (`writes`, `presigned`)",
                true => "",
            };
            Err(InvalidCors::Value(format!("the method {name:?}: the mount answers only {allow:?}{hint}")))
        }
    };
    names.iter().map(method).collect()
}

/// The names, each once.
fn header_names(texts: &[String]) -> Result<Vec<HeaderName>, InvalidCors> {
    let mut names = Vec::with_capacity(texts.len());
    for text in texts {
        let name = HeaderName::try_from(text)
            .map_err(|_| InvalidCors::Value(format!("the header {text:?}: must be a field name")))?;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

fn joined_names(names: &[HeaderName]) -> Option<HeaderValue> {
    joined(names.iter().map(|name| name.as_str().as_bytes()))
}

const ANY_ORIGIN: HeaderValue = HeaderValue::from_static("*");
const TRUE: HeaderValue = HeaderValue::from_static("true");
const PREFLIGHT_VARY: HeaderValue =
    HeaderValue::from_static("Origin, Access-Control-Request-Method, Access-Control-Request-Headers");

// === impl AllowedHeaders ===

impl AllowedHeaders {
    fn parse(texts: &[String]) -> Result<Self, InvalidCors> {
        let names = header_names(texts)?;
        if names.iter().any(|name| name == ANY_HEADER) {
            return Ok(Self::Any);
        }
        let value = joined_names(&names);
        Ok(Self::Listed { names, value })
    }

    /// Whether every name that a preflight asks for is allowed.
    fn allow(&self, headers: &HeaderMap) -> bool {
        let mut asked = headers.get_all(ACCESS_CONTROL_REQUEST_HEADERS).iter().flat_map(members);
        asked.all(|asked| match self {
            Self::Any => HeaderName::from_bytes(asked).is_ok(),
            Self::Listed { names, .. } => {
                names.iter().any(|name| name.as_str().as_bytes().eq_ignore_ascii_case(asked))
            }
        })
    }

    /// Adds the names to the response. Never `*`, which with credentials is a mere name, and never covers
    /// `authorization` (Fetch, "CORS-preflight fetch").
    fn tell(&self, headers: &HeaderMap, answer: &mut HeaderMap) {
        match self {
            Self::Any => {
                for line in headers.get_all(ACCESS_CONTROL_REQUEST_HEADERS) {
                    answer.append(ACCESS_CONTROL_ALLOW_HEADERS, line.clone());
                }
            }
            Self::Listed { value: Some(value), .. } => {
                answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, value.clone());
            }
            Self::Listed { value: None, .. } => {}
        }
    }
}

// === impl CorsGrant ===

impl CorsGrant {
    /// Adds to a response what is granted, and that it varies by origin.
    pub(crate) fn apply(self, headers: &mut HeaderMap) {
        vary_by(headers, &["Origin"], VARY_ORIGIN);
        let Self(Some(allowed)) = self else { return };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed.origin);
        if allowed.credentials == CredentialsMode::Allowed {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE);
        }
        if let Some(names) = allowed.expose_headers {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, names);
        }
    }
}

const VARY_ORIGIN: HeaderValue = HeaderValue::from_static("Origin");
