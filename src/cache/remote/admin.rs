mod answer;
mod guesses;
mod order;
mod token;
mod warm;

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, atomic::AtomicUsize},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Uri, request::Parts};
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tower::Service;

use self::token::Denial;
pub(crate) use self::warm::{WarmRun, Warmer};
use self::{
    answer::Answer,
    guesses::Guesses,
    order::{Misorder, Order, Place},
    warm::WarmPlace,
};
pub use self::{
    token::{AdminToken, InvalidToken},
    warm::AdminBody,
};
use super::{PurgeMode, PurgeTarget, Purger, event::S3Event};
use crate::error::BoxError;

/// A service that purges the cache over HTTP. Mount it where its users can reach it, and others cannot.
///
/// | request | response |
/// |---|---|
/// | `POST /purge?bucket=…&key=…` | `{"purged":n}`: the number of objects purged |
/// | `POST /purge?bucket=…&prefix=…` | the same; an empty prefix is the whole bucket |
/// | `POST /purge?all` | the same, for all buckets |
/// | `POST /events`, the body an [`S3Event`] of at most 256 KiB | the same, for the objects that the event names |
/// | `GET /stats` | the counters of the cache |
/// | `POST /warm?bucket=…&prefix=…`, or `key=…` | lines of JSON with the progress, two a second; only [with mounts](Self::with_mounts) |
/// | `POST /reload` | `{"reloaded":true}`, or 409 with the reason; only [with a function](Self::with_reload) |
///
/// With mounts that have one bucket, `bucket` can be left out. A warming ends when its client closes the connection; four can be
/// under way at a time.
///
/// `&soft` makes a purge mark objects stale instead of dropping them
/// ([`PurgeMode::Soft`](crate::cache::PurgeMode::Soft)). On `/purge`, `DELETE` and `PURGE` do the same as `POST`.
/// Values are encoded as in forms: `+` is a space.
///
/// Every request must show the token as `Authorization: Bearer …`. On `/events` it may also be the password of any user
/// (`Authorization: Basic …`), since SNS can send nothing else: subscribe `https://sns:TOKEN@host/…/events`. The
/// address that confirms the subscription is then in the log and in the response (`subscribe_urls`); nothing is
/// fetched. The token is sent as plain text: use TLS, or do not expose the service beyond the host.
///
/// The response to a refused request is JSON with the member `error`: 401 without the token, 400 for a malformed
/// request, 404, 405, 413 for an event that is too long, 408 for one that does not arrive within 10 seconds. Wrong
/// tokens are answered one after the other, ten a second, and logged; while 64 wait, others get 429.
#[derive(Clone)]
pub struct CacheAdmin(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    token: AdminToken,
    purger: Arc<dyn Purger>,
    stats: Arc<dyn Fn() -> String + Send + Sync>,
    guesses: Arc<Guesses>,
    warmer: Option<Arc<dyn Warmer>>,
    warmings: Arc<AtomicUsize>,
    reload: Option<Arc<Reload>>,
}

/// Serves another configuration from now on.
type Reload = dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>> + Send + Sync;

/// The future of a [`CacheAdmin`]'s response.
pub struct AdminFuture(Kind);

enum Kind {
    Ready(Option<Response<AdminBody>>),
    Later(Pin<Box<dyn Future<Output = Response<AdminBody>> + Send>>),
}

// === impl CacheAdmin ===

impl CacheAdmin {
    /// `stats` gives the counters as JSON.
    pub(crate) fn new(
        token: AdminToken,
        purger: Arc<dyn Purger>,
        stats: impl Fn() -> String + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner {
            token,
            purger,
            stats: Arc::new(stats),
            guesses: Arc::default(),
            warmer: None,
            warmings: Arc::default(),
            reload: None,
        }))
    }

    pub(crate) fn with_warmer(self, warmer: Arc<dyn Warmer>) -> Self {
        Self(Arc::new(Inner { warmer: Some(warmer), ..Inner::clone(&self.0) }))
    }

    /// Takes `POST /reload`, too, and calls this function, which reads the program's configuration again and
    /// [reloads the layer](crate::S3ProxyLayer::reload). Its error is the client's answer.
    #[must_use]
    pub fn with_reload<F, Fut>(self, reload: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        let reload: Arc<Reload> = Arc::new(move || Box::pin(reload()));
        Self(Arc::new(Inner { reload: Some(reload), ..Inner::clone(&self.0) }))
    }
}

impl<B> Service<Request<B>> for CacheAdmin
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type Response = Response<AdminBody>;
    type Error = Infallible;
    type Future = AdminFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> AdminFuture {
        let (Parts { method, uri, headers, .. }, body) = request.into_parts();
        let answer = match self.0.admit(&method, &uri, &headers) {
            Err(Answer::Denied(Denial::WrongToken, schemes)) => {
                let inner = Arc::clone(&self.0);
                return AdminFuture(Kind::Later(Box::pin(async move {
                    let answer = match inner.guesses.wait().await {
                        true => Answer::Denied(Denial::WrongToken, schemes),
                        false => Answer::TooManyGuesses,
                    };
                    answer.into_response(&method)
                })));
            }
            Err(refusal) => refusal,
            Ok(Order::Purge(target, mode)) => {
                let purged = self.0.purger.purge(&target, mode);
                tracing::info!(?target, ?mode, purged, "purged by request");
                Answer::Purged { objects: purged, subscribe_urls: Vec::new() }
            }
            Ok(Order::Stats) => Answer::Stats((self.0.stats)()),
            Ok(Order::Warm(target)) => self.0.warm(target),
            Ok(Order::Reload) => match &self.0.reload {
                Some(reload) => {
                    let reloading = reload();
                    return AdminFuture(Kind::Later(Box::pin(async move {
                        let answer = match reloading.await {
                            Ok(()) => Answer::Reloaded,
                            Err(why) => Answer::NotReloaded(why.to_string()),
                        };
                        answer.into_response(&method)
                    })));
                }
                None => Answer::Misordered(Misorder::NoSuchPath),
            },
            Ok(Order::PurgeByEvent(mode)) => {
                let inner = Arc::clone(&self.0);
                return AdminFuture(Kind::Later(Box::pin(async move {
                    let answer = match read(body).await {
                        Ok(json) => inner.purge_by_event(&json, mode),
                        Err(refusal) => refusal,
                    };
                    answer.into_response(&method)
                })));
            }
        };
        AdminFuture(Kind::Ready(Some(answer.into_response(&method))))
    }
}

impl fmt::Debug for CacheAdmin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheAdmin").field("token", &self.0.token).finish_non_exhaustive()
    }
}

// === impl Inner ===

impl Inner {
    /// Without the token, a client does not even learn which paths exist.
    fn admit(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<Order, Answer> {
        let place = Place::at(uri.path());
        let schemes = place.schemes();
        self.token.admit(headers, schemes).map_err(|denial| Answer::Denied(denial, schemes))?;
        let only_bucket = || self.warmer.as_ref()?.only_bucket();
        Order::parse(place, method, uri.query(), only_bucket).map_err(Answer::Misordered)
    }

    fn warm(&self, target: PurgeTarget) -> Answer {
        let Some(warmer) = &self.warmer else { return Answer::Misordered(Misorder::NoSuchPath) };
        let Some(place) = WarmPlace::take(&self.warmings) else { return Answer::TooManyWarmings };
        match warmer.warm(target) {
            Ok(run) => Answer::Warming(run, place),
            Err(why) => Answer::NotWarmed(why),
        }
    }

    fn purge_by_event(&self, json: &[u8], mode: PurgeMode) -> Answer {
        let event = match S3Event::parse(json) {
            Ok(event) => event,
            Err(error) => return Answer::InvalidEvent(error),
        };
        let subscribe_urls = event.subscribe_urls().to_vec();
        for url in &subscribe_urls {
            tracing::warn!(
                ?url,
                "a topic asks to confirm its subscription: visit this address if that is intended"
            );
        }
        let named = event.changed().len();
        let objects = event.purge(&*self.purger, mode);
        tracing::info!(named, ?mode, purged = objects, "purged by event");
        Answer::Purged { objects, subscribe_urls }
    }
}

async fn read<B>(body: B) -> Result<Bytes, Answer>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    if body.size_hint().lower() > MAX_EVENT_BYTES as u64 {
        return Err(Answer::EventTooLong);
    }
    match tokio::time::timeout(EVENT_TIMEOUT, Limited::new(body, MAX_EVENT_BYTES).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Answer::EventTooLong),
        Ok(Err(_)) => Err(Answer::EventBroken),
        Err(_) => Err(Answer::EventTooSlow),
    }
}

/// The longest message of SNS. S3's events take a few KiB.
const MAX_EVENT_BYTES: usize = 256 * 1024;

/// SNS itself gives up after 15 s.
const EVENT_TIMEOUT: Duration = Duration::from_secs(10);

// === impl AdminFuture ===

impl Future for AdminFuture {
    type Output = Result<Response<AdminBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Kind::Ready(response) => Poll::Ready(Ok(response.take().expect("not polled after it was ready"))),
            Kind::Later(future) => future.as_mut().poll(cx).map(Ok),
        }
    }
}

impl fmt::Debug for AdminFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Ready(_) => "AdminFuture::Ready",
            Kind::Later(_) => "AdminFuture::Later",
        })
    }
}
