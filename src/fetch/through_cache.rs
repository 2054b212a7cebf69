//! The path of a read on a mount with a cache.

use std::{future::Future, sync::Arc};

use http::Response;

use super::{
    forward::Forwarded,
    from_cache::{ReadFrom, tell},
    read::{Read, Wanted},
    step::{Learnt, Step},
};
use crate::{
    body::ObjectBody,
    cache::{CacheStatus, Detail, Forward, Head, MountCache, Reason, Report, Turn},
    error::{Failure, ProxyError, ProxyErrorKind},
};

/// How often a request starts over because the stored object was gone when it was needed.
const ATTEMPTS: usize = 4;

/// The progress of a request.
#[derive(Default)]
struct Course {
    /// How the request for the head was forwarded to S3.
    forward: Option<Forward>,
    /// The stored head at the time of the request to S3.
    before: Option<Arc<Head>>,
    /// Whether it has waited for a request that had begun before it.
    has_waited: bool,
}

/// The next step after a turn of the loop.
enum Next {
    Answered(Response<ObjectBody>),
    /// Look into the cache again.
    Again,
    /// Ask S3 as if there were no cache.
    Bypass,
}

impl Read {
    /// The response, from the cache as far as possible, and from S3.
    pub(super) async fn through_cache(&self, cache: &MountCache) -> Result<Response<ObjectBody>, Failure> {
        let mut course = Course::default();
        let object = self.object.in_cache(cache);
        let Wanted { read, asks, .. } = &self.wanted;
        for _ in 0..ATTEMPTS {
            let head = cache.lookup(object);
            let learnt = course.learnt(head.as_ref());
            let step = Step::of(head.as_deref(), read.method, asks, learnt, self.object.now());
            let step = step.sparing(head.as_deref(), self.object.mount.0.origin.level());
            let next = match (step, &head) {
                (Step::Serve | Step::ServeUnconfirmed, Some(head)) => {
                    self.serve_stored(cache, head, &mut course).await?
                }
                (Step::ServeStale, Some(head)) => {
                    self.object.revalidate_behind(cache, head);
                    self.serve_stored(cache, head, &mut course).await?
                }
                (Step::Missing, Some(head)) => Next::Answered(self.still_missing(cache, head)),
                (Step::NotCached, _) => return Err(ProxyError::new(ProxyErrorKind::NotCached).into()),
                (Step::Ask(reason), _) => self.take_turn(cache, head, reason, &mut course).await?,
                (
                    Step::Bypass | Step::Serve | Step::ServeStale | Step::ServeUnconfirmed | Step::Missing,
                    _,
                ) => Next::Bypass,
            };
            match next {
                Next::Answered(response) => return Ok(response),
                Next::Again => {}
                Next::Bypass => break,
            }
        }
        let mut response = self.ask_s3().await?;
        let status = CacheStatus::forward(Forward::new(Reason::Bypass));
        cache.report(&mut response, Report::of(status));
        Ok(response)
    }

    async fn serve_stored(
        &self,
        cache: &MountCache,
        head: &Arc<Head>,
        course: &mut Course,
    ) -> Result<Next, Failure> {
        let now = self.object.now();
        let learnt = course.learnt(Some(head));
        let forward = course.forward.take();
        let Some((mut response, from)) = self.serve(cache, head, learnt).await? else {
            // Another state has replaced it meanwhile.
            cache.forget(&self.object.id(cache), head);
            // If S3 contradicts its previous response, the request bypasses the cache and gets one response.
            return Ok(if forward.is_some() { Next::Bypass } else { Next::Again });
        };
        if from == ReadFrom::PastCache {
            let reason = forward.map_or(Reason::Miss, |forward| forward.reason);
            report_past_cache(cache, &mut response, reason);
            return Ok(Next::Answered(response));
        }
        let ttl = head.remaining(now);
        let forward = forward.or((from == ReadFrom::S3).then_some(Forward::new(Reason::Partial)));
        let status = match forward {
            Some(forward) => CacheStatus::forward(Forward { ttl: Some(ttl), ..forward }),
            None => CacheStatus::hit(ttl),
        };
        tell(cache, &mut response, head, now, status);
        Ok(Next::Answered(response))
    }

    fn still_missing(&self, cache: &MountCache, head: &Head) -> Response<ObjectBody> {
        let failure = ProxyError::new(ProxyErrorKind::NotFound).into();
        let mount = &self.object.mount;
        let mut response = mount.refuse(failure, self.wanted.read.method, &self.object.key);
        let now = self.object.now();
        let status = CacheStatus::hit(head.remaining(now));
        tell(cache, &mut response, head, now, status);
        response
    }

    /// Requests the head from S3 and answers with it, or waits for a request that is under way.
    async fn take_turn(
        &self,
        cache: &MountCache,
        head: Option<Arc<Head>>,
        reason: Reason,
        course: &mut Course,
    ) -> Result<Next, Failure> {
        let id = self.object.id(cache);
        let control = &self.wanted.asks.control;
        let stale = head.as_ref().filter(|head| head.found().is_some());
        let forward = Forward::new(reason);
        // A response that came meanwhile is enough, unless the client requires a request to S3.
        let is_due = || {
            let now = cache.lookup(id.borrowed());
            control.no_cache || now.as_ref().map(Arc::as_ptr) == head.as_ref().map(Arc::as_ptr)
        };
        let failure = match cache.turn(&id, is_due) {
            Turn::Late => return Ok(Next::Again),
            Turn::Follow(follow) => {
                cache.count_joined();
                match self.in_time(cache, stale, follow.outcome()).await {
                    None => Failure::late(),
                    // With `no-cache`, S3 must be asked after the client's request (RFC 9111 §5.2.1.4). The awaited
                    // request began before it; the next one does not.
                    Some(_) if control.no_cache && !std::mem::replace(&mut course.has_waited, true) => {
                        return Ok(Next::Again);
                    }
                    Some(None) => return Ok(Next::Again),
                    Some(Some(Ok(()))) => {
                        course.asked(Forward { collapsed: true, ..forward }, stale);
                        return Ok(Next::Again);
                    }
                    Some(Some(Err(failure))) => failure,
                }
            }
            Turn::Lead(lead) => match self.in_time(cache, stale, self.forward(cache, stale)).await {
                // Others may wait longer, or have no stale object: the request to S3 continues as long as it takes.
                None => {
                    if let Some(stale) = stale {
                        self.object.go_on_behind(lead, stale);
                    }
                    Failure::late()
                }
                Some(Ok(Forwarded::Stored(head))) => {
                    lead.tell(Ok(()));
                    course.asked(Forward { stored: true, ..forward }, stale);
                    return self.serve_stored(cache, &head, course).await;
                }
                Some(Ok(Forwarded::Lost)) => {
                    lead.tell(Ok(()));
                    return Ok(Next::Bypass);
                }
                Some(Ok(Forwarded::Answered(mut response))) => {
                    lead.tell(Ok(()));
                    let stored = cache.lookup(id.borrowed());
                    let has_head =
                        stored.is_some_and(|stored| stored.found().is_some() && is_newer(&stored, stale));
                    let detail = if has_head { Detail::NoRoom } else { Detail::NotStorable };
                    let status = CacheStatus::forward(forward).with_detail(detail);
                    cache.report(&mut response, Report::of(status));
                    return Ok(Next::Answered(*response));
                }
                Some(Err(failure)) => {
                    lead.tell(Err(failure.clone()));
                    failure
                }
            },
        };
        self.or_stale(cache, stale, failure).await
    }

    /// A stale object in place of an error, if that is allowed (RFC 5861 §4).
    async fn or_stale(
        &self,
        cache: &MountCache,
        stale: Option<&Arc<Head>>,
        failure: Failure,
    ) -> Result<Next, Failure> {
        let now = self.object.now();
        let found = stale.and_then(|head| head.found()).filter(|_| failure.is_outage());
        let (Some(head), Some(found)) =
            (stale, found.filter(|found| found.may_stand_in(now, &self.wanted.asks.control)))
        else {
            // What the replica sends does not go through the cache.
            return if failure.is_outage() && self.object.is_apart() {
                Ok(Next::Bypass)
            } else {
                Err(failure)
            };
        };
        found.back_off(now);
        let asked = Learnt::Asked { is_newer: false };
        let Some((mut response, from)) = self.serve(cache, head, asked).await? else { return Err(failure) };
        if from == ReadFrom::PastCache {
            report_past_cache(cache, &mut response, Reason::Stale);
        } else {
            let detail = if failure.is_late() { Detail::OriginSlow } else { Detail::OriginError };
            let status = CacheStatus::hit(head.remaining(now)).with_detail(detail);
            tell(cache, &mut response, head, now, status);
        }
        Ok(Next::Answered(response))
    }

    /// The outcome of a request to S3; `None` if a stale object can stand in, and the client has waited long enough.
    async fn in_time<T>(
        &self,
        cache: &MountCache,
        stale: Option<&Arc<Head>>,
        question: impl Future<Output = T>,
    ) -> Option<T> {
        let control = &self.wanted.asks.control;
        let may_stand_in = stale
            .and_then(|head| head.found())
            .is_some_and(|found| found.may_stand_in(self.object.now(), control));
        if !may_stand_in {
            return Some(question.await);
        }
        tokio::time::timeout(cache.stale_if_error_after(), question).await.ok()
    }
}

// === impl Course ===

impl Course {
    fn asked(&mut self, forward: Forward, before: Option<&Arc<Head>>) {
        self.forward = Some(forward);
        self.before = before.cloned();
    }

    fn learnt(&self, head: Option<&Arc<Head>>) -> Learnt {
        match self.forward {
            None => Learnt::Nothing,
            Some(_) => {
                Learnt::Asked { is_newer: head.is_some_and(|head| is_newer(head, self.before.as_ref())) }
            }
        }
    }
}

/// Reports a response that came from S3 directly, although its object's head is stored.
fn report_past_cache(cache: &MountCache, response: &mut Response<ObjectBody>, reason: Reason) {
    let status = CacheStatus::forward(Forward::new(reason)).with_detail(Detail::NoRoom);
    cache.report(response, Report::of(status));
}

/// Whether it has replaced the previously stored head.
fn is_newer(head: &Arc<Head>, before: Option<&Arc<Head>>) -> bool {
    !before.is_some_and(|before| Arc::ptr_eq(before, head))
}
