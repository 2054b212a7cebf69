//! What a log-in service is told of a request. Pure.

use hmac::{Hmac, KeyInit, Mac};
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Uri,
    header::{CONTENT_LENGTH, EXPECT, FORWARDED, HOST},
    uri::Scheme,
};
use sha2::Sha256;

use super::DecidesBy;
use crate::{access::ClientAddress, origin::is_of_connection};

/// Which parts of a request a service is sent, and which of them make two requests unequal.
#[derive(Debug)]
pub(super) struct Fields {
    pub(super) send: Vec<HeaderName>,
    /// Invariant: all of them are sent.
    pub(super) remember_by: Vec<HeaderName>,
    pub(super) decides_by: DecidesBy,
    pub(super) scheme: Option<Scheme>,
}

/// What a service decides on: equal for requests on which its verdict is the same. A keyed hash, since fields have secrets.
pub(super) type Digest = [u8; 32];

// === impl Fields ===

impl Fields {
    /// The head of the question about a request.
    pub(super) fn question<B>(&self, request: &Request<B>) -> Request<()> {
        let mut question = Request::new(());
        let headers = question.headers_mut();
        for name in &self.send {
            for value in request.headers().get_all(name) {
                headers.append(name, value.clone());
            }
        }
        headers.extend(forwarded(request, self.scheme.as_ref()));
        question
    }

    /// The digest of a question.
    pub(super) fn digest(&self, question: &HeaderMap, key: &[u8; 32]) -> Digest {
        // Invariant: HMAC takes a key of any length.
        let mut mac = <Hmac<Sha256>>::new_from_slice(key).expect("a key of 32 bytes");
        let of_url: &[HeaderName] = match self.decides_by {
            DecidesBy::Path => &[METHOD, PROTO, FORWARDED_HOST, URI, FOR],
            DecidesBy::Host => &[METHOD, PROTO, FORWARDED_HOST, FOR],
        };
        // With each length in front, no two questions have the same bytes.
        for name in of_url.iter().chain(&self.remember_by) {
            let values = question.get_all(name);
            mac.update(&length(values.iter().count()));
            for value in values {
                mac.update(&length(value.len()));
                mac.update(value.as_bytes());
            }
        }
        mac.finalize().into_bytes().into()
    }
}

fn length(length: usize) -> [u8; 8] {
    u64::try_from(length).unwrap_or(u64::MAX).to_be_bytes()
}

/// The description of a request in fields, as services know it from Traefik, Caddy and nginx.
fn forwarded<B>(request: &Request<B>, scheme: Option<&Scheme>) -> HeaderMap {
    let (uri, method) = (request.uri(), request.method().as_str());
    let scheme = scheme_of(request, scheme);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut headers = client_fields(request, Some(scheme));
    set(&mut headers, METHOD, method);
    set(&mut headers, URI, path);
    set(&mut headers, ORIGINAL_METHOD, method);
    if let Some(host) = host_of(uri, request.headers()) {
        let url = format!("{scheme}://{host}{path}");
        set(&mut headers, ORIGINAL_URL, &url);
        // Where oauth2-proxy sends a browser back to.
        set(&mut headers, REDIRECT, &url);
    }
    headers
}

/// The part of it that says who asks which host.
pub(crate) fn client_fields<B>(request: &Request<B>, scheme: Option<&Scheme>) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(16);
    set(&mut headers, PROTO, scheme_of(request, scheme).as_str());
    if let Some(host) = host_of(request.uri(), request.headers()) {
        set(&mut headers, FORWARDED_HOST, host);
    }
    if let Some(ClientAddress(address)) = request.extensions().get() {
        let address = address.to_canonical().to_string();
        set(&mut headers, FOR, &address);
        set(&mut headers, REAL_IP, &address);
    }
    headers
}

fn scheme_of<'r, B>(request: &'r Request<B>, option: Option<&'r Scheme>) -> &'r Scheme {
    option.or_else(|| request.extensions().get()).or(request.uri().scheme()).unwrap_or(&Scheme::HTTP)
}

/// A value that no field can have is left out.
fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}

/// The authority of a request. Two `Host` lines name none (RFC 9112 §3.2).
fn host_of<'r>(uri: &'r Uri, headers: &'r HeaderMap) -> Option<&'r str> {
    let mut lines = headers.get_all(HOST).iter();
    let (line, None) = (lines.next(), lines.next()) else { return None };
    match uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => line.and_then(|line| line.to_str().ok()),
    }
}

/// Whether a field is the proxy's to set, so that a client's own must not reach a service that trusts it. Many servers take
/// an underscore for a hyphen.
pub(super) fn is_of_proxy(name: &HeaderName) -> bool {
    let plain = name.as_str().replace('_', "-");
    OF_PROXY.iter().any(|begin| plain.starts_with(begin))
        || [FORWARDED, HOST, EXPECT, CONTENT_LENGTH, REAL_IP].iter().any(|other| plain == other.as_str())
        || is_of_connection(name)
}

const OF_PROXY: [&str; 3] = ["x-forwarded-", "x-original-", "x-auth-request-"];

const METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const URI: HeaderName = HeaderName::from_static("x-forwarded-uri");
const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const ORIGINAL_URL: HeaderName = HeaderName::from_static("x-original-url");
const ORIGINAL_METHOD: HeaderName = HeaderName::from_static("x-original-method");
const REDIRECT: HeaderName = HeaderName::from_static("x-auth-request-redirect");

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;

    fn fields(send: &[&'static str], by: &[&'static str], decides_by: DecidesBy) -> Fields {
        let names = |names: &[&'static str]| names.iter().map(|n| HeaderName::from_static(n)).collect();
        Fields { send: names(send), remember_by: names(by), decides_by, scheme: None }
    }

    fn request(method: &str, uri: &str, fields: &[(&str, &str)]) -> Request<()> {
        let request = Request::builder().method(method).uri(uri);
        fields.iter().fold(request, |request, (name, value)| request.header(*name, *value)).body(()).unwrap()
    }

    #[test]
    fn a_question_describes_the_request_and_has_nothing_of_the_clients_that_is_not_listed() {
        let mut asked = request(
            "PUT",
            "/media/a%20b?x=1",
            &[
                ("host", "media.test:8443"),
                ("cookie", "session=1"),
                ("cookie", "other=2"),
                ("authorization", "Bearer t"),
                ("x-forwarded-for", "10.0.0.1"),
                ("x-forwarded-host", "evil.test"),
                ("x-auth-request-user", "root"),
                ("remote-user", "root"),
                ("content-length", "7"),
            ],
        );
        asked.extensions_mut().insert(ClientAddress("::ffff:192.0.2.7".parse().unwrap()));
        asked.extensions_mut().insert(Scheme::HTTPS);
        let question = fields(&["cookie"], &["cookie"], DecidesBy::Path).question(&asked);
        let mut told: Vec<_> =
            question.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        told.sort_unstable();
        let url = "https://media.test:8443/media/a%20b?x=1";
        assert_eq!(
            told,
            [
                ("cookie", "other=2"),
                ("cookie", "session=1"),
                ("x-auth-request-redirect", url),
                ("x-forwarded-for", "192.0.2.7"),
                ("x-forwarded-host", "media.test:8443"),
                ("x-forwarded-method", "PUT"),
                ("x-forwarded-proto", "https"),
                ("x-forwarded-uri", "/media/a%20b?x=1"),
                ("x-original-method", "PUT"),
                ("x-original-url", url),
                ("x-real-ip", "192.0.2.7"),
            ]
        );
        assert_eq!((question.method(), question.uri().path()), (&Method::GET, "/"));
    }

    #[test]
    fn the_scheme_is_that_of_the_option_then_of_the_connection_then_of_the_uri() {
        for (option, extension, uri, expected) in [
            (Some(Scheme::HTTPS), Some(Scheme::HTTP), "http://a.test/", "https"),
            (None, Some(Scheme::HTTPS), "http://a.test/", "https"),
            (None, None, "https://a.test/", "https"),
            (None, None, "/", "http"),
        ] {
            let mut asked = request("GET", uri, &[("host", "a.test")]);
            if let Some(scheme) = extension {
                asked.extensions_mut().insert(scheme);
            }
            assert_eq!(forwarded(&asked, option.as_ref())[PROTO], expected, "{uri}");
        }
    }

    #[test]
    fn requests_are_equal_as_far_as_the_service_looks() {
        let base: (&str, &str, &[(&str, &str)]) = ("GET", "/a", &[("host", "a.test"), ("cookie", "s=1")]);
        for (other, by_path, by_host) in [
            (base, true, true),
            (("GET", "/b", base.2), false, true),
            (("GET", "/a?x", base.2), false, true),
            (("PUT", "/a", base.2), false, false),
            (("GET", "/a", &[("host", "b.test"), ("cookie", "s=1")][..]), false, false),
            (("GET", "/a", &[("host", "a.test"), ("cookie", "s=2")]), false, false),
            (("GET", "/a", &[("host", "a.test")]), false, false),
            (("GET", "/a", &[("host", "a.test"), ("cookie", "s="), ("cookie", "1")]), false, false),
            // Sent, but not decided by.
            (("GET", "/a", &[("host", "a.test"), ("cookie", "s=1"), ("accept", "*/*")]), true, true),
        ] {
            for (decides_by, equal) in [(DecidesBy::Path, by_path), (DecidesBy::Host, by_host)] {
                let fields = fields(&["cookie", "accept"], &["cookie"], decides_by);
                let digest = |(method, uri, lines)| {
                    fields.digest(fields.question(&request(method, uri, lines)).headers(), &[7; 32])
                };
                assert_eq!(digest(base) == digest(other), equal, "{other:?} {decides_by:?}");
                assert_ne!(
                    digest(base),
                    fields.digest(fields.question(&request(base.0, base.1, base.2)).headers(), &[8; 32])
                );
            }
        }
        let fields = fields(&["cookie"], &["cookie"], DecidesBy::Host);
        let from = |address: &str| {
            let mut asked = request(base.0, base.1, base.2);
            asked.extensions_mut().insert(ClientAddress(address.parse().unwrap()));
            fields.digest(fields.question(&asked).headers(), &[7; 32])
        };
        assert_ne!(from("192.0.2.1"), from("192.0.2.2"), "a service can decide by networks");
    }

    #[test]
    fn two_host_lines_name_no_host() {
        let asked = request("GET", "/a", &[("host", "a.test"), ("host", "b.test")]);
        assert!(!forwarded(&asked, None).contains_key(FORWARDED_HOST));
    }
}
