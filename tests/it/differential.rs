//! The read lane against the SDK's own client: the same request at the same moment must look the same on the wire.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_sdk_s3::{
    config::{self, BehaviorVersion, Region, retry::RetryConfig},
    types::RequestPayer,
};
use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
        UriPathNormalizationMode, sign,
    },
    sign::v4,
};
use aws_smithy_async::time::StaticTimeSource;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use http::{Method, Response, Uri};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tower_s3_proxy::{Mount, MountBuilder, Transport, credentials::Credentials};

use crate::support::{
    FnClient, NASTY_KEYS, REGION, Spelling, ask, bucket, path_of, proxy, random_key, request,
};

const KEYS: usize = 1_000;

/// A way to address a bucket, told to both lanes.
struct Style {
    bucket: &'static str,
    ours: fn(MountBuilder) -> MountBuilder,
    sdks: fn(config::Builder) -> config::Builder,
    terms: Terms,
    /// What every URL begins with: so that the two are not equally wrong.
    base: &'static str,
}

// === impl Style ===

impl Style {
    fn is_express(&self) -> bool {
        self.bucket.ends_with("--x-s3")
    }

    fn signer(&self) -> Signer {
        match self.is_express() {
            true => Signer {
                credentials: session(),
                service: "s3express",
                token: Some("x-amz-s3session-token"),
                time: now(),
            },
            false => Signer { credentials: identity(), service: "s3", token: None, time: now() },
        }
    }
}

/// What every request says of its terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Terms {
    None,
    All,
}

const OWNER: &str = "123456789012";
const CUSTOMER_KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const CUSTOMER_KEY_MD5: &str = "hRasmdxgYDKV3nvbahU1MA==";
const TERMS: [&str; 5] = [
    "x-amz-expected-bucket-owner",
    "x-amz-request-payer",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-server-side-encryption-customer-key",
    "x-amz-server-side-encryption-customer-key-md5",
];

const STYLES: [Style; 14] = [
    // Of a tenant of Ceph.
    Style {
        bucket: "studio:media",
        ours: |mount| mount.endpoint_url("http://store.test:8333"),
        sdks: |config| config.endpoint_url("http://store.test:8333"),
        terms: Terms::None,
        base: "http://store.test:8333/studio%3Amedia/",
    },
    Style {
        bucket: "media",
        ours: |mount| mount,
        sdks: |config| config,
        terms: Terms::None,
        base: "https://media.s3.us-west-2.amazonaws.com/",
    },
    Style {
        bucket: "media",
        ours: |mount| mount.path_style(true),
        sdks: |config| config.force_path_style(true),
        terms: Terms::None,
        base: "https://s3.us-west-2.amazonaws.com/media/",
    },
    Style {
        bucket: "my.media",
        ours: |mount| mount,
        sdks: |config| config,
        terms: Terms::None,
        base: "https://s3.us-west-2.amazonaws.com/my.media/",
    },
    Style {
        bucket: "media",
        ours: |mount| mount.endpoint_url("http://127.0.0.1:9000"),
        sdks: |config| config.endpoint_url("http://127.0.0.1:9000"),
        terms: Terms::None,
        base: "http://127.0.0.1:9000/media/",
    },
    Style {
        bucket: "media",
        // Without the final slash the SDK would ask for `/s3/v1media/`.
        ours: |mount| mount.endpoint_url("https://store.test/s3/v1").path_style(true),
        sdks: |config| config.endpoint_url("https://store.test/s3/v1/").force_path_style(true),
        terms: Terms::None,
        base: "https://store.test/s3/v1/media/",
    },
    Style {
        bucket: "media",
        ours: |mount| mount.endpoint_url("http://store.test:8333"),
        sdks: |config| config.endpoint_url("http://store.test:8333"),
        terms: Terms::None,
        base: "http://media.store.test:8333/",
    },
    Style {
        bucket: "media",
        ours: |mount| mount.fips(true),
        sdks: |config| config.use_fips(true),
        terms: Terms::None,
        base: "https://media.s3-fips.us-west-2.amazonaws.com/",
    },
    Style {
        bucket: "media",
        ours: |mount| mount.dual_stack(true),
        sdks: |config| config.use_dual_stack(true),
        terms: Terms::None,
        base: "https://media.s3.dualstack.us-west-2.amazonaws.com/",
    },
    Style {
        bucket: "media",
        ours: |mount| mount.accelerate(true),
        sdks: |config| config.accelerate(true),
        terms: Terms::None,
        base: "https://media.s3-accelerate.amazonaws.com/",
    },
    Style {
        bucket: "arn:aws:s3:us-west-2:123456789012:accesspoint:media",
        ours: |mount| mount,
        sdks: |config| config,
        terms: Terms::None,
        base: "https://media-123456789012.s3-accesspoint.us-west-2.amazonaws.com/",
    },
    Style {
        bucket: "media",
        ours: |mount| {
            let mount = mount.requester_pays(true).expected_bucket_owner(OWNER.parse().unwrap());
            mount.customer_key(CUSTOMER_KEY.parse().unwrap())
        },
        sdks: |config| config,
        terms: Terms::All,
        base: "https://media.s3.us-west-2.amazonaws.com/",
    },
    Style {
        bucket: "media--usw2-az1--x-s3",
        ours: |mount| mount.allow_versions(false),
        sdks: |config| config,
        terms: Terms::None,
        base: "https://media--usw2-az1--x-s3.s3express-usw2-az1.us-west-2.amazonaws.com/",
    },
    Style {
        bucket: "media-abcdefghijklmnopqrstuvwxyz012-s3alias",
        ours: |mount| mount,
        sdks: |config| config,
        terms: Terms::None,
        base: "https://media-abcdefghijklmnopqrstuvwxyz012-s3alias.s3.us-west-2.amazonaws.com/",
    },
];

/// A request as it would go over the wire.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    /// Absolute.
    pub(crate) uri: Uri,
    pub(crate) headers: BTreeMap<String, String>,
}

/// What is asked of both lanes besides the key.
#[derive(Debug, Clone, Copy, Default)]
struct Question {
    range: Option<&'static str>,
    if_none_match: Option<&'static str>,
    if_match: Option<&'static str>,
    version: Option<&'static str>,
}

const QUESTIONS: [Question; 6] = [
    Question { range: None, if_none_match: None, if_match: None, version: None },
    Question { range: Some("bytes=0-9"), if_none_match: None, if_match: None, version: None },
    Question { range: None, if_none_match: Some("\"c,d\""), if_match: None, version: None },
    Question { range: Some("bytes=-5"), if_none_match: None, if_match: Some("\"e\""), version: None },
    Question { range: None, if_none_match: None, if_match: None, version: Some("3/L4kqtJ+lcpXro~b=&%?") },
    Question { range: Some("bytes=1-"), if_none_match: Some("\"y\""), if_match: None, version: Some("null") },
];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn both_lanes_ask_the_same_of_every_kind_of_bucket() {
    let mut rng = fastrand::Rng::with_seed(0x5eed);
    let mut all: Vec<String> = NASTY_KEYS.map(str::to_owned).into();
    all.resize_with(KEYS, || random_key(&mut rng));
    let all = Arc::new(all);
    let mut tasks = tokio::task::JoinSet::new();
    for style in STYLES {
        tasks.spawn(compare(style, Arc::clone(&all)));
    }
    tasks.join_all().await;
}

async fn compare(style: Style, all: Arc<Vec<String>>) {
    let recorder = Recorder::default();
    let sdk_config = config::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(identity())
        .time_source(StaticTimeSource::new(now()))
        .retry_config(RetryConfig::disabled())
        .http_client(recorder.client());
    let sdk = aws_sdk_s3::Client::from_conf((style.sdks)(sdk_config).build());
    let service = Mount::builder(bucket(style.bucket))
        .region(REGION)
        .credentials(identity())
        .time_source(StaticTimeSource::new(now()))
        .transport(&Transport::builder().http_client(recorder.client()).build().unwrap())
        .allow_versions(true);
    let service = proxy((style.ours)(service));

    for (n, key) in all.iter().enumerate() {
        let question = QUESTIONS[n % QUESTIONS.len()];
        let is_head = (n / QUESTIONS.len()) % 2 == 1;
        // Range is defined for GET only, and what HEAD says decides conditions: the SDK would ask S3 for them.
        let version = question.version.filter(|_| !style.is_express());
        let question = if is_head {
            Question { version, ..Question::default() }
        } else {
            Question { version, ..question }
        };
        let Question { range, if_none_match, if_match, version } = question;
        let owned = |value: Option<&str>| value.map(str::to_owned);
        if is_head {
            let mut head = sdk.head_object().bucket(style.bucket).key(key);
            if style.terms == Terms::All {
                head = head.request_payer(RequestPayer::Requester).expected_bucket_owner(OWNER);
                head = head.sse_customer_algorithm("AES256").sse_customer_key(CUSTOMER_KEY);
                head = head.sse_customer_key_md5(CUSTOMER_KEY_MD5);
            }
            head.set_version_id(owned(version)).send().await.unwrap();
        } else {
            let mut get = sdk.get_object().bucket(style.bucket).key(key).set_range(owned(range));
            if style.terms == Terms::All {
                get = get.request_payer(RequestPayer::Requester).expected_bucket_owner(OWNER);
                get = get.sse_customer_algorithm("AES256").sse_customer_key(CUSTOMER_KEY);
                get = get.sse_customer_key_md5(CUSTOMER_KEY_MD5);
            }
            let get = get.set_if_none_match(owned(if_none_match)).set_if_match(owned(if_match));
            get.set_version_id(owned(version)).send().await.unwrap();
        }
        let sdks = recorder.take();

        let fields = [("range", range), ("if-none-match", if_none_match), ("if-match", if_match)];
        let fields: Vec<_> = fields.iter().filter_map(|(name, value)| Some((*name, (*value)?))).collect();
        let mut path = path_of(key, Spelling::Strict);
        if let Some(version) = version {
            path = format!("{path}?versionId={}", utf8_percent_encode(version, NON_ALPHANUMERIC));
        }
        let method = if is_head { "HEAD" } else { "GET" };
        let answer = ask(&service, request(method, &path, &fields)).await;
        assert_eq!(answer.status, 200, "{key:?}: {:?}", answer.error);
        let ours = recorder.take();

        let row = format!("{method} {key:?} of {} {question:?}", style.base);
        assert!(ours.uri.to_string().starts_with(style.base), "{row}: {}", ours.uri);
        let terms = if style.terms == Terms::All { &TERMS[..] } else { &[] };
        assert_same(&row, &ours, &sdks, &fields, terms);
        assert_eq!(ours.headers["authorization"], signed_by_the_sdk(&ours, &style.signer()), "{row}");
    }
}

fn assert_same(row: &str, ours: &Seen, sdks: &Seen, fields: &[(&str, &str)], terms: &[&str]) {
    assert_eq!(ours.method, sdks.method, "{row}");
    assert_eq!(ours.uri.scheme(), sdks.uri.scheme(), "{row}");
    assert_eq!(ours.uri.authority(), sdks.uri.authority(), "{row}");
    assert_eq!(ours.uri.path(), sdks.uri.path(), "{row}");
    assert_eq!(query(&ours.uri), query(&sdks.uri), "{row}");
    assert_eq!(Some(ours.headers["host"].as_str()), sdks.uri.authority().map(|a| a.as_str()), "{row}");
    for (name, value) in fields {
        assert_eq!(ours.headers[*name], *value, "{row}: {name}");
    }
    let token = TOKENS.into_iter().find(|name| sdks.headers.contains_key(*name)).unwrap();
    let common = ["x-amz-date", token]
        .into_iter()
        .chain(fields.iter().map(|(name, _)| *name))
        .chain(terms.iter().copied());
    for name in common {
        assert_eq!(ours.headers[name], sdks.headers[name], "{row}: {name}");
        for lane in [ours, sdks] {
            assert!(signed(lane).contains(&name), "{row}: {name} is not signed: {lane:?}");
        }
    }
    assert_eq!(scope(ours), scope(sdks), "{row}: who signs, for which day, region and service");
    let more: Vec<_> = ours.headers.keys().filter(|name| !sdks.headers.contains_key(*name)).collect();
    assert!(
        more.iter().all(|name| *name == "host"),
        "{row}: fields of which the SDK knows nothing: {more:?}"
    );
}

/// The query without `x-id`, by which the SDK names the operation for its own middleware.
fn query(uri: &Uri) -> Vec<&str> {
    let pairs = uri.query().unwrap_or_default().split('&');
    pairs.filter(|pair| !pair.is_empty() && !pair.starts_with("x-id=")).collect()
}

fn scope(seen: &Seen) -> &str {
    let (_, rest) = seen.headers["authorization"].split_once("Credential=").unwrap();
    rest.split_once(',').unwrap().0
}

fn signed(seen: &Seen) -> Vec<&str> {
    let (_, rest) = seen.headers["authorization"].split_once("SignedHeaders=").unwrap();
    rest.split_once(',').unwrap().0.split(';').collect()
}

/// Who signs what for when.
#[derive(Debug, Clone)]
pub(crate) struct Signer {
    pub(crate) credentials: Credentials,
    pub(crate) service: &'static str,
    /// In place of `x-amz-security-token`.
    pub(crate) token: Option<&'static str>,
    pub(crate) time: SystemTime,
}

/// The fields that a token of credentials may be in.
const TOKENS: [&str; 2] = ["x-amz-security-token", "x-amz-s3session-token"];

/// The `Authorization` that the SDK's signer gives to a request, if the same fields are signed.
pub(crate) fn signed_by_the_sdk(seen: &Seen, signer: &Signer) -> String {
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    settings.session_token_name_override = signer.token;
    let identity = signer.credentials.clone().into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(REGION)
        .name(signer.service)
        .time(signer.time)
        .settings(settings)
        .build()
        .unwrap();
    // The signer adds these by itself; the last two are not signed by us.
    let apart = ["host", "x-amz-content-sha256", "x-amz-date", "user-agent", "authorization"];
    let is_given = |name: &str| !apart.contains(&name) && !TOKENS.contains(&name);
    // What the SDK says of itself does not have to be signed, and all that S3 goes by has.
    let has_to_be = |name: &str| signed(seen).contains(&name) || name.starts_with("x-amz-");
    let headers = seen.headers.iter().filter(|(name, _)| is_given(name) && has_to_be(name));
    let headers = headers.map(|(name, value)| (name.as_str(), value.as_str()));
    let url = seen.uri.to_string();
    let body = match seen.headers["x-amz-content-sha256"].as_str() {
        "UNSIGNED-PAYLOAD" => SignableBody::UnsignedPayload,
        hash => SignableBody::Precomputed(hash.to_owned()),
    };
    let request = SignableRequest::new(seen.method.as_str(), &url, headers, body);
    let (instructions, _) = sign(request.unwrap(), &params.into()).unwrap().into_parts();
    let mut added = instructions.headers();
    added.find(|(name, _)| name.eq_ignore_ascii_case("authorization")).unwrap().1.to_owned()
}

/// 2015-08-30T12:36:00Z, as in AWS's own examples.
fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_440_938_160)
}

fn identity() -> Credentials {
    let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    Credentials::new("AKIDEXAMPLE", secret, Some("session/token+==".to_owned()), None, "test")
}

/// What the recorder gives whoever opens a session.
fn session() -> Credentials {
    let token = Some("express/token+==".to_owned());
    Credentials::new("AKIDSESSION", "session-secret", token, None, "test")
}

pub(crate) fn session_document(session: &Credentials, expiry: &str) -> String {
    let (id, secret) = (session.access_key_id(), session.secret_access_key());
    let token = session.session_token().unwrap();
    format!(
        "<CreateSessionResult><Credentials><AccessKeyId>{id}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>\
         <SessionToken>{token}</SessionToken><Expiration>{expiry}</Expiration></Credentials></CreateSessionResult>"
    )
}

/// Keeps the last request and answers it with an empty object. Opens sessions, which it does not keep.
#[derive(Debug, Clone, Default)]
struct Recorder(Arc<Mutex<Vec<Seen>>>);

// === impl Recorder ===

impl Recorder {
    fn client(&self) -> FnClient<impl Fn(HttpRequest) -> HttpResponse + Clone + Send + Sync + 'static> {
        let seen = Arc::clone(&self.0);
        FnClient(move |request: HttpRequest| {
            let (head, _) = request.try_into_http1x().unwrap().into_parts();
            if head.uri.query().is_some_and(|query| query.starts_with("session")) {
                let document = session_document(&session(), "2015-08-30T12:41:00Z");
                return HttpResponse::try_from(Response::new(SdkBody::from(document))).unwrap();
            }
            let text = |value: &http::HeaderValue| value.to_str().unwrap().to_owned();
            let headers = head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
            seen.lock().unwrap().push(Seen { method: head.method, uri: head.uri, headers });
            let response = Response::builder().header("content-length", 0).header("etag", "\"e\"");
            HttpResponse::try_from(response.body(SdkBody::empty()).unwrap()).unwrap()
        })
    }

    /// The one request since the last time.
    fn take(&self) -> Seen {
        let mut seen = self.0.lock().unwrap();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen.pop().unwrap()
    }
}
