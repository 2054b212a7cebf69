//! Reads that the replica answers.

use http::StatusCode;
use tokio::time::Instant;

use super::object::Object;
use crate::{
    config::{AbsentObject, Replica, ReplicaCache},
    object::BucketName,
    origin::{Answer, OriginError, S3ErrorCode, Target},
    request::Question,
};

impl Object {
    /// Asks the bucket, or its replica if that does not answer.
    pub(super) async fn ask(&self, question: &Question) -> Result<Answer, OriginError> {
        let answered = self.ask_own(question).await;
        match &self.mount.0.replica {
            // Boxed: rare, and large beside the rest.
            Some(replica) if replica.stands_in(&answered) => {
                Box::pin(self.ask_replica(replica, question, answered)).await
            }
            Some(_) | None => answered,
        }
    }

    /// Asks for what is to be stored.
    pub(super) async fn ask_for_cache(&self, question: &Question) -> Result<Answer, OriginError> {
        match self.is_apart() {
            true => self.ask_own(question).await,
            false => self.ask(question).await,
        }
    }

    /// Whether a replica may have what must not be stored.
    pub(super) fn is_apart(&self) -> bool {
        self.mount.0.replica.as_ref().is_some_and(|replica| replica.cache == ReplicaCache::Apart)
    }

    async fn ask_own(&self, question: &Question) -> Result<Answer, OriginError> {
        let target = Target { bucket: &self.bucket, key: &self.key, version: self.edition.version.as_ref() };
        self.mount.0.origin.read(target, question).await
    }

    /// The replica's response, or the first one if that is no better.
    async fn ask_replica(
        &self,
        replica: &Replica,
        question: &Question,
        own: Result<Answer, OriginError>,
    ) -> Result<Answer, OriginError> {
        let bucket = replica.bucket(&self.bucket);
        let target = Target { bucket, key: &self.key, version: self.edition.version.as_ref() };
        let answer = match replica.mount.0.origin.read(target, question).await {
            Ok(answer @ (Answer::Found(_) | Answer::NotModified(_))) => answer,
            // The range lies outside the object.
            Ok(Answer::Refused(refusal)) if refusal.code == S3ErrorCode::InvalidRange => {
                Answer::Refused(refusal)
            }
            // That it is missing there, or of another state, says little: a replica lags behind.
            Ok(Answer::Refused(_)) => return own,
            Err(error) => {
                tracing::debug!(%bucket, why = crate::error::in_one_line(&error), "the replica does not answer");
                return own;
            }
        };
        self.failed_over(bucket);
        Ok(answer)
    }

    /// The same object in the replica.
    pub(super) fn at(&self, replica: &Replica) -> Self {
        let (bucket, key) = (replica.bucket(&self.bucket).clone(), self.key.clone());
        Self { mount: replica.mount.clone(), bucket, key, edition: self.edition.clone() }
    }

    pub(super) fn failed_over(&self, bucket: &BucketName) {
        let mount = &self.mount.0;
        mount.origin.resilience.counters.failed_over();
        if let Some(count) = mount.tallies.failed_over.add(Instant::now()) {
            tracing::warn!(bucket = %self.bucket, replica = %bucket, count, "the replica answers");
        }
    }
}

impl Replica {
    fn stands_in(&self, answered: &Result<Answer, OriginError>) -> bool {
        match answered {
            Ok(Answer::Refused(refusal)) if refusal.status == StatusCode::NOT_FOUND => {
                let is_object = matches!(refusal.code, S3ErrorCode::NoSuchKey | S3ErrorCode::Other);
                self.absent == AbsentObject::AskReplica && is_object
            }
            answered => answered.as_ref().map_or_else(OriginError::is_outage, Answer::is_outage),
        }
    }
}
