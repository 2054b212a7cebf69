//! Learns from S3's refusals: the bucket's region, S3's clock, and that credentials are no longer valid.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use http::{Response, StatusCode};
use tokio::time::Instant;

use super::{
    Answer, Identity, OriginError, Refusal, S3ErrorCode, S3Origin, Target, WireBody,
    s3::{BucketEndpoint, Sent},
    wire::Reuse,
};
use crate::{
    explained,
    object::BucketName,
    request::{Question, ReadMethod},
};

impl S3Origin {
    /// Reads a refusal, and repeats the request once if the refusal says how to correct it.
    pub(super) async fn recover(
        &self,
        target: Target<'_>,
        question: &Question,
        sent: Sent,
    ) -> Result<Answer, OriginError> {
        let Sent { answer, identity, place, at } = sent;
        let refusal =
            self.understand(target, question, &place, self.refusal(target.bucket, answer).await).await?;
        refused_as(&refusal);
        if !self.learn(target.bucket, &refusal, &place, identity.as_ref(), at).await? {
            return Ok(Answer::Refused(refusal));
        }
        let Sent { answer, place, .. } = self.send(target, question, Reuse::Allowed).await?;
        Ok(match answer.status() {
            status if status.is_success() => Answer::Found(answer),
            StatusCode::NOT_MODIFIED => Answer::NotModified(answer),
            _ => {
                let refusal = self.refusal(target.bucket, answer).await;
                refused_as(&refusal);
                Answer::Refused(self.understand(target, question, &place, refusal).await?)
            }
        })
    }

    /// Learns what a refusal says of a request of this time. Returns whether the same request would be another now.
    pub(super) async fn learn(
        &self,
        bucket: &BucketName,
        refusal: &Refusal,
        place: &BucketEndpoint,
        identity: Option<&Arc<Identity>>,
        at: SystemTime,
    ) -> Result<bool, OriginError> {
        Ok(match refusal.code {
            S3ErrorCode::ClockSkewed => refusal.date.is_some_and(|theirs| {
                tracing::warn!(?at, ?theirs, "S3 refuses our clock; we adopt S3's");
                self.clock.set(theirs);
                // Another request may have corrected the clock meanwhile: only the time that this request was signed
                // with counts.
                distance(at, self.now()) > CLOCK_TOLERANCE
            }),
            S3ErrorCode::Credentials => match (&place.credentials, identity) {
                (Some(cache), Some(identity)) => {
                    cache.renew(identity).await.map_err(OriginError::Credentials)?
                }
                (None, _) | (_, None) => false,
            },
            _ => match refusal.elsewhere() {
                Some(region) if region != place.region => {
                    tracing::warn!(%bucket, from = place.region, to = region, "the bucket is in another region");
                    self.relocate(bucket, region).map_err(OriginError::Endpoint)?;
                    true
                }
                Some(_) | None => false,
            },
        })
    }

    /// What S3 says, without what it may have repeated of the request.
    pub(super) async fn refusal(&self, bucket: &BucketName, answer: Response<WireBody>) -> Refusal {
        self.without_secrets(bucket, Refusal::read(answer).await)
    }

    pub(super) fn without_secrets(&self, bucket: &BucketName, mut refusal: Refusal) -> Refusal {
        let secrets = self.secrets(Some(bucket));
        secrets.hide_in(&mut refusal.body.message);
        secrets.hide_in(&mut refusal.body.code);
        let code = &mut refusal.body.code;
        if code.len() > LONGEST_CODE {
            *code = code.chars().take(LONGEST_CODE).collect();
        }
        refusal
    }

    /// A response to HEAD has no body, and 403 means a denied object or refused credentials: a GET tells which (S3 API,
    /// HeadObject: "it's not possible to retrieve the exact exception").
    async fn understand(
        &self,
        target: Target<'_>,
        question: &Question,
        place: &BucketEndpoint,
        refusal: Refusal,
    ) -> Result<Refusal, OriginError> {
        let is_ambiguous = match refusal.status {
            StatusCode::MOVED_PERMANENTLY | StatusCode::TEMPORARY_REDIRECT => true,
            // 404 is what it says, and so are those that ask for patience.
            StatusCode::NOT_FOUND
            | StatusCode::GONE
            | StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS => false,
            status => status.is_client_error() && refusal.code == S3ErrorCode::Other,
        };
        if question.method == ReadMethod::Get
            || !is_ambiguous
            || !refusal.is_mute()
            || refusal.elsewhere().is_some_and(|region| region != place.region)
        {
            return Ok(refusal);
        }
        if let Some(code) = self.explainer.known(target.bucket, refusal.status) {
            return Ok(Refusal { code, ..refusal });
        }
        let answer = self.send(target, &Question::check(), Reuse::Allowed).await?.answer;
        if answer.status().is_success() {
            return Ok(refusal);
        }
        let refusal = self.refusal(target.bucket, answer).await;
        self.explainer.learn(target.bucket, &refusal);
        Ok(refusal)
    }
}

fn refused_as(refusal: &Refusal) {
    explained::note(|facts| {
        if let Some(ask) = facts.asks.last_mut().filter(|_| !refusal.body.code.is_empty()) {
            ask.code = Some(refusal.body.code.clone());
        }
    });
}

/// In bytes. S3's own have half of it at most.
const LONGEST_CODE: usize = 64;

fn distance(one: SystemTime, other: SystemTime) -> Duration {
    one.duration_since(other).unwrap_or_else(|behind| behind.duration())
}

/// `Date` has whole seconds, and takes some time to arrive.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(5);

/// Limits the GETs that explain HEADs: a bucket that denies everything must not get every request twice.
#[derive(Debug, Default)]
pub(super) struct Explainer(Mutex<Explained>);

#[derive(Debug, Default)]
struct Explained {
    /// The start of the current second, and the number of GETs since.
    second: Option<(Instant, u32)>,
    denied: Option<Denied>,
}

/// The latest explanation that is not our fault.
#[derive(Debug)]
struct Denied {
    at: Instant,
    bucket: BucketName,
    status: StatusCode,
}

/// Beyond that, the latest explanation for the bucket must do.
const PER_SECOND: u32 = 20;
const KNOWN_FOR: Duration = Duration::from_secs(5);

// === impl Explainer ===

impl Explainer {
    /// The known meaning of the status, once the limit is reached. Refused credentials are never assumed.
    fn known(&self, bucket: &BucketName, status: StatusCode) -> Option<S3ErrorCode> {
        let mut explained = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        match &mut explained.second {
            Some((begin, count)) if now.duration_since(*begin).as_secs() == 0 => *count += 1,
            second => *second = Some((now, 1)),
        }
        let is_enough = explained.second.is_some_and(|(_, count)| count > PER_SECOND);
        let denied = explained.denied.as_ref().filter(|denied| {
            denied.bucket == *bucket && denied.status == status && now.duration_since(denied.at) < KNOWN_FOR
        });
        denied.filter(|_| is_enough).map(|_| S3ErrorCode::AccessDenied)
    }

    fn learn(&self, bucket: &BucketName, refusal: &Refusal) {
        if refusal.code == S3ErrorCode::AccessDenied {
            let denied = Denied { at: Instant::now(), bucket: bucket.clone(), status: refusal.status };
            self.0.lock().unwrap_or_else(PoisonError::into_inner).denied = Some(denied);
        }
    }
}
