//! What S3's refusals teach: where the bucket is, what time it is, that the credentials are spent.

use std::sync::{Mutex, PoisonError};

use http::StatusCode;
use tokio::time::Instant;

use super::{
    Answer, OriginError, Refusal, S3ErrorCode, S3Origin, Target,
    lane::{Place, Sent},
};
use crate::request::{Question, ReadMethod};

impl S3Origin {
    /// Reads a refusal; asks once more if it teaches what to do better.
    pub(super) async fn recover(
        &self,
        target: Target<'_>,
        question: &Question,
        sent: Sent,
    ) -> Result<Answer, OriginError> {
        let Sent { answer, identity, place } = sent;
        let refusal = self.understand(target, question, &place, Refusal::read(answer).await).await?;
        let is_taught = match refusal.code {
            S3ErrorCode::ClockSkewed => refusal.date.is_some_and(|theirs| {
                let is_news = self.set_clock(theirs);
                tracing::warn!(is_news, "S3 refuses our clock; going by S3's from now on");
                is_news
            }),
            S3ErrorCode::Credentials => match (&self.credentials, &identity) {
                (Some(cache), Some(identity)) => {
                    cache.renew(identity).await.map_err(OriginError::Credentials)?
                }
                (None, _) | (_, None) => false,
            },
            _ => match refusal.elsewhere() {
                Some(region) if region != place.region => {
                    tracing::warn!(bucket = %target.bucket, from = place.region, to = region, "the bucket is in another region");
                    self.relocate(target.bucket, region).map_err(OriginError::Endpoint)?;
                    true
                }
                Some(_) | None => false,
            },
        };
        if !is_taught {
            return Ok(Answer::Refused(refusal));
        }
        let Sent { answer, place, .. } = self.send(target, question).await?;
        Ok(match answer.status() {
            status if status.is_success() => Answer::Found(answer),
            StatusCode::NOT_MODIFIED => Answer::NotModified(answer),
            _ => {
                let refusal = Refusal::read(answer).await;
                Answer::Refused(self.understand(target, question, &place, refusal).await?)
            }
        })
    }

    /// An answer to HEAD has no body, and 403 means a denied object or refused credentials: a GET tells which (S3 API,
    /// HeadObject: "it's not possible to retrieve the exact exception").
    async fn understand(
        &self,
        target: Target<'_>,
        question: &Question,
        place: &Place,
        refusal: Refusal,
    ) -> Result<Refusal, OriginError> {
        let is_ambiguous = matches!(
            refusal.status,
            StatusCode::MOVED_PERMANENTLY
                | StatusCode::TEMPORARY_REDIRECT
                | StatusCode::BAD_REQUEST
                | StatusCode::UNAUTHORIZED
                | StatusCode::FORBIDDEN
        );
        if question.method == ReadMethod::Get
            || !is_ambiguous
            || !refusal.is_mute()
            || refusal.elsewhere().is_some_and(|region| region != place.region)
        {
            return Ok(refusal);
        }
        if !self.explainer.may_ask() {
            let code = self.explainer.latest(refusal.status);
            return Ok(Refusal { code, ..refusal });
        }
        let answer = self.send(target, &Question::first_byte()).await?.answer;
        if answer.status().is_success() {
            return Ok(refusal);
        }
        let refusal = Refusal::read(answer).await;
        self.explainer.learn(&refusal);
        Ok(refusal)
    }
}

/// Keeps the GETs that explain HEADs rare: a bucket that denies everything must not be asked everything twice.
#[derive(Debug, Default)]
pub(super) struct Explainer(Mutex<Explained>);

#[derive(Debug, Default)]
struct Explained {
    /// When the current second began, and how often was asked since.
    second: Option<(Instant, u32)>,
    latest: Option<(StatusCode, S3ErrorCode)>,
}

const PER_SECOND: u32 = 20;

// === impl Explainer ===

impl Explainer {
    fn may_ask(&self) -> bool {
        let mut explained = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        match &mut explained.second {
            Some((begin, count)) if now.duration_since(*begin).as_secs() == 0 => {
                *count += 1;
                *count <= PER_SECOND
            }
            second => {
                *second = Some((now, 1));
                true
            }
        }
    }

    fn learn(&self, refusal: &Refusal) {
        let mut explained = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        explained.latest = Some((refusal.status, refusal.code));
    }

    /// What this status meant of late.
    fn latest(&self, status: StatusCode) -> S3ErrorCode {
        let explained = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        explained.latest.filter(|(known, _)| *known == status).map_or(S3ErrorCode::Other, |(_, code)| code)
    }
}
