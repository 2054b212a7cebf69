//! Directory buckets (S3 Express One Zone): reads are signed by sessions, which are opened, renewed ahead and shared. The
//! server checks every signature with the SDK's own signer.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_credential_types::provider::{self, ProvideCredentials, future};
use aws_smithy_async::time::TimeSource;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::{sync::watch, task::JoinSet, time::timeout};
use tower::service_fn;
use tower_s3_proxy::{
    Cache, Mount, MountBuilder, ProxyErrorKind, S3Proxy, bucket::Grant, credentials::Credentials,
    warm::WarmTarget,
};

use crate::{
    differential::{Seen, Signer, session_document, signed_by_the_sdk},
    support::{Protocol, REGION, Server, ask, bucket, get, proxy, request, serve},
};

const BUCKET: &str = "films--usw2-az1--x-s3";
const OBJECT: &str = "0123456789";
/// In seconds, as S3's own sessions live.
const LIFE: u64 = 300;

/// How long a test waits for what has to happen.
const PATIENCE: Duration = Duration::from_secs(20);

// --- the server ---

/// What it has seen, and what it shall do.
struct State {
    clock: Clock,
    opened: watch::Sender<usize>,
    /// Sessions up to this one are refused.
    revoked: AtomicUsize,
    /// Credentials that sessions are refused to.
    refused: Mutex<Vec<&'static str>>,
    modes: Mutex<Vec<String>>,
    /// The sessions that reads were signed by.
    read_by: Mutex<Vec<usize>>,
    listings: AtomicUsize,
}

struct Express {
    server: Server,
    state: Arc<State>,
}

impl Express {
    async fn start() -> Self {
        let state = Arc::new(State {
            clock: Clock::default(),
            opened: watch::Sender::new(0),
            revoked: AtomicUsize::new(0),
            refused: Mutex::default(),
            modes: Mutex::default(),
            read_by: Mutex::default(),
            listings: AtomicUsize::new(0),
        });
        let shared = Arc::clone(&state);
        let service = service_fn(move |request: Request<Incoming>| {
            let shared = Arc::clone(&shared);
            async move {
                let mut answer = shared.answer(&request).map(|text| Full::new(Bytes::from(text)));
                // The SDK goes by it.
                let date = httpdate::fmt_http_date(shared.clock.now()).parse().unwrap();
                answer.headers_mut().insert("date", date);
                Ok::<_, Infallible>(answer)
            }
        });
        Self { server: serve(Protocol::Http1, service).await, state }
    }

    fn mount(&self) -> MountBuilder {
        Mount::builder(bucket(BUCKET))
            .region(REGION)
            .endpoint_url(format!("http://{}", self.server.addr))
            .credentials(keys(0))
            .time_source(self.state.clock.clone())
    }

    fn opened(&self) -> usize {
        *self.state.opened.borrow()
    }

    async fn until_opened(&self, sessions: usize) {
        let mut opened = self.state.opened.subscribe();
        let waited = timeout(PATIENCE, opened.wait_for(|opened| *opened >= sessions)).await;
        waited.expect("a session is opened").unwrap();
    }

    fn read_by(&self) -> Vec<usize> {
        std::mem::take(&mut self.state.read_by.lock().unwrap())
    }
}

impl State {
    fn answer(&self, request: &Request<Incoming>) -> Response<String> {
        let text = |value: &http::HeaderValue| value.to_str().unwrap().to_owned();
        let headers: BTreeMap<_, _> =
            request.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        let uri = format!("http://{}{}", headers["host"], request.uri()).parse().unwrap();
        let seen = Seen { method: request.method().clone(), uri, headers };
        let path = seen.uri.path().to_owned();
        let query = seen.uri.query().unwrap_or_default();
        let Some(key) = path.strip_prefix(&format!("/{BUCKET}")) else { return refusal(404, "NoSuchBucket") };
        if query.split('&').any(|pair| pair.split('=').next() == Some("session")) {
            return self.open(&seen);
        }
        let session = match self.session_of(&seen) {
            Ok(session) => session,
            Err((status, code)) => return refusal(status, code),
        };
        match key {
            "/film" => {
                self.read_by.lock().unwrap().push(session);
                Response::builder().header("etag", "\"e\"").body(OBJECT.to_owned()).unwrap()
            }
            "" | "/" if query.contains("list-type=2") => {
                self.listings.fetch_add(1, Ordering::Relaxed);
                let contents = format!("<Contents><Key>film</Key><Size>{}</Size></Contents>", OBJECT.len());
                let head = "<IsTruncated>false</IsTruncated><EncodingType>url</EncodingType>";
                Response::new(format!("<ListBucketResult>{head}{contents}</ListBucketResult>"))
            }
            _ => refusal(404, "NoSuchKey"),
        }
    }

    fn open(&self, seen: &Seen) -> Response<String> {
        let keys = [0, 1].map(keys).into_iter().find(|keys| {
            seen.headers.get("x-amz-security-token").map(String::as_str) == keys.session_token()
        });
        let Some(keys) = keys else { return refusal(403, "InvalidToken") };
        if signed_at(seen).abs_diff(secs(self.clock.now())) > 15 * 60 {
            return refusal(403, "RequestTimeTooSkewed");
        }
        let signer =
            Signer { credentials: keys.clone(), service: "s3express", token: None, time: self.clock.now() };
        if seen.headers["authorization"] != signed_by_the_sdk(seen, &signer) {
            return refusal(403, "SignatureDoesNotMatch");
        }
        if self.refused.lock().unwrap().contains(&keys.access_key_id()) {
            return refusal(
                403,
                if keys.access_key_id() == "AKIDBASE0" { "ExpiredToken" } else { "AccessDenied" },
            );
        }
        let mode = seen.headers.get("x-amz-create-session-mode").cloned().unwrap_or_default();
        self.modes.lock().unwrap().push(mode);
        let number = *self.opened.borrow() + 1;
        let expiry = aws_smithy_types::DateTime::from(self.clock.now() + Duration::from_secs(LIFE));
        let expiry = expiry.fmt(aws_smithy_types::date_time::Format::DateTime).unwrap();
        let document = session_document(&session(number), &expiry);
        self.opened.send_replace(number);
        Response::new(document)
    }

    /// Which session a request is signed by.
    fn session_of(&self, seen: &Seen) -> Result<usize, (u16, &'static str)> {
        let token = seen.headers.get("x-amz-s3session-token").map_or("", String::as_str);
        let Some(number) = token.strip_prefix("token/").and_then(|number| number.parse().ok()) else {
            return Err((403, "InvalidToken"));
        };
        if signed_at(seen).abs_diff(secs(self.clock.now())) > 15 * 60 {
            return Err((403, "RequestTimeTooSkewed"));
        }
        let token = Some("x-amz-s3session-token");
        let time = self.clock.now();
        let signer = Signer { credentials: session(number), service: "s3express", token, time };
        if seen.headers["authorization"] != signed_by_the_sdk(seen, &signer) {
            return Err((403, "SignatureDoesNotMatch"));
        }
        if number <= self.revoked.load(Ordering::Relaxed) {
            return Err((400, "ExpiredToken"));
        }
        Ok(number)
    }
}

/// In seconds, by the request's `x-amz-date`.
fn signed_at(seen: &Seen) -> u64 {
    let (day, time) = seen.headers["x-amz-date"].split_once('T').unwrap();
    let (year, month, day) = (&day[..4], &day[4..6], &day[6..]);
    let (hour, minute, second) = (&time[..2], &time[2..4], &time[4..6]);
    let text = format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z");
    let at = aws_smithy_types::DateTime::from_str(&text, aws_smithy_types::date_time::Format::DateTime);
    secs(at.unwrap().try_into().unwrap())
}

fn secs(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn refusal(status: u16, code: &str) -> Response<String> {
    let document = format!("<Error><Code>{code}</Code><Message>no</Message></Error>");
    Response::builder().status(status).body(document).unwrap()
}

fn keys(number: usize) -> Credentials {
    let token = Some(format!("base/{number}"));
    Credentials::new(format!("AKIDBASE{number}"), "base-secret", token, None, "test")
}

fn session(number: usize) -> Credentials {
    let token = Some(format!("token/{number}"));
    Credentials::new(format!("AKIDSESSION{number}"), "session-secret", token, None, "test")
}

/// A clock that goes when it is told to.
#[derive(Debug, Clone, Default)]
struct Clock(Arc<AtomicU64>);

impl Clock {
    fn go(&self, secs: u64) {
        self.0.fetch_add(secs, Ordering::Relaxed);
    }
}

impl TimeSource for Clock {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_700_000_000 + self.0.load(Ordering::Relaxed))
    }
}

async fn read(service: &S3Proxy) -> (u16, Bytes) {
    let answer = ask(service, get("/film")).await;
    (answer.status.as_u16(), answer.body)
}

fn film() -> (u16, Bytes) {
    (200, Bytes::from_static(OBJECT.as_bytes()))
}

// --- the tests ---

#[tokio::test]
async fn one_session_signs_all_reads_of_a_bucket() {
    let express = Express::start().await;
    let service = proxy(express.mount());
    let reads = (0..20).map(|_| service.clone()).map(|service| async move { read(&service).await });
    for answer in reads.collect::<JoinSet<_>>().join_all().await {
        assert_eq!(answer, film());
    }
    let head = ask(&service, request("HEAD", "/film", &[])).await;
    assert_eq!((head.status.as_u16(), head.header("content-length")), (200, "10"));
    assert_eq!(express.opened(), 1);
    assert_eq!(*express.state.modes.lock().unwrap(), ["ReadOnly"]);
    assert!(express.read_by().iter().all(|session| *session == 1));
}

#[tokio::test]
async fn a_session_is_replaced_at_half_of_its_life_and_no_request_waits_for_that() {
    let express = Express::start().await;
    let service = proxy(express.mount());
    assert_eq!(read(&service).await, film());
    express.state.clock.go(LIFE / 2 - 1);
    assert_eq!(read(&service).await, film());
    assert_eq!((express.opened(), express.read_by()), (1, vec![1, 1]));

    // At six tenths it is due, however the jitter falls: this read is still signed by the old one.
    express.state.clock.go(LIFE / 10 + 1);
    assert_eq!(read(&service).await, film());
    assert_eq!(express.read_by(), [1]);
    express.until_opened(2).await;

    // The old one is at its end.
    express.state.clock.go(LIFE * 4 / 10);
    express.state.revoked.store(1, Ordering::Relaxed);
    assert_eq!(read(&service).await, film());
    assert_eq!((express.opened(), express.read_by()), (2, vec![2]));
}

#[tokio::test]
async fn a_session_that_s3_calls_expired_is_replaced_and_the_read_repeated() {
    let express = Express::start().await;
    let service = proxy(express.mount());
    assert_eq!(read(&service).await, film());
    express.state.revoked.store(1, Ordering::Relaxed);
    assert_eq!(read(&service).await, film());
    assert_eq!((express.opened(), express.read_by()), (2, vec![1, 2]));
}

#[tokio::test]
async fn expired_credentials_are_renewed_to_open_a_session() {
    let express = Express::start().await;
    express.state.refused.lock().unwrap().push("AKIDBASE0");
    let rotating = Rotating::default();
    let service = proxy(express.mount().credentials(rotating));
    assert_eq!(read(&service).await, film());
    assert_eq!(express.opened(), 1);
}

/// No read gets to S3 before there is a session: the time has to be learnt from its refusal.
#[tokio::test]
async fn a_clock_that_is_off_is_set_right_to_open_a_session() {
    for server_is_ahead in [true, false] {
        let express = Express::start().await;
        let ours = Clock::default();
        let ahead = if server_is_ahead { &express.state.clock } else { &ours };
        ahead.go(20 * 60);
        let service = proxy(express.mount().time_source(ours));
        assert_eq!(read(&service).await, film(), "{server_is_ahead}");
        assert_eq!(read(&service).await, film(), "again, {server_is_ahead}");
        assert_eq!(express.opened(), 1);
    }
}

/// New keys each time.
#[derive(Debug, Default)]
struct Rotating(AtomicUsize);

impl ProvideCredentials for Rotating {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let result: provider::Result = Ok(keys(self.0.fetch_add(1, Ordering::Relaxed)));
        future::ProvideCredentials::ready(result)
    }
}

#[tokio::test]
async fn without_a_session_there_is_no_answer_and_the_reason_is_told() {
    let express = Express::start().await;
    express.state.refused.lock().unwrap().push("AKIDBASE1");
    let service = proxy(express.mount().credentials(keys(1)));
    let answer = ask(&service, get("/film")).await;
    assert_eq!((answer.status.as_u16(), answer.kind()), (503, Some(ProxyErrorKind::Credentials)));
    let error = std::error::Error::source(answer.error.as_ref().unwrap()).unwrap();
    let chain: Vec<_> =
        std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect();
    let chain = chain.join(": ");
    for part in [BUCKET, "AccessDenied", "s3express:CreateSession"] {
        assert!(chain.contains(part), "{part}: {chain}");
    }
    assert!(express.read_by().is_empty());
}

#[tokio::test]
async fn who_may_write_gets_sessions_to_write() {
    let express = Express::start().await;
    let service = proxy(express.mount().grant(Grant::ReadWrite));
    assert_eq!(read(&service).await, film());
    assert_eq!(*express.state.modes.lock().unwrap(), ["ReadWrite"]);
}

#[tokio::test]
async fn a_listing_is_signed_by_the_session_of_the_reads() {
    let express = Express::start().await;
    let cache = Cache::builder(4 << 20).build().unwrap();
    let mount = express.mount().cache(&cache).build().unwrap();
    let target = WarmTarget::Prefix { bucket: bucket(BUCKET), prefix: String::new() };
    let report = mount.warm(target).unwrap().run().await.unwrap();
    assert_eq!((report.seen(), report.kept + report.not_kept), (1, 1), "{report:?}");
    assert_eq!((express.state.listings.load(Ordering::Relaxed), express.opened()), (1, 1));
}
