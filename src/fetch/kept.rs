//! Answers made of an object that memory has the head of.

use std::{sync::Arc, time::SystemTime};

use http::{
    HeaderValue, Response, StatusCode,
    header::{AGE, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE},
};

use super::{Doubt, Fetch, deliver::respond, look_up::Share, source::Source};
use crate::{
    body::ObjectBody,
    cache::{CacheStatus, Found, Head, Memory, RunError, Segments},
    error::{Failure, ProxyError, ProxyErrorKind},
    object::Validators,
    origin::content_length,
    request::{ByteRange, ReadMethod, Verdict},
    response::{HeaderPolicy, apply_disposition},
};

/// Where the bytes of an answer come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadFrom {
    /// Or from what others read.
    Memory,
    /// By way of memory.
    S3,
    /// From S3, with an answer of its own: memory has no room for the bytes.
    PastMemory,
}

impl Fetch {
    /// `None` if the object has changed. Of a request that has asked S3, or waited for that, the read under way is its
    /// own, or was counted as another's.
    pub(super) async fn serve(
        &self,
        source: &Arc<Source>,
        memory: &Memory,
        head: &Arc<Head>,
        has_asked: bool,
    ) -> Result<Option<(Response<ObjectBody>, ReadFrom)>, Failure> {
        let Head::Found(found) = &**head else { return Ok(None) };
        let only_if_cached = self.asks.control.only_if_cached;
        let is_large = found.total > memory.cache.0.settings.max_object;
        if only_if_cached || is_large || !memory.cache.0.may_read(found) {
            return match self.answer(found, |range, to| memory.gather(found, range, to))? {
                Some(response) => Ok(Some((response, ReadFrom::Memory))),
                None if only_if_cached => Err(ProxyError::new(ProxyErrorKind::NotCached).into()),
                None => {
                    let response = self.read_past_memory(source, found).await?;
                    Ok(response.map(|response| (response, ReadFrom::PastMemory)))
                }
            };
        }
        let (mut runs, mut has_joined) = (Vec::new(), false);
        let object = memory.object(&source.bucket, &source.key, &source.edition);
        let answer = self.answer(found, |range, to| {
            let gathered = memory.gather_or_ask(object, found, range, to);
            runs.extend(gathered.asked);
            has_joined |= gathered.has_joined;
            true
        });
        if has_joined && !has_asked {
            memory.cache.0.counters.coalesced.add(1);
        }
        let from = if runs.is_empty() { ReadFrom::Memory } else { ReadFrom::S3 };
        source.begin(head, runs);
        let Some(mut response) = answer? else { return Ok(None) };
        let ObjectBody::Segments(segments) = response.body_mut() else { return Ok(Some((response, from))) };
        match segments.opened().await {
            Ok(()) => Ok(Some((response, from))),
            Err(RunError::Changed) => Ok(None),
            Err(RunError::Refused(failure)) => Err(*failure),
            Err(error @ RunError::Broken(_)) => {
                Err(ProxyError::from_source(ProxyErrorKind::OriginBroken, error).into())
            }
        }
    }

    async fn read_past_memory(
        &self,
        source: &Source,
        found: &Found,
    ) -> Result<Option<Response<ObjectBody>>, Failure> {
        let shared = match self.share(&found.fields) {
            Share::Whole => self.ask_for(&source.bucket, None, &found.fields).await,
            Share::One(range) => self.ask_for(&source.bucket, Some(range), &found.fields).await,
            Share::Several(_) => return self.look_up(&source.bucket).await.map(Some),
            Share::Nothing { total } => return Err(Failure::unsatisfiable(total)),
        };
        match shared {
            Ok(response) => Ok(Some(response)),
            Err(Doubt::Settled(failure)) => Err(*failure),
            Err(Doubt::OtherState | Doubt::Misfit(_)) => Ok(None),
        }
    }

    /// The answer to this request from an object with this head. `gather` brings the bytes of a range; `None` if it
    /// can't.
    pub(super) fn answer(
        &self,
        found: &Found,
        mut gather: impl FnMut(ByteRange, &mut Segments) -> bool,
    ) -> Result<Option<Response<ObjectBody>>, Failure> {
        if !self.read.conditions.is_empty() {
            match self.read.conditions.evaluate(Validators::of(&found.fields), self.now()) {
                Verdict::Proceed => {}
                Verdict::NotModified => {
                    let fields = HeaderPolicy::without_content(&found.fields);
                    return Ok(Some(respond(StatusCode::NOT_MODIFIED, fields, ObjectBody::Empty)));
                }
                Verdict::Failed => return Err(ProxyError::new(ProxyErrorKind::PreconditionFailed).into()),
            }
        }
        let mut headers = found.fields.clone();
        if let Some(disposition) = &self.disposition {
            apply_disposition(disposition, &self.key, &mut headers);
        }
        if self.read.method == ReadMethod::Head {
            return Ok(Some(respond(StatusCode::OK, headers, ObjectBody::Empty)));
        }
        let mut segments = Segments::default();
        let (status, is_here) = match self.share(&found.fields) {
            Share::Whole => {
                let all = found.total.checked_sub(1).and_then(|last| ByteRange::new(0, last));
                (StatusCode::OK, all.is_none_or(|all| gather(all, &mut segments)))
            }
            Share::One(range) => {
                headers.insert(CONTENT_LENGTH, HeaderValue::from(range.len()));
                headers.insert(CONTENT_RANGE, range.content_range(found.total));
                (StatusCode::PARTIAL_CONTENT, gather(range, &mut segments))
            }
            Share::Several(plan) => {
                headers.insert(CONTENT_TYPE, plan.content_type());
                headers.insert(CONTENT_LENGTH, plan.content_length().into());
                let mut is_here = true;
                for (n, range) in plan.ranges().enumerate() {
                    segments.push(plan.part_head(n).unwrap_or_default());
                    is_here = is_here && gather(range, &mut segments);
                }
                segments.push(plan.end());
                (StatusCode::PARTIAL_CONTENT, is_here)
            }
            Share::Nothing { total } => return Err(Failure::unsatisfiable(total)),
        };
        Ok(is_here.then(|| respond(status, headers, segments.into())))
    }
}

/// Adds what a cache has to say of an answer from it.
pub(super) fn tell(response: &mut Response<ObjectBody>, head: &Head, now: SystemTime, status: CacheStatus) {
    // RFC 9111 §5.1: of the stored answer; an error that was made now has none.
    if !response.status().is_client_error()
        && let Some(found) = head.found()
    {
        let age = found.lifetime.age(now);
        response.headers_mut().insert(AGE, HeaderValue::from(age.as_secs()));
    }
    status.append_to(response.headers_mut());
}

/// Of the body that goes out.
pub(super) fn length_of(response: &Response<ObjectBody>) -> u64 {
    match response.body() {
        ObjectBody::Empty | ObjectBody::Untold => 0,
        _ => content_length(response.headers()).unwrap_or_default(),
    }
}
