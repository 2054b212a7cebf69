//! The admin service of the cache, for administrators and S3's events, over a purger that records.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body::{Body, Frame};
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::Instant};
use tower::ServiceExt;
use tower_s3_proxy::{
    bucket::ObjectKey,
    cache::{AdminToken, CacheAdmin, PurgeMode, PurgeTarget},
    error::BoxError,
    internals::cache_admin,
};

use crate::support::{Answer, Client, Protocol, bucket, raw, request, serve};

const TOKEN: &str = "5f1d0c2b";
const BEARER: (&str, &str) = ("authorization", "Bearer 5f1d0c2b");
/// `sns:5f1d0c2b`
const BASIC: (&str, &str) = ("authorization", "Basic c25zOjVmMWQwYzJi");

/// What was purged, in order.
type Purged = Arc<Mutex<Vec<(PurgeTarget, PurgeMode)>>>;

/// A service whose every purge finds three objects.
fn admin() -> (CacheAdmin, Purged) {
    let purged = Purged::default();
    let record = {
        let purged = Arc::clone(&purged);
        move |target: &PurgeTarget, mode| {
            purged.lock().unwrap().push((target.clone(), mode));
            3
        }
    };
    let stats = || r#"{"hits":7}"#.to_owned();
    (cache_admin(AdminToken::new(TOKEN).unwrap(), record, stats), purged)
}

fn taken(purged: &Purged) -> Vec<(PurgeTarget, PurgeMode)> {
    std::mem::take(&mut *purged.lock().unwrap())
}

fn object(key: &str) -> PurgeTarget {
    PurgeTarget::Object { bucket: bucket("media"), key: ObjectKey::new(key).unwrap() }
}

fn event(key: &str) -> String {
    json!({"Records": [{
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": "media"}, "object": {"key": key}}
    }]})
    .to_string()
}

/// Posts an event without a socket.
async fn post<B>(service: &CacheAdmin, target: &str, body: B) -> Answer
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let request = Request::post(target).header(BEARER.0, BEARER.1).body(body).unwrap();
    Answer::read(service.clone().oneshot(request).await.unwrap()).await
}

fn json_of(answer: &Answer) -> Value {
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("content-length"), answer.body.len().to_string());
    serde_json::from_slice(&answer.body).unwrap()
}

#[tokio::test]
async fn nothing_is_told_or_done_without_the_token() {
    let (service, purged) = admin();
    let server = serve(Protocol::Http1, service).await;
    let mut client = Client::connect(Protocol::Http1, server.addr).await;

    let bearer = r#"Bearer realm="cache""#;
    let wrong = r#"Bearer realm="cache", error="invalid_token""#;
    for (headers, challenge, why) in [
        (&[][..], bearer, "a token is needed"),
        (&[("authorization", "5f1d0c2b")], bearer, "a token is needed"),
        (&[("authorization", "Token 5f1d0c2b")], bearer, "a token is needed"),
        (&[BASIC], bearer, "a token is needed"),
        (&[BEARER, BEARER], bearer, "a token is needed"),
        (&[("authorization", "Bearer ")], bearer, "a token is needed"),
        (&[("authorization", "Bearer 5f1d0c2")], wrong, "the token is wrong"),
        (&[("authorization", "Bearer 5f1d0c2bb")], wrong, "the token is wrong"),
        (&[("authorization", "Bearer 5F1D0C2B")], wrong, "the token is wrong"),
    ] {
        for (method, path) in
            [("POST", "/purge?all"), ("GET", "/stats"), ("GET", "/"), ("POST", "/purge?nonsense")]
        {
            let answer = client.ask(request(method, path, headers)).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path} {headers:?}");
            assert_eq!(answer.header("www-authenticate"), challenge, "{method} {path} {headers:?}");
            assert_eq!(json_of(&answer), json!({"error": why}), "{method} {path} {headers:?}");
        }
    }
    let answer = client.ask(request("POST", "/purge?all", &[("authorization", "bearer  5f1d0c2b")])).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(taken(&purged), [(PurgeTarget::Everything, PurgeMode::Hard)]);
}

#[tokio::test]
async fn events_are_also_let_in_by_a_password_as_sns_sends_it() {
    let (service, purged) = admin();
    let ask = async |headers: &[(&str, &str)]| {
        let mut request = Request::post("/events").body(Full::<Bytes>::from(event("a"))).unwrap();
        for (name, value) in headers {
            request
                .headers_mut()
                .append(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        Answer::read(service.clone().oneshot(request).await.unwrap()).await
    };
    let answer = ask(&[]).await;
    let challenges: Vec<_> = answer.headers.get_all("www-authenticate").iter().collect();
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(challenges, [r#"Basic realm="cache""#, r#"Bearer realm="cache""#]);
    assert_eq!(ask(&[("authorization", "Basic c25zOndyb25n")]).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(taken(&purged), []);
    for headers in [BEARER, BASIC] {
        assert_eq!(json_of(&ask(&[headers]).await), json!({"purged": 3}), "{headers:?}");
    }
    assert_eq!(taken(&purged).len(), 2);
}

#[tokio::test]
async fn each_verb_does_what_it_says() {
    let (service, purged) = admin();
    let server = serve(Protocol::Http1, service).await;
    let mut client = Client::connect(Protocol::Http1, server.addr).await;

    let prefix = PurgeTarget::Prefix { bucket: bucket("media"), prefix: "a b/".to_owned() };
    for (method, path, target, mode) in [
        ("POST", "/purge?bucket=media&key=a%2Fb+c.jpg", object("a/b c.jpg"), PurgeMode::Hard),
        ("POST", "/purge?bucket=media&key=a&soft", object("a"), PurgeMode::Soft),
        ("POST", "/purge?bucket=media&prefix=a%20b/", prefix.clone(), PurgeMode::Hard),
        ("DELETE", "/purge?bucket=media&prefix=a+b/&soft", prefix, PurgeMode::Soft),
        ("PURGE", "/purge?all&soft=true", PurgeTarget::Everything, PurgeMode::Soft),
    ] {
        let answer = client.ask(request(method, path, &[BEARER])).await;
        assert_eq!(answer.status, StatusCode::OK, "{method} {path}");
        assert_eq!(json_of(&answer), json!({"purged": 3}), "{method} {path}");
        assert_eq!(taken(&purged), [(target, mode)], "{method} {path}");
    }

    let answer = client.ask(request("GET", "/stats", &[BEARER])).await;
    assert_eq!((answer.status, json_of(&answer)), (StatusCode::OK, json!({"hits": 7})));
    let answer = client.ask(request("HEAD", "/stats", &[BEARER])).await;
    assert_eq!((answer.status, answer.header("content-length"), answer.text()), (StatusCode::OK, "10", ""));

    for (method, path, status, allow) in [
        ("GET", "/", StatusCode::NOT_FOUND, ""),
        ("POST", "/_cache/purge?all", StatusCode::NOT_FOUND, ""),
        ("GET", "/purge?all", StatusCode::METHOD_NOT_ALLOWED, "POST, DELETE, PURGE"),
        ("DELETE", "/events", StatusCode::METHOD_NOT_ALLOWED, "POST"),
        ("POST", "/stats", StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD"),
        ("POST", "/purge", StatusCode::BAD_REQUEST, ""),
        ("POST", "/purge?all=false", StatusCode::BAD_REQUEST, ""),
        ("POST", "/purge?bucket=media&key=%2e%2e/a", StatusCode::BAD_REQUEST, ""),
        ("POST", "/events", StatusCode::BAD_REQUEST, ""),
    ] {
        let answer = client.ask(request(method, path, &[BEARER])).await;
        assert_eq!((answer.status, answer.header("allow")), (status, allow), "{method} {path}");
        assert!(json_of(&answer)["error"].is_string(), "{method} {path}");
    }
    assert_eq!(taken(&purged), []);
}

#[tokio::test]
async fn an_event_purges_what_it_names() {
    let (service, purged) = admin();
    let sns = json!({"Type": "Notification", "Message": event("b+c")}).to_string();
    for (target, body, key, mode) in
        [("/events", event("a"), "a", PurgeMode::Hard), ("/events?soft", sns, "b c", PurgeMode::Soft)]
    {
        let answer = post(&service, target, Full::<Bytes>::from(body)).await;
        assert_eq!((answer.status, json_of(&answer)), (StatusCode::OK, json!({"purged": 3})), "{target}");
        assert_eq!(taken(&purged), [(object(key), mode)], "{target}");
    }

    let url = "https://sns.us-west-2.amazonaws.com/?Action=ConfirmSubscription";
    let confirmation = json!({"Type": "SubscriptionConfirmation", "SubscribeURL": url}).to_string();
    let answer = post(&service, "/events", Full::<Bytes>::from(confirmation)).await;
    assert_eq!(json_of(&answer), json!({"purged": 0, "subscribe_urls": [url]}));

    let answer = post(&service, "/events", Full::<Bytes>::from("{")).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let why = json_of(&answer)["error"].as_str().unwrap().to_owned();
    assert!(why.starts_with("the event, or one inside it, is not JSON: EOF"), "{why}");
    assert_eq!(taken(&purged), []);
}

// --- limits ---

/// How a body of unknown length ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Clean,
    Broken,
    Never,
}

struct Chunks(VecDeque<Bytes>, End);

impl Body for Chunks {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match (self.0.pop_front(), self.1) {
            (Some(chunk), _) => Poll::Ready(Some(Ok(Frame::data(chunk)))),
            (None, End::Clean) => Poll::Ready(None),
            (None, End::Broken) => Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into()))),
            (None, End::Never) => Poll::Pending,
        }
    }
}

/// An event with blanks behind it, in chunks of 1 KiB.
fn chunks(bytes: usize, end: End) -> Chunks {
    let mut text = event("a").into_bytes();
    text.resize(bytes, b' ');
    Chunks(text.chunks(1024).map(Bytes::copy_from_slice).collect(), end)
}

const MOST: usize = 256 * 1024;

#[tokio::test(start_paused = true)]
async fn an_event_is_bounded_in_length_and_time() {
    let (service, purged) = admin();
    for (bytes, end, status) in [
        (MOST, End::Clean, StatusCode::OK),
        (MOST + 1, End::Clean, StatusCode::PAYLOAD_TOO_LARGE),
        (MOST + 1, End::Never, StatusCode::PAYLOAD_TOO_LARGE),
        (1024, End::Broken, StatusCode::BAD_REQUEST),
        (1024, End::Never, StatusCode::REQUEST_TIMEOUT),
        (0, End::Never, StatusCode::REQUEST_TIMEOUT),
    ] {
        let began = Instant::now();
        let answer = post(&service, "/events", chunks(bytes, end)).await;
        assert_eq!(answer.status, status, "{bytes} {end:?}");
        let waited = if status == StatusCode::REQUEST_TIMEOUT { 10 } else { 0 };
        assert_eq!(began.elapsed().as_secs(), Duration::from_secs(waited).as_secs(), "{bytes} {end:?}");
    }
    assert_eq!(taken(&purged), [(object("a"), PurgeMode::Hard)], "only what came whole");
}

#[tokio::test]
async fn an_event_that_is_announced_too_long_is_not_read() {
    let (service, purged) = admin();
    let server = serve(Protocol::Http1, service).await;
    for (length, token, status) in
        [(MOST + 1, TOKEN, "413"), (usize::MAX / 2, TOKEN, "413"), (MOST, "wrong", "401")]
    {
        let head = format!(
            "POST /events HTTP/1.1\r\nhost: proxy.test\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\
             content-length: {length}\r\n\r\n"
        );
        let answer = raw(server.addr, &head).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{length} {answer}");
    }
    assert_eq!(taken(&purged), []);
}

/// However many connections a guesser has.
#[tokio::test(start_paused = true)]
async fn guesses_of_the_token_are_answered_ten_a_second_and_the_right_one_at_once() {
    let (service, purged) = admin();
    let ask = |token: &str| {
        let request = Request::post("/purge?all").header("authorization", format!("Bearer {token}"));
        let answer = service.clone().oneshot(request.body(Full::<Bytes>::default()).unwrap());
        async { Answer::read(answer.await.unwrap()).await.status }
    };
    let began = Instant::now();
    let mut guessing = JoinSet::new();
    for n in 0..100 {
        guessing.spawn(ask(&format!("guess-{n}")));
    }
    // Those who would wait too long.
    for _ in 0..36 {
        assert_eq!(guessing.join_next().await.unwrap().unwrap(), StatusCode::TOO_MANY_REQUESTS);
    }
    assert_eq!(ask(TOKEN).await, StatusCode::OK);
    assert_eq!(began.elapsed(), Duration::ZERO);
    while let Some(status) = guessing.join_next().await {
        assert_eq!(status.unwrap(), StatusCode::UNAUTHORIZED);
    }
    assert!((6..=7).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    assert_eq!(taken(&purged).len(), 1);
}

#[tokio::test]
async fn the_token_is_in_no_debug_output() {
    let (service, _) = admin();
    assert_eq!(format!("{service:?}"), "CacheAdmin { token: AdminToken(..), .. }");
}
