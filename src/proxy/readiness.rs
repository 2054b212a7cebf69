use std::{sync::Arc, time::Duration};

use http::StatusCode;
use tokio::{
    sync::Mutex,
    task::JoinSet,
    time::{Instant, timeout},
};

use crate::{
    config::Mount,
    error::{ProxyError, ProxyErrorKind},
    fetch::from_origin_error,
    object::BucketName,
    origin::{Answer, Refusal, S3ErrorCode, Target},
    request::Question,
    route::BucketSource,
};

/// Whether requests can be served. Whoever asks gets the answer of one probe, which is remembered for a moment: health checks
/// come from anybody, and each probe asks S3 once for every mount.
#[derive(Debug, Default)]
pub(crate) struct Readiness(Arc<Mutex<Option<Probed>>>);

#[derive(Debug, Clone)]
struct Probed {
    at: Instant,
    outcome: Result<(), ProxyError>,
}

/// How long an answer stands.
const REMEMBERED: Duration = Duration::from_secs(1);

/// For all mounts, which are asked at once.
const LIMIT: Duration = Duration::from_secs(5);

// === impl Readiness ===

impl Readiness {
    /// The error of the first mount, in their order, that is not ready.
    pub(crate) async fn ask(&self, mounts: &[Mount]) -> Result<(), ProxyError> {
        // Held while S3 is asked: those who come meanwhile wait for that answer.
        let mut probed = Arc::clone(&self.0).lock_owned().await;
        if let Some(Probed { outcome, .. }) = probed.as_ref().filter(|last| last.at.elapsed() < REMEMBERED) {
            return outcome.clone();
        }
        let mounts = mounts.to_vec();
        // In a task of its own: a client that hangs up does not make the next one begin anew.
        let probe = tokio::spawn(async move {
            let outcome = timeout(LIMIT, probe_all(&mounts)).await.unwrap_or_else(|elapsed| {
                Err(ProxyError::from_source(ProxyErrorKind::OriginTimeout, elapsed))
            });
            *probed = Some(Probed { at: Instant::now(), outcome: outcome.clone() });
            outcome
        });
        probe.await.unwrap_or_else(|ended| Err(ProxyError::from_source(ProxyErrorKind::OriginTimeout, ended)))
    }
}

async fn probe_all(mounts: &[Mount]) -> Result<(), ProxyError> {
    let with_sets = mounts.iter().flat_map(|mount| {
        let sets = mount.0.sets.iter().map(|(_, mount)| mount);
        std::iter::once(mount).chain(sets)
    });
    let mut probes = JoinSet::new();
    for (n, mount) in with_sets.cloned().enumerate() {
        probes.spawn(async move { (n, mount.is_ready().await) });
    }
    let mut outcomes = probes.join_all().await;
    outcomes.sort_unstable_by_key(|(n, _)| *n);
    outcomes.into_iter().try_for_each(|(_, outcome)| outcome)
}

// === impl Mount ===

impl Mount {
    /// Whether it can answer: from its own bucket, or from the replica.
    async fn is_ready(&self) -> Result<(), ProxyError> {
        match (self.is_answered().await, &self.0.replica) {
            (Err(why), Some(replica)) => replica.mount.is_answered().await.map_err(|_| why),
            (answered, _) => answered,
        }
    }

    async fn is_answered(&self) -> Result<(), ProxyError> {
        match &self.0.bucket {
            BucketSource::Fixed(bucket) => self.probe(bucket).await,
            BucketSource::FromPath(_) | BucketSource::Resolver(_) => {
                self.0.origin.has_credentials().await.map_err(|error| from_origin_error(error).error)
            }
        }
    }

    /// Requests one byte of a key that need not exist: any response about the key shows that S3 accepts our requests.
    pub(crate) async fn probe(&self, bucket: &BucketName) -> Result<(), ProxyError> {
        let key = self.0.keys.key(PROBE_KEY).map_err(|_| ProxyError::new(ProxyErrorKind::BadRequest))?;
        let target = Target { bucket, key: &key, version: None };
        let refusal = match self.0.origin.read(target, &Question::check()).await {
            Ok(Answer::Found(_) | Answer::NotModified(_)) => return Ok(()),
            Ok(Answer::Refused(refusal)) => refusal,
            Err(error) => {
                let error = from_origin_error(error).error;
                return match error.kind() {
                    // Full of requests that S3 answers: busy, but ready.
                    ProxyErrorKind::Overloaded => Ok(()),
                    _ => Err(error),
                };
            }
        };
        let absence = match refusal.code {
            S3ErrorCode::AccessDenied => self.absence(bucket).await,
            _ => None,
        };
        match self.error_kind(refusal.status, refusal.code, absence) {
            // Nothing is wrong with this key: S3 dislikes something else.
            ProxyErrorKind::NotFound | ProxyErrorKind::Forbidden | ProxyErrorKind::BadRequest
                if is_complaint(&refusal) =>
            {
                Err(ProxyError::from_origin_code(ProxyErrorKind::OriginBroken, refusal.body.code))
            }
            ProxyErrorKind::NotFound | ProxyErrorKind::Forbidden => Ok(()),
            // An empty object has no first byte.
            _ if refusal.code == S3ErrorCode::InvalidRange => Ok(()),
            kind => Err(ProxyError::from_origin_code(kind, refusal.body.code)),
        }
    }
}

/// Whether S3 refuses a key for another reason than that it is not there, or not for us.
fn is_complaint(refusal: &Refusal) -> bool {
    match refusal.code {
        S3ErrorCode::UnusableKey | S3ErrorCode::InvalidArgument => true,
        S3ErrorCode::Unknown => !matches!(refusal.status, StatusCode::NOT_FOUND | StatusCode::GONE),
        _ => false,
    }
}

const PROBE_KEY: &str = "tower-s3-proxy-ready";
