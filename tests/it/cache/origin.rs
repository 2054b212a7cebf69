//! An origin whose objects, fields, clock and pace the test controls.

use std::{
    collections::HashMap,
    convert::Infallible,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use aws_smithy_async::time::TimeSource;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};
use tower::service_fn;
use tower_s3_proxy::{Cache, MountBuilder, S3Proxy, cache::CacheBuilder};

use crate::{
    lying::http_date,
    support::{BUCKET, Protocol, REGION, Server, mount_at, proxy, serve},
};

/// Longer than anything here takes; only a hang gets there.
pub(super) const HANG: Duration = Duration::from_secs(30);

pub(super) const MIB: u64 = 1024 * 1024;

/// A time that goes on when it is told to. Clones are the same clock.
#[derive(Debug, Clone)]
pub(super) struct Clock(Arc<Mutex<SystemTime>>);

/// A running origin. Dropping it stops it.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) clock: Clock,
    shared: Arc<Shared>,
    server: Server,
}

#[derive(Debug)]
struct Shared {
    clock: Clock,
    state: Mutex<State>,
    /// Goes up with everything that happens.
    events: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    objects: HashMap<String, Object>,
    seen: Vec<Asked>,
    /// How far bodies go until the gate is moved.
    gate: Option<watch::Receiver<u64>>,
    /// Answers wait for this.
    hold: Option<watch::Receiver<()>>,
    fault: Option<Fault>,
    open: usize,
    given_up: usize,
}

/// One object in one state.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) body: Bytes,
    pub(super) fields: HeaderMap,
}

/// What is wrong, as long as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The body breaks off after so many bytes.
    Cut(u64),
    /// A status and the code of an error document.
    Refuses(u16, &'static str),
}

#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) fields: HeaderMap,
}

/// Lets bodies go on, up to a byte.
#[derive(Debug)]
pub(super) struct Gate(watch::Sender<u64>);

/// Keeps answers back until it is dropped.
#[derive(Debug)]
pub(super) struct Hold(#[expect(dead_code, reason = "dropped")] watch::Sender<()>);

// === impl Clock ===

impl Clock {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000))))
    }

    pub(super) fn advance(&self, seconds: u64) {
        *self.0.lock().unwrap() += Duration::from_secs(seconds);
    }
}

impl TimeSource for Clock {
    fn now(&self) -> SystemTime {
        *self.0.lock().unwrap()
    }
}

// === impl Object ===

impl Object {
    /// Its tag is made of the bytes.
    pub(super) fn new(body: impl Into<Bytes>) -> Self {
        let body = body.into();
        let digest = body.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let fields = HeaderMap::new();
        Self { body, fields }.with("etag", &format!("\"{digest:016x}\""))
    }

    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.fields.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        self
    }

    pub(super) fn without(mut self, name: &'static str) -> Self {
        self.fields.remove(name);
        self
    }

    pub(super) fn tag(&self) -> &str {
        self.fields["etag"].to_str().unwrap()
    }
}

// === impl Origin ===

impl Origin {
    pub(super) async fn start() -> Self {
        let clock = Clock::new();
        let (events, _) = watch::channel(0);
        let shared = Arc::new(Shared { clock: clock.clone(), state: Mutex::default(), events });
        let answering = Arc::clone(&shared);
        let service = service_fn(move |request: Request<Incoming>| {
            let shared = Arc::clone(&answering);
            async move { Ok::<_, Infallible>(shared.answer(request).await) }
        });
        Self { clock, shared, server: serve(Protocol::Http1, service).await }
    }

    pub(super) fn put(&self, key: &str, object: &Object) {
        self.state().objects.insert(format!("/{BUCKET}/{key}"), object.clone());
    }

    pub(super) fn delete(&self, key: &str) {
        self.state().objects.remove(&format!("/{BUCKET}/{key}"));
    }

    /// A mount of its bucket at `/`, by its clock.
    pub(super) fn mount(&self) -> MountBuilder {
        mount_at(self.server.addr).time_source(self.clock.clone())
    }

    /// Points a mount at it, by its clock.
    pub(super) fn over(&self, builder: MountBuilder) -> MountBuilder {
        let builder = builder.endpoint_url(format!("http://{}", self.server.addr)).path_style(true);
        builder.region(REGION).anonymous().time_source(self.clock.clone())
    }

    /// A mount with a cache of 64 MiB.
    pub(super) fn cached(&self) -> (S3Proxy, Cache) {
        self.cached_by(Cache::builder(64 * MIB), |mount| mount)
    }

    pub(super) fn cached_by(
        &self,
        cache: CacheBuilder,
        change: impl FnOnce(MountBuilder) -> MountBuilder,
    ) -> (S3Proxy, Cache) {
        let cache = cache.build().unwrap();
        (proxy(change(self.mount()).cache(&cache)), cache)
    }

    /// Holds bodies at so many bytes.
    pub(super) fn gate(&self, at: u64) -> Gate {
        let (gate, held) = watch::channel(at);
        self.state().gate = Some(held);
        Gate(gate)
    }

    /// Keeps back answers.
    pub(super) fn hold(&self) -> Hold {
        let (hold, held) = watch::channel(());
        self.state().hold = Some(held);
        Hold(hold)
    }

    pub(super) fn fail(&self, fault: impl Into<Option<Fault>>) {
        self.state().fault = fault.into();
    }

    pub(super) fn seen(&self) -> Vec<Asked> {
        self.state().seen.clone()
    }

    /// How often it was asked since the last time that this was called.
    pub(super) fn asked(&self) -> usize {
        std::mem::take(&mut self.state().seen).len()
    }

    /// Bodies that are on their way.
    pub(super) fn open(&self) -> usize {
        self.state().open
    }

    /// Bodies that the other side did not want to their end.
    pub(super) fn given_up(&self) -> usize {
        self.state().given_up
    }

    /// Waits for something to be true of it.
    pub(super) async fn until(&self, is_so: impl Fn(&Self) -> bool) {
        let mut events = self.shared.events.subscribe();
        let waiting = async {
            while !is_so(self) {
                events.changed().await.unwrap();
            }
        };
        timeout(HANG, waiting).await.expect("the origin sees it");
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }
}

// === impl Gate ===

impl Gate {
    pub(super) fn open(&self) {
        self.move_to(u64::MAX);
    }

    pub(super) fn move_to(&self, at: u64) {
        self.0.send_replace(at);
    }
}

// === impl Shared ===

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn happened(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.events.send_modify(|count| *count += 1);
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Paced> {
        let (head, _) = request.into_parts();
        let (method, path) = (head.method.to_string(), head.uri.path().to_owned());
        let asked = Asked { method, path, fields: head.headers };
        // What is there when it is asked for, is what is answered with.
        let (object, fault) = {
            let state = self.state();
            (state.objects.get(&asked.path).cloned(), state.fault)
        };
        self.happened(|state| state.seen.push(asked.clone()));
        let hold = self.state().hold.clone();
        if let Some(mut hold) = hold {
            let _ = hold.changed().await;
        }
        let mut response = match (fault, object) {
            (Some(Fault::Refuses(status, code)), _) => refusal(&asked, status, code),
            (_, None) => refusal(&asked, 404, "NoSuchKey"),
            (_, Some(object)) => self.object(&asked, &object, fault),
        };
        let date = http_date(self.clock.now());
        response.headers_mut().entry("date").or_insert(date.parse().unwrap());
        response
    }

    fn object(self: &Arc<Self>, asked: &Asked, object: &Object, fault: Option<Fault>) -> Response<Paced> {
        let tag = object.fields.get("etag");
        let is_tag = |name: &str| asked.fields.get(name).map(|value| Some(value) == tag);
        let mut response = Response::new(Paced::of(Bytes::new()));
        response.headers_mut().extend(object.fields.clone());
        if is_tag("if-match") == Some(false) {
            return refusal(asked, 412, "PreconditionFailed");
        }
        if is_tag("if-none-match") == Some(true) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        let total = object.body.len() as u64;
        let mut body = object.body.clone();
        if let Some(range) = asked.fields.get("range") {
            let Some((first, last)) = resolve(range.to_str().unwrap(), total) else {
                return refusal(asked, 416, "InvalidRange");
            };
            body = body.slice(usize::try_from(first).unwrap()..=usize::try_from(last).unwrap());
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            let range = format!("bytes {first}-{last}/{total}");
            response.headers_mut().insert("content-range", range.parse().unwrap());
        }
        response.headers_mut().insert("content-length", body.len().into());
        if asked.method == "GET" {
            *response.body_mut() = self.pace(body, fault);
        }
        response
    }

    fn pace(self: &Arc<Self>, body: Bytes, fault: Option<Fault>) -> Paced {
        let gate = self.state().gate.clone();
        self.happened(|state| state.open += 1);
        let (sender, receiver) = mpsc::channel(1);
        let shared = Arc::clone(self);
        tokio::spawn(async move {
            let sent = send(body, gate, fault, &sender).await;
            shared.happened(|state| {
                state.open -= 1;
                state.given_up += usize::from(sent.is_none());
            });
        });
        Paced(receiver)
    }
}

/// In pieces, as far as the gate is open; `None` if nobody wants it any more.
async fn send(
    mut body: Bytes,
    mut gate: Option<watch::Receiver<u64>>,
    fault: Option<Fault>,
    to: &mpsc::Sender<io::Result<Bytes>>,
) -> Option<()> {
    let mut sent = 0;
    let cut = if let Some(Fault::Cut(at)) = fault { at } else { u64::MAX };
    while !body.is_empty() {
        let open = gate.as_ref().map_or(u64::MAX, |gate| *gate.borrow()).min(cut);
        let most = usize::try_from(open - sent).unwrap_or(usize::MAX).min(64 * 1024);
        if most > 0 {
            let piece = body.split_to(most.min(body.len()));
            sent += piece.len() as u64;
            to.send(Ok(piece)).await.ok()?;
        } else if open == cut {
            to.send(Err(io::ErrorKind::ConnectionReset.into())).await.ok()?;
            return Some(());
        } else if let Some(gate) = &mut gate {
            tokio::select! {
                changed = gate.changed() => changed.ok()?,
                () = to.closed() => return None,
            }
        }
    }
    Some(())
}

fn resolve(range: &str, total: u64) -> Option<(u64, u64)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let (first, last) = match (first.parse(), last.parse()) {
        (Ok(first), Ok(last)) => (first, u64::min(last, total.checked_sub(1)?)),
        (Ok(first), Err(_)) => (first, total.checked_sub(1)?),
        (Err(_), Ok(length)) => (total.saturating_sub(length), total.checked_sub(1)?),
        (Err(_), Err(_)) => return None,
    };
    (first <= last).then_some((first, last))
}

fn refusal(asked: &Asked, status: u16, code: &str) -> Response<Paced> {
    let xml = format!("<Error><Code>{code}</Code><Message>No.</Message></Error>");
    let body = if asked.method == "HEAD" { Bytes::new() } else { xml.into() };
    let mut response = Response::new(Paced::of(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/xml"));
    response
}

/// A body that comes from a task of its own.
#[derive(Debug)]
struct Paced(mpsc::Receiver<io::Result<Bytes>>);

// === impl Paced ===

impl Paced {
    fn of(bytes: Bytes) -> Self {
        let (sender, receiver) = mpsc::channel(1);
        if !bytes.is_empty() {
            sender.try_send(Ok(bytes)).unwrap();
        }
        Self(receiver)
    }
}

impl Body for Paced {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

/// Waits for something that nobody announces.
pub(super) async fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(HANG, waiting).await.unwrap_or_else(|_| panic!("{what}"));
}

/// Bytes that show where they are from.
pub(super) fn noise(length: usize, seed: u64) -> Bytes {
    let mut bytes = vec![0; length];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    bytes.into()
}
