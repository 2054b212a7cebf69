mod claimed;
mod guarded;
mod links;
#[cfg(feature = "listing")]
mod listing;
mod naming;
mod pass_through;
mod presigned;
mod readiness;
#[cfg(feature = "metrics")]
mod report;
mod site;
mod writes;
#[cfg(feature = "s3-clients")]
mod s3_clients;

use http::{Request, Response};

#[cfg(feature = "listing")]
pub(crate) use self::listing::Browse;
#[cfg(feature = "s3-clients")]
use self::s3_clients::S3Clients;
use self::{claimed::Claimed, readiness::Readiness};
pub(crate) use self::{
    guarded::{GuardFuture, Guarded},
    links::LinkFetch,
    pass_through::PassThrough,
    site::Visit,
};
#[cfg(feature = "s3-clients")]
use crate::s3_api::ApiCall;
use crate::{
    body::{ObjectBody, SendBuffer},
    cache::Invalidation,
    config::{Mount, S3ProxyConfig},
    error::{ProxyError, ProxyErrorKind},
    fetch::Fetch,
    meter::Begun,
    relay::Relay,
    write::Write,
};
#[cfg(feature = "explain")]
use crate::{
    fetch::Bucket,
    object::{BucketName, Edition, ObjectKey},
};

/// The state that the services of a layer share.
#[derive(Debug)]
pub(crate) struct Proxy {
    mounts: Vec<Mount>,
    readiness: Readiness,
    send_buffer: Option<SendBuffer>,
    /// Of the mounts whose log-in service has paths of its own.
    pass_throughs: Vec<Mount>,
    wants_client_address: bool,
    #[cfg(feature = "s3-clients")]
    s3_clients: S3Clients,
}

/// The outcome of a request, as far as it is known without waiting.
pub(crate) enum Admission {
    NotOurs,
    /// For the inner service, whose response may invalidate what the cache has of the object.
    Changing(Box<Invalidation>),
    Answered(Response<ObjectBody>),
    /// The guard of the mount is asked; with a pass, the request is admitted again.
    Guarded(Box<Guarded>),
    /// With the request itself.
    PassThrough(Box<PassThrough>),
    Fetch(Fetch),
    FetchOrInner(Fetch),
    /// With the request's body.
    Relay(Box<Relay>),
    Link(Box<LinkFetch>),
    Visit(Visit),
    VisitOrInner(Visit),
    #[cfg(feature = "listing")]
    Browse(Box<Browse>),
    #[cfg(feature = "listing")]
    BrowseOrInner(Box<Browse>),
    /// With the request's body.
    Write(Box<Write>),
    /// With the request itself.
    #[cfg(feature = "s3-clients")]
    S3Client(Box<ApiCall>),
}

/// Whether the guard of a mount was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Unasked,
    Passed,
}

/// The outcome of a request, and its meter.
pub(crate) struct Admitted {
    pub(crate) admission: Admission,
    pub(crate) begun: Begun,
}

/// The bucket, unless a function names it, and the object of a path.
#[cfg(feature = "explain")]
pub(crate) type NamedObject = (Option<BucketName>, ObjectKey, Edition);

// === impl Proxy ===

impl Proxy {
    pub(crate) fn new(config: S3ProxyConfig) -> Self {
        let S3ProxyConfig { mounts, send_buffer, .. } = config;
        Self {
            #[cfg(feature = "s3-clients")]
            s3_clients: S3Clients::of(&mounts),
            pass_throughs: pass_through::of(&mounts),
            wants_client_address: mounts.iter().any(Mount::wants_client_address),
            mounts,
            readiness: Readiness::default(),
            send_buffer,
        }
    }

    pub(crate) fn mounts(&self) -> &[Mount] {
        &self.mounts
    }

    /// What an explanation of a request is made of, besides its answer.
    #[cfg(feature = "explain")]
    pub(crate) fn told_of<B>(&self, request: &Request<B>) -> (Option<Mount>, Option<NamedObject>) {
        let Some(claimed) = self.claim(request) else { return (None, None) };
        let named = claimed.name(request).ok().map(|named| {
            let bucket = match named.bucket {
                Bucket::Named(name) => Some(name),
                Bucket::Asked(..) => None,
            };
            (bucket, named.key, named.edition)
        });
        (Some(claimed.mount.clone()), named)
    }

    /// Decides at once whether the request is ours, and which object it names.
    pub(crate) fn admit<B>(&self, request: &Request<B>, stage: Stage) -> Admitted {
        let claimed = self.claim(request);
        let begun = claimed.as_ref().map(|claimed| claimed.mount.0.origin.meter().begin(request.method()));
        let begun = begun.unwrap_or_default();
        if let Some(pass) = self.pass_through(request) {
            return Admitted { admission: Admission::PassThrough(pass), begun };
        }
        #[cfg(feature = "s3-clients")]
        if let Some(admission) = self.s3_client(request) {
            return Admitted { admission, begun };
        }
        let admission = claimed
            .map_or(Admission::NotOurs, |claimed| claimed.admit(request, stage, self.send_buffer.as_ref()));
        Admitted { admission, begun }
    }

    /// The mount that claims the request.
    fn claim<'r, B>(&self, request: &'r Request<B>) -> Option<Claimed<'_, 'r>> {
        let path = request.uri().path();
        self.mounts.iter().find_map(|mount| {
            let rest = mount.0.path.strip(path)?;
            let is_for_host =
                mount.0.host.as_ref().is_none_or(|host| host.is_target_of(request.uri(), request.headers()));
            is_for_host.then(|| match &mount.0.own_links {
                None => Claimed { mount, rest },
                Some(linked) => Claimed { mount, rest }.by_link(&linked.mount, path),
            })
        })
    }

    /// Whether a mount wants to know where a client is.
    pub(crate) fn wants_client_address(&self) -> bool {
        self.wants_client_address
    }

    /// Whether requests can be served, as [`Readiness`] knows it.
    pub(crate) async fn ready(&self) -> Result<(), ProxyError> {
        self.readiness.ask(&self.mounts).await
    }
}

/// Whether a response says that there is no such object. A denial with 404 does not: it is final.
pub(crate) fn is_missing<B>(response: &Response<B>) -> bool {
    let error = response.extensions().get::<ProxyError>();
    error.is_some_and(|error| error.kind() == ProxyErrorKind::NotFound)
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use crate::{
        access::{Access, Authorizer, CredentialSelector, Denial},
        cache::Cache,
        config::MountBuilder,
        object::BucketName,
        response::{Cors, Fallback},
    };

    fn mount(path: &str) -> MountBuilder {
        Mount::builder(BucketName::parse("studio-media").unwrap())
            .at(path)
            .region("us-west-2")
            .endpoint_url("http://127.0.0.1:1")
            .anonymous()
    }

    fn proxy(mounts: impl IntoIterator<Item = MountBuilder>) -> Proxy {
        let mounts = mounts.into_iter().map(|mount| mount.build().unwrap());
        Proxy::new(S3ProxyConfig::new(mounts).unwrap())
    }

    fn request(method: &str, uri: &str, fields: &[(&'static str, &'static str)]) -> Request<()> {
        let request = Request::builder().method(method).uri(uri);
        fields.iter().fold(request, |request, (name, value)| request.header(*name, *value)).body(()).unwrap()
    }

    /// The outcome of a request, in words.
    fn told(proxy: &Proxy, request: &Request<()>) -> String {
        match proxy.admit(request, Stage::Unasked).admission {
            Admission::NotOurs => "inner".to_owned(),
            Admission::Guarded(_) => "guarded".to_owned(),
            Admission::PassThrough(_) => "passed through".to_owned(),
            Admission::Changing(_) => "inner, changing".to_owned(),
            Admission::Answered(response) => response.status().as_u16().to_string(),
            Admission::Fetch(fetch) => format!("fetch {}", fetch.key.as_str()),
            Admission::FetchOrInner(fetch) => format!("fetch {} or inner", fetch.key.as_str()),
            Admission::Relay(relay) => format!("relay {}", relay.link.key.as_str()),
            Admission::Link(_) => "link".to_owned(),
            Admission::Visit(_) => "visit".to_owned(),
            Admission::VisitOrInner(_) => "visit or inner".to_owned(),
            #[cfg(feature = "listing")]
            Admission::Browse(_) => "browse".to_owned(),
            #[cfg(feature = "listing")]
            Admission::BrowseOrInner(_) => "browse or inner".to_owned(),
            Admission::Write(write) => format!("write {}", write.key.as_str()),
            #[cfg(feature = "s3-clients")]
            Admission::S3Client(call) => format!("S3 client {}", call.scope.key.access_key()),
        }
    }

    #[test]
    fn a_request_is_admitted_by_method_path_and_query() {
        let alone = proxy([mount("/media").cors(Cors::origins(["https://app.test"]))]);
        let with_inner = proxy([mount("/media").fallback(Fallback::Inner)]);
        let cache = Cache::builder(1 << 20).build().unwrap();
        let cached = proxy([mount("/media").fallback(Fallback::Inner).cache(&cache)]);
        let preflight = [("origin", "https://app.test"), ("access-control-request-method", "GET")];
        let own_key = [("x-amz-server-side-encryption-customer-key", "x")];
        for (method, uri, fields, expected) in [
            ("GET", "/media/a", &[][..], ["fetch a", "fetch a or inner", "fetch a or inner"]),
            ("HEAD", "/media/a%20b", &[], ["fetch a b", "fetch a b or inner", "fetch a b or inner"]),
            ("GET", "/other", &[], ["inner"; 3]),
            ("GET", "/mediax", &[], ["inner"; 3]),
            // Paths that cannot name a key.
            ("GET", "/media/", &[], ["404", "inner", "inner"]),
            ("GET", "/media/../a", &[], ["404", "inner", "inner"]),
            // A parameter that would change S3's response.
            ("GET", "/media/a?partNumber=1", &[], ["400", "inner", "inner"]),
            ("GET", "/media/a", &own_key, ["400", "inner", "inner"]),
            // Methods that do not read.
            ("OPTIONS", "/media/a", &[], ["204", "inner", "inner"]),
            ("OPTIONS", "/media/a", &preflight, ["204", "inner", "inner"]),
            ("PUT", "/media/a", &[], ["405", "inner", "inner, changing"]),
            ("PROPFIND", "/media/a", &[], ["405", "inner", "inner, changing"]),
            ("DELETE", "/media/", &[], ["405", "inner", "inner"]),
        ] {
            let request = request(method, uri, fields);
            for (proxy, expected) in [&alone, &with_inner, &cached].into_iter().zip(expected) {
                assert_eq!(told(proxy, &request), expected, "{method} {uri} {fields:?}");
            }
        }
        let allowed = alone.admit(&request(Method::PUT.as_str(), "/media/a", &[]), Stage::Unasked).admission;
        let Admission::Answered(response) = allowed else { panic!("it is answered") };
        assert_eq!(response.headers()["allow"], "GET, HEAD, OPTIONS");
    }

    #[test]
    fn the_most_specific_mount_claims_a_request() {
        let proxy = proxy([
            mount("/").prefix("all"),
            mount("/media").prefix("media"),
            mount("/").host("cdn.test").prefix("cdn"),
        ]);
        for (uri, host, expected) in [
            ("/a", "www.test", "fetch all/a"),
            ("/media/a", "www.test", "fetch media/a"),
            ("/media/a", "cdn.test", "fetch cdn/media/a"),
            ("http://cdn.test/a", "www.test", "fetch cdn/a"),
        ] {
            let mut request = request("GET", uri, &[]);
            request.headers_mut().insert("host", host.parse().unwrap());
            assert_eq!(told(&proxy, &request), expected, "{uri} {host}");
        }
    }

    #[test]
    fn a_selector_is_asked_at_once_and_an_authorizer_before_s3() {
        let deny = || CredentialSelector::new(|_| Access::Deny(Denial::not_found()));
        let allow = || Authorizer::new(|_| async { Ok(Access::Allow) });
        for (fallback, expected) in [(Fallback::None, "fetch a"), (Fallback::Inner, "fetch a or inner")] {
            let denied = proxy([mount("/").fallback(fallback).select_credentials(deny())]);
            assert_eq!(told(&denied, &request("GET", "/a", &[])), "404", "{fallback:?}");
            let gated = proxy([mount("/").fallback(fallback).authorize(allow())]);
            assert_eq!(told(&gated, &request("GET", "/a", &[])), expected);
        }
    }

    #[test]
    fn only_what_s3_lacks_is_missing() {
        let response = |kind| {
            let mut response = Response::new(());
            response.extensions_mut().insert(ProxyError::new(kind));
            response
        };
        assert!(is_missing(&response(ProxyErrorKind::NotFound)));
        assert!(!is_missing(&response(ProxyErrorKind::Denied)));
        assert!(!is_missing(&response(ProxyErrorKind::OriginBusy)));
        assert!(!is_missing(&Response::new(())), "the inner service's own");
    }
}
