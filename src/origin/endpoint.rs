use std::{
    fmt,
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

use arc_swap::ArcSwapOption;
use aws_sdk_s3::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use aws_smithy_runtime_api::box_error::BoxError;
use http::{HeaderName, HeaderValue, Uri, uri::Scheme};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    EndpointUrl,
    sigv4::{SigningKey, SigningScope},
};
use crate::{
    object::{BucketName, ObjectKey, VersionId},
    terms::Arn,
};

/// How a bucket becomes a URL: the inputs of the SDK's endpoint rules.
#[derive(Debug, Clone, Default)]
pub(crate) struct Addressing {
    pub(crate) region: String,
    pub(crate) endpoint_url: Option<EndpointUrl>,
    pub(crate) path_style: bool,
    pub(crate) fips: bool,
    pub(crate) dual_stack: bool,
    pub(crate) accelerate: bool,
}

/// The endpoint of one bucket, resolved once: a URL that lacks only the key.
pub(crate) struct Endpoint {
    pub(crate) scheme: Scheme,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The value of `Host`, which the signature covers: without a default port.
    pub(crate) host_header: HeaderValue,
    pub(crate) scope: SigningScope,
    pub(crate) auth: AuthScheme,
    /// Empty, or the path before every key, without a trailing slash.
    pub(super) base_path: String,
    /// The day's key for `scope`; replaced when the day or the credentials change.
    pub(crate) signing_key: ArcSwapOption<SigningKey>,
}

/// Refuses some names for which the rules would find an endpoint, or have a worse message.
fn check_kind(bucket: &BucketName) -> Result<(), EndpointError> {
    let name = bucket.as_str();
    // S3 user guide, "Bucket naming rules": no bucket name ends like the alias of a multi-region access point.
    if name.ends_with(".mrap") {
        return Err(EndpointError(
            "a multi-region access point accepts no SigV4 signatures for one region (it needs SigV4A), and is not supported: \
             name the access point or the bucket of one of its regions"
                .to_owned(),
        ));
    }
    match Arn::parse(name) {
        Some(Arn { service: "s3", region: "", account: "", resource, .. }) => {
            Err(EndpointError(format!("this is the ARN of a bucket: give its name, {resource}")))
        }
        Some(Arn { service: "s3" | "s3-outposts" | "s3-object-lambda" | "s3express", .. }) => Ok(()),
        None if !name.starts_with("arn:") => Ok(()),
        Some(_) | None => Err(EndpointError(
            "not the ARN of an access point: arn:aws:s3:REGION:ACCOUNT:accesspoint/NAME".to_owned(),
        )),
    }
}

/// How requests for a bucket are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuthScheme {
    /// With the mount's credentials.
    Credentials,
    /// With those of a session with the bucket, for a directory bucket or an access point of one ([S3 API,
    /// CreateSession](https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateSession.html)).
    Session,
}

/// A bucket that the endpoint rules refuse, with their message.
#[derive(Debug)]
pub(crate) struct EndpointError(String);

/// Everything but RFC 3986's unreserved characters and the slash is encoded, in upper case: the signed path and the
/// path on the wire are the same bytes, and no server in between has a reason to change them.
const KEY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');
pub(super) const QUERY: &AsciiSet = &KEY.add(b'/');

// === impl Addressing ===

impl Addressing {
    /// Resolves the bucket's endpoint by the SDK's endpoint rules.
    pub(crate) fn resolve(&self, bucket: &BucketName) -> Result<Endpoint, EndpointError> {
        check_kind(bucket)?;
        if bucket.is_of_tenant() && self.endpoint_url.is_none() {
            let message = "AWS has no tenants: a bucket TENANT:NAME is for Ceph, with the URL of its server (endpoint_url)";
            return Err(EndpointError(message.to_owned()));
        }
        let params = Params::builder()
            .bucket(bucket.as_str())
            .region(self.region.clone())
            .set_endpoint(self.endpoint_url.as_ref().map(EndpointUrl::with_final_slash))
            .force_path_style(self.path_style)
            .use_fips(self.fips)
            .use_dual_stack(self.dual_stack)
            .accelerate(self.accelerate)
            .build()
            .map_err(EndpointError::new)?;
        let resolved = now(DefaultResolver::new().resolve_endpoint(&params))?.map_err(EndpointError::new)?;
        let schemes = resolved.auth_schemes();
        let known = schemes.iter().find_map(|scheme| Some((scheme, AuthScheme::named(scheme.name())?)));
        let (scheme, auth) = known.ok_or_else(|| {
            let names: Vec<_> = schemes.iter().map(|scheme| scheme.name()).collect();
            EndpointError(format!(
                "this kind of bucket needs the authentication scheme {}, which is not supported",
                names.join(" or ")
            ))
        })?;
        let text = |name| scheme.get(name).and_then(|value| value.as_string());
        Endpoint::new(
            resolved.url(),
            SigningScope::new(
                text("signingRegion").unwrap_or(&self.region),
                text("signingName").unwrap_or("s3"),
            ),
            auth,
        )
    }
}

// === impl AuthScheme ===

impl AuthScheme {
    fn named(name: &str) -> Option<Self> {
        match name {
            "sigv4" => Some(Self::Credentials),
            "sigv4-s3express" => Some(Self::Session),
            _ => None,
        }
    }

    /// The field for the credentials' session token.
    pub(super) fn token_field(self) -> HeaderName {
        match self {
            Self::Credentials => const { HeaderName::from_static("x-amz-security-token") },
            Self::Session => const { HeaderName::from_static("x-amz-s3session-token") },
        }
    }

    /// The same as a parameter of a presigned URL.
    pub(super) fn token_parameter(self) -> &'static str {
        match self {
            Self::Credentials => "X-Amz-Security-Token",
            Self::Session => "X-Amz-S3session-Token",
        }
    }
}

/// The output of a future that is ready at once, as the SDK's own resolver's is.
fn now<T>(future: impl Future<Output = T>) -> Result<T, EndpointError> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Ok(output),
        Poll::Pending => Err(EndpointError("the endpoint rules did not return at once".to_owned())),
    }
}

// === impl Endpoint ===

impl Endpoint {
    fn new(url: &str, scope: SigningScope, auth: AuthScheme) -> Result<Self, EndpointError> {
        let uri: Uri = url.parse().map_err(EndpointError::new)?;
        let parts = uri.scheme().cloned().zip(uri.authority().cloned());
        let (scheme, authority) =
            parts.ok_or_else(|| EndpointError(format!("{url} is not an absolute URL")))?;
        let default_port = if scheme == Scheme::HTTPS { 443 } else { 80 };
        let host = authority.host().to_owned();
        let port = authority.port_u16().unwrap_or(default_port);
        let host_header = if port == default_port { host.clone() } else { format!("{host}:{port}") };
        Ok(Self {
            scheme,
            port,
            host_header: HeaderValue::try_from(host_header).map_err(EndpointError::new)?,
            host,
            scope,
            auth,
            base_path: uri.path().trim_end_matches('/').to_owned(),
            signing_key: ArcSwapOption::empty(),
        })
    }

    /// The path and query of an object, on the wire and in the signature alike.
    pub(crate) fn path_and_query(&self, key: &ObjectKey, version: Option<&VersionId>) -> String {
        // Most keys need no encoding; one that does grows the buffer once.
        let mut path = String::with_capacity(self.base_path.len() + 1 + key.as_str().len());
        path.push_str(&self.base_path);
        path.push('/');
        path.extend(utf8_percent_encode(key.as_str(), KEY));
        if let Some(version) = version {
            path.push_str("?versionId=");
            path.extend(utf8_percent_encode(version.as_str(), QUERY));
        }
        path
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}{}", self.scheme, self.host, self.port, self.base_path)
    }
}

// === impl EndpointError ===

impl EndpointError {
    fn new(error: impl Into<BoxError>) -> Self {
        Self(error.into().to_string())
    }
}

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for EndpointError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(bucket: &str, change: impl FnOnce(&mut Addressing)) -> Result<(String, String), String> {
        let mut addressing = Addressing { region: "us-west-2".to_owned(), ..Addressing::default() };
        change(&mut addressing);
        let endpoint =
            addressing.resolve(&BucketName::parse(bucket).unwrap()).map_err(|error| error.to_string())?;
        let key = ObjectKey::new("a b//ü+/~x").unwrap();
        let host = endpoint.host_header.to_str().unwrap();
        let url = format!("{}://{host}{}", endpoint.scheme, endpoint.path_and_query(&key, None));
        Ok((url, endpoint.scope.region().to_owned()))
    }

    fn url(text: &str) -> EndpointUrl {
        EndpointUrl::parse("the endpoint URL", text).unwrap()
    }

    const KEY_PATH: &str = "/a%20b//%C3%BC%2B/~x";

    #[test]
    fn the_sdks_rules_place_every_kind_of_bucket() {
        let minio = |a: &mut Addressing| a.endpoint_url = Some(url("http://minio.local:9000"));
        type Row = (&'static str, fn(&mut Addressing), &'static str);
        let rows: [Row; 10] = [
            ("media", |_| {}, "https://media.s3.us-west-2.amazonaws.com"),
            ("my.media", |_| {}, "https://s3.us-west-2.amazonaws.com/my.media"),
            ("media", |a| a.path_style = true, "https://s3.us-west-2.amazonaws.com/media"),
            ("media", |a| a.fips = true, "https://media.s3-fips.us-west-2.amazonaws.com"),
            ("media", |a| a.dual_stack = true, "https://media.s3.dualstack.us-west-2.amazonaws.com"),
            ("media", |a| a.accelerate = true, "https://media.s3-accelerate.amazonaws.com"),
            ("media", minio, "http://media.minio.local:9000"),
            // Of a tenant of Ceph.
            ("studio:media", minio, "http://minio.local:9000/studio%3Amedia"),
            (":media", minio, "http://minio.local:9000/%3Amedia"),
            (
                "arn:aws:s3:us-west-2:123456789012:accesspoint:media",
                |_| {},
                "https://media-123456789012.s3-accesspoint.us-west-2.amazonaws.com",
            ),
        ];
        for (bucket, change, base) in rows {
            let (url, region) = resolve(bucket, change).unwrap();
            assert_eq!(url, format!("{base}{KEY_PATH}"), "{bucket}");
            assert_eq!(region, "us-west-2");
        }
    }

    #[test]
    fn an_ip_endpoint_and_a_base_path_are_path_style() {
        for (endpoint, base) in [
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000/media"),
            ("http://127.0.0.1:80", "http://127.0.0.1/media"),
            ("https://10.0.0.1:443/s3/", "https://10.0.0.1/s3/media"),
            ("https://10.0.0.1/s3/v1", "https://10.0.0.1/s3/v1/media"),
        ] {
            let (url, _) = resolve("media", |a| a.endpoint_url = Some(url(endpoint))).unwrap();
            assert_eq!(url, format!("{base}{KEY_PATH}"));
        }
    }

    #[test]
    fn what_the_rules_refuse_says_why() {
        let accelerate = |a: &mut Addressing| (a.accelerate, a.fips) = (true, true);
        assert_eq!(resolve("media", accelerate).unwrap_err(), "Accelerate cannot be used with FIPS");
        let why = resolve("studio:media", |_| {}).unwrap_err();
        assert!(why.contains("AWS has no tenants"), "{why}");
        for multi_region in [
            "arn:aws:s3::123456789012:accesspoint:mfzwi23gnjvgw.mrap",
            "arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap",
            "mfzwi23gnjvgw.mrap",
        ] {
            let why = resolve(multi_region, |_| {}).unwrap_err();
            assert!(why.contains("name the access point or the bucket of one of its regions"), "{why}");
        }
        for (other, hint) in [
            ("arn:aws:sqs:us-west-2:123456789012:queue", "not the ARN of an access point"),
            ("arn:media", "not the ARN of an access point"),
            ("arn:aws:s3:::media", "give its name, media"),
            // With the message of the rules.
            ("arn:aws:s3:us-west-2:123456789012:bucket/media", "Unrecognized format"),
            ("arn:aws:s3-outposts:us-west-2:123456789012:outpost/op-0123", "4-component resource"),
            ("arn:aws-cn:s3:cn-north-1:123456789012:accesspoint/media", "has `aws-cn`"),
        ] {
            let why = resolve(other, |_| {}).unwrap_err();
            assert!(why.contains(hint), "{other}: {why}");
        }
    }

    #[test]
    fn every_kind_of_bucket_is_signed_as_it_wants() {
        for (bucket, host, service, auth) in [
            (
                "arn:aws:s3-object-lambda:us-west-2:123456789012:accesspoint/films",
                "films-123456789012.s3-object-lambda.us-west-2.amazonaws.com",
                "s3-object-lambda",
                AuthScheme::Credentials,
            ),
            (
                "arn:aws:s3-outposts:us-west-2:123456789012:outpost/op-01234567890123456/accesspoint/films",
                "films-123456789012.op-01234567890123456.s3-outposts.us-west-2.amazonaws.com",
                "s3-outposts",
                AuthScheme::Credentials,
            ),
            (
                "films--usw2-az1--x-s3",
                "films--usw2-az1--x-s3.s3express-usw2-az1.us-west-2.amazonaws.com",
                "s3express",
                AuthScheme::Session,
            ),
            ("studio-films", "studio-films.s3.us-west-2.amazonaws.com", "s3", AuthScheme::Credentials),
        ] {
            let addressing = Addressing { region: "us-west-2".to_owned(), ..Addressing::default() };
            let endpoint = addressing.resolve(&BucketName::parse(bucket).unwrap()).unwrap();
            assert_eq!(endpoint.host, host);
            assert_eq!((endpoint.scope, endpoint.auth), (SigningScope::new("us-west-2", service), auth));
        }
    }

    #[test]
    fn a_version_is_encoded_strictly() {
        let endpoint = Endpoint::new(
            "https://b.s3.amazonaws.com",
            SigningScope::new("us-east-1", "s3"),
            AuthScheme::Credentials,
        )
        .unwrap();
        let version = VersionId::decode("a%2Bb/c%26").unwrap();
        let path = endpoint.path_and_query(&ObjectKey::new("k").unwrap(), Some(&version));
        assert_eq!(path, "/k?versionId=a%2Bb%2Fc%26");
    }
}
