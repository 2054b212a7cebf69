//! Responses made from an object whose head is in the cache.

use std::{sync::Arc, time::SystemTime};

use bytes::Bytes;
use http::{HeaderValue, Response, header::AGE};

use super::{
    answer::{Plan, respond},
    deliver::Doubt,
    object::Object,
    read::{Bucket, Fetch, Read, Wanted},
    step::{Learnt, Step},
};
use crate::{
    body::ObjectBody,
    cache::{CacheStatus, FillError, Found, Head, MountCache, Report, Segments, ServedAs, Source},
    error::{Failure, ProxyError, ProxyErrorKind},
    object::ObjectKey,
    origin::content_length,
    request::{ByteRange, Purpose},
    response::{Boundary, apply_disposition},
};

/// The source of a response's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadFrom {
    /// From the cache, or from another request's read.
    Cache,
    /// From S3, through the cache.
    S3,
    /// From S3, bypassing the cache, which has no room for the bytes.
    PastCache,
}

/// Provides the bytes of a state as a body gets to them: from the cache, or by a fill if they were evicted meanwhile.
struct Refill {
    object: Arc<Object>,
    head: Arc<Head>,
}

impl Fetch {
    /// The response, if the cache has all of it and it is fresh. Does not wait.
    pub(crate) fn recall(&self) -> Option<Response<ObjectBody>> {
        let cache = self.mount.0.cache.as_ref()?;
        let Bucket::Named(bucket) = &self.bucket else { return None };
        let head = cache.lookup(cache.object(bucket, &self.key, &self.edition))?;
        let now = self.mount.0.origin.now();
        let Wanted { read, asks, .. } = &self.wanted;
        let step = Step::of(Some(&head), read.method, asks, Learnt::Nothing, now);
        let mut response = match (step, &*head) {
            (Step::Serve, Head::Found(found)) => {
                let gather = |range, to: &mut Segments| cache.gather(found, range, to);
                match self.wanted.answer(&self.key, found, gather) {
                    Ok(response) => response?,
                    Err(failure) => self.refuse(failure),
                }
            }
            (Step::Missing, _) => self.refuse(ProxyError::new(ProxyErrorKind::NotFound).into()),
            _ => return None,
        };
        Refill::arm(&mut response, &head, || {
            let (mount, bucket) = (self.mount.clone(), bucket.clone());
            Arc::new(Object { mount, bucket, key: self.key.clone(), edition: self.edition.clone() })
        });
        let status = CacheStatus::hit(head.remaining(now));
        tell(cache, &mut response, &head, now, status);
        Some(response)
    }

    /// The same for a request that need pass no gate, and may be answered from the cache.
    pub(crate) fn recall_at_once(&self) -> Option<Response<ObjectBody>> {
        if self.gate.is_some() || self.may_redirect() { None } else { self.recall() }
    }

    fn refuse(&self, failure: Failure) -> Response<ObjectBody> {
        self.mount.refuse(failure, self.wanted.read.method, &self.key)
    }
}

impl Read {
    /// `None` if the object has changed.
    pub(super) async fn serve(
        &self,
        cache: &MountCache,
        head: &Arc<Head>,
        learnt: Learnt,
    ) -> Result<Option<(Response<ObjectBody>, ReadFrom)>, Failure> {
        let Head::Found(found) = &**head else { return Ok(None) };
        let key = &self.object.key;
        let object = || Arc::clone(&self.object);
        let only_if_cached = self.wanted.asks.control.only_if_cached;
        if only_if_cached || !cache.has_room_for_window(found) {
            let gather = |range, to: &mut Segments| cache.gather(found, range, to);
            return match self.wanted.answer(key, found, gather)? {
                Some(mut response) => {
                    Refill::arm(&mut response, head, object);
                    Ok(Some((response, ReadFrom::Cache)))
                }
                None if only_if_cached => Err(ProxyError::new(ProxyErrorKind::NotCached).into()),
                None => {
                    let response = self.past_cache(found).await?;
                    Ok(response.map(|response| (response, ReadFrom::PastCache)))
                }
            };
        }
        let (mut fills, mut has_joined) = (Vec::new(), false);
        let in_cache = self.object.in_cache(cache);
        let answer = self.wanted.answer(key, found, |range, to| {
            let gathered = cache.gather_or_ask(in_cache, found, range, to);
            fills.extend(gathered.asked);
            has_joined |= gathered.has_joined;
            true
        });
        // If the request has asked S3, the read in flight is its own.
        if has_joined && learnt == Learnt::Nothing {
            cache.count_joined();
        }
        let from = if fills.is_empty() { ReadFrom::Cache } else { ReadFrom::S3 };
        let Some(mut response) = answer? else { return Ok(None) };
        Refill::arm(&mut response, head, object);
        let ObjectBody::Segments(segments) = response.body_mut() else {
            return Ok(Some((response, from)));
        };
        // The response begins when the first one opens.
        self.object.begin(head, fills, |fill| match segments.opens_with(fill) {
            true => Purpose::Begin,
            false => Purpose::Continue,
        });
        match segments.opened().await {
            Ok(()) => Ok(Some((response, from))),
            Err(FillError::Changed) => Ok(None),
            Err(FillError::TurnedAway(failure) | FillError::Refused(failure)) => Err(*failure),
            Err(error @ FillError::Broken(_)) => {
                Err(ProxyError::from_source(ProxyErrorKind::OriginBroken, error).into())
            }
        }
    }

    async fn past_cache(&self, found: &Found) -> Result<Option<Response<ObjectBody>>, Failure> {
        let (read, total) = (&self.wanted.read, Some(found.total));
        let asked = match Plan::of(read, &found.fields, total, Boundary::random)? {
            Plan::Whole => self.ask_for(None, total).await,
            Plan::Part(range) => self.ask_for(Some(range), total).await,
            Plan::Parts(_) | Plan::Head | Plan::NotModified => return self.head_first().await.map(Some),
        };
        match asked {
            Ok(response) => Ok(Some(response)),
            Err(Doubt::Settled(failure)) => Err(*failure),
            Err(Doubt::OtherState | Doubt::Mismatch(_)) => Ok(None),
        }
    }
}

impl Wanted {
    /// The response to this request from an object with this head. `gather` provides the bytes of a range; `None` if it
    /// can't.
    fn answer(
        &self,
        key: &ObjectKey,
        found: &Found,
        mut gather: impl FnMut(ByteRange, &mut Segments) -> bool,
    ) -> Result<Option<Response<ObjectBody>>, Failure> {
        let plan = Plan::of(&self.read, &found.fields, Some(found.total), Boundary::random)?;
        let mut segments = Segments::default();
        let is_here = match &plan {
            Plan::NotModified | Plan::Head => true,
            Plan::Whole => {
                let all = found.total.checked_sub(1).and_then(|last| ByteRange::new(0, last));
                all.is_none_or(|all| gather(all, &mut segments))
            }
            Plan::Part(range) => gather(*range, &mut segments),
            Plan::Parts(plan) => {
                let is_here = plan.ranges().enumerate().all(|(n, range)| {
                    segments.push(plan.part_head(n).unwrap_or_default());
                    gather(range, &mut segments)
                });
                segments.push(plan.end());
                is_here
            }
        };
        if !is_here {
            return Ok(None);
        }
        let (status, mut headers) = plan.head(&found.fields, found.total);
        if let (Some(disposition), false) = (&self.disposition, matches!(plan, Plan::NotModified)) {
            apply_disposition(disposition, key, &mut headers);
        }
        Ok(Some(respond(status, headers, segments.into())))
    }
}

// === impl Refill ===

impl Refill {
    /// Gives a body the source for the rest of it, if it needs one.
    fn arm(response: &mut Response<ObjectBody>, head: &Arc<Head>, object: impl FnOnce() -> Arc<Object>) {
        if let ObjectBody::Segments(segments) = response.body_mut()
            && segments.needs_source()
        {
            segments.set_source(Box::new(Self { object: object(), head: Arc::clone(head) }));
        }
    }

    fn state(&self) -> Option<(&MountCache, &Found)> {
        Some((self.object.cache()?, self.head.found()?))
    }
}

impl Source for Refill {
    fn stored(&mut self, range: ByteRange) -> Option<Bytes> {
        let (cache, found) = self.state()?;
        cache.stored(self.object.in_cache(cache), found, range)
    }

    fn ask(&mut self, range: ByteRange, to: &mut Segments) {
        let Some((cache, found)) = self.state() else { return };
        let gathered = cache.refill(self.object.in_cache(cache), found, range, to);
        self.object.begin(&self.head, gathered.asked, |_| Purpose::Continue);
    }
}

/// Adds the fields that a cache adds to a response.
pub(super) fn tell(
    cache: &MountCache,
    response: &mut Response<ObjectBody>,
    head: &Head,
    now: SystemTime,
    status: CacheStatus,
) {
    let found = head.found();
    // RFC 9111 §5.1: `Age` is for a stored response; an error that was made now has none.
    if !response.status().is_client_error()
        && let Some(found) = found
    {
        let age = found.lifetime.age(now);
        response.headers_mut().insert(AGE, HeaderValue::from(age.as_secs()));
    }
    let is_stale = status.is_hit() && found.is_some_and(|found| found.is_stale(now));
    let freshness = if is_stale { ServedAs::Stale } else { ServedAs::Fresh };
    let bytes = length_of(response);
    cache.report(response, Report { status, freshness, bytes });
}

/// The length of the body that is sent.
fn length_of(response: &Response<ObjectBody>) -> u64 {
    match response.body() {
        ObjectBody::Empty | ObjectBody::Untold => 0,
        _ => content_length(response.headers()).unwrap_or_default(),
    }
}
