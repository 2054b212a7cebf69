//! Reading what the bucket says of a website, once for all requests.

use std::sync::Arc;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{ETAG, IF_NONE_MATCH},
};
use http_body_util::{BodyExt, Empty, Limited};

use super::super::is_missing;
use crate::{
    body::ResponseBody,
    cache::RequestControl,
    config::{Live, Mount, ReleasePolicy, Seen, Snapshot},
    error::{ProxyError, ProxyErrorKind, in_one_line},
    fetch::{Asks, Bucket, Elsewhere, Fetch, Finish, Wanted},
    object::{Edition, ObjectKey},
    published::{Deployed, Look, release_ids},
    request::{ReadMethod, ReadRequest},
    route::BucketSource,
};

/// A small object, read again.
enum Reading {
    /// It has the tag that is known.
    Same,
    Missing,
    Text(String, Option<HeaderValue>),
}

/// In bytes: of an object that the proxy reads for itself.
const MAX_TEXT: usize = 64 * 1024;

// === impl Mount ===

impl Mount {
    /// What the bucket says of the website. The first request waits for it, and so does the first after a purge; others take what is
    /// known, and see to it that it is read again when it is time.
    pub(super) async fn snapshot(&self, live: &Live) -> Result<Arc<Snapshot>, ProxyError> {
        let look = || live.watched.look(self.0.origin.now(), self.epoch(live), live.refresh);
        match look() {
            Look::Fresh(outcome) => outcome,
            Look::Due(snapshot) => {
                if let Some(turn) = live.watched.try_turn() {
                    let mount = self.clone();
                    tokio::spawn(async move {
                        // The error is in the log, and what is known goes on.
                        let _ = mount.read_again().await;
                        drop(turn);
                    });
                }
                Ok(snapshot)
            }
            Look::Outdated => {
                let turn = live.watched.turn().await;
                // Another may have read it meanwhile.
                match look() {
                    Look::Fresh(outcome) => return outcome,
                    Look::Due(snapshot) => return Ok(snapshot),
                    Look::Outdated => {}
                }
                let mount = self.clone();
                // In a task of its own: a client that hangs up does not make the next one begin anew.
                let reading = tokio::spawn(async move {
                    let outcome = mount.read_again().await;
                    drop(turn);
                    outcome
                });
                let ended = |ended| Err(ProxyError::from_source(ProxyErrorKind::OriginTimeout, ended));
                reading.await.unwrap_or_else(ended)
            }
        }
    }

    fn epoch(&self, live: &Live) -> u64 {
        self.0.cache.as_ref().map_or(0, |cache| live.objects().map(|key| cache.epoch(key)).sum())
    }

    async fn read_again(&self) -> Result<Arc<Snapshot>, ProxyError> {
        let live = self.0.website.as_ref().and_then(|site| site.live.as_ref());
        let Some(live) = live else { return Ok(Arc::default()) };
        // Before S3 is asked: what changes meanwhile is read again.
        let (now, epoch) = (self.0.origin.now(), self.epoch(live));
        let last = live.watched.last();
        let outcome = self.read_site(live, last.as_deref()).await;
        if let Err(error) = &outcome {
            let source = std::error::Error::source(error).map(in_one_line);
            let goes_on = last.is_some();
            tracing::warn!(mount = %self.0.path, source, goes_on, "the website was not read again: {error}");
        }
        live.watched.keep(outcome.map(Arc::new), now, epoch)
    }

    async fn read_site(&self, live: &Live, last: Option<&Snapshot>) -> Result<Snapshot, ProxyError> {
        let deployed = match &live.releases {
            Some(releases) => {
                Some(self.deployed(releases, last.and_then(|last| last.deployed.as_ref())).await?)
            }
            None => None,
        };
        Ok(Snapshot { deployed })
    }

    /// The releases, by the object that names the current one. While that object is none, the last one stays.
    async fn deployed(
        &self,
        policy: &ReleasePolicy,
        last: Option<&Seen<Deployed>>,
    ) -> Result<Seen<Deployed>, ProxyError> {
        let (mount, object) = (&self.0.path, policy.current.as_str());
        let stays = |tag| last.map(|last| Seen { tag, value: last.value.clone() });
        let (text, tag) = match self
            .read_text(&policy.current, last.and_then(|last| last.tag.as_ref()))
            .await?
        {
            Reading::Same => return last.cloned().ok_or_else(unasked),
            Reading::Missing => {
                // Told once: there is no tag the next time.
                if last.is_some_and(|last| last.tag.is_some()) {
                    tracing::error!(%mount, object, "no object names the current release any more: the last one stays");
                }
                return stays(None).ok_or_else(|| ProxyError::new(ProxyErrorKind::NotFound));
            }
            Reading::Text(text, tag) => (text, tag),
        };
        let before = last.map(|last| &last.value);
        let deployed = release_ids(&text).map(|ids| Deployed::after(before, &ids, policy.keep));
        let value = match deployed {
            Ok(Some(deployed)) => deployed,
            Ok(None) => return Err(unasked()),
            Err(why) => {
                tracing::error!(%mount, object, goes_on = last.is_some(), "the object names no release: {why}");
                let error = || ProxyError::from_source(ProxyErrorKind::OriginMisconfigured, why);
                return stays(tag).ok_or_else(error);
            }
        };
        if before.is_none_or(|before| before.current != value.current) {
            let release = value.current.as_str();
            let before = before.map(|before| before.current.as_str());
            tracing::info!(%mount, release, before, "serving a release");
        }
        Ok(Seen { tag, value })
    }

    /// Reads a small object as S3 has it now, unless it has this tag.
    async fn read_text(&self, key: &ObjectKey, known: Option<&HeaderValue>) -> Result<Reading, ProxyError> {
        let BucketSource::Fixed(bucket) = &self.0.bucket else { return Err(unasked()) };
        let condition: HeaderMap = known.map(|tag| (IF_NONE_MATCH, tag.clone())).into_iter().collect();
        let fetch = Fetch {
            mount: self.clone(),
            bucket: Bucket::Named(bucket.clone()),
            key: key.clone(),
            edition: Edition::default(),
            wanted: Wanted {
                read: ReadRequest::new(ReadMethod::Get, &condition),
                disposition: None,
                asks: Asks { control: AS_IT_IS_NOW, elsewhere: Elsewhere::Never },
            },
            gate: None,
            finish: Finish::default(),
        };
        let response = fetch.run().await;
        if is_missing(&response) {
            return Ok(Reading::Missing);
        }
        match (response.status(), response.extensions().get::<ProxyError>()) {
            (StatusCode::NOT_MODIFIED, _) => return Ok(Reading::Same),
            (StatusCode::OK, _) => {}
            (_, Some(error)) => return Err(error.clone()),
            (_, None) => return Err(ProxyError::new(ProxyErrorKind::OriginBroken)),
        }
        let (head, body) = response.into_parts();
        let body = ResponseBody::<Empty<Bytes>>::object(body);
        let bytes = Limited::new(body, MAX_TEXT).collect().await.map_err(|why| {
            tracing::error!(
                key = key.as_str(),
                "no more than {MAX_TEXT} bytes of this object are read: {why}"
            );
            ProxyError::from_source(ProxyErrorKind::OriginMisconfigured, why)
        })?;
        let text = String::from_utf8(bytes.to_bytes().into())
            .map_err(|why| ProxyError::from_source(ProxyErrorKind::OriginMisconfigured, why))?;
        Ok(Reading::Text(text, head.headers.get(ETAG).cloned()))
    }
}

/// Only what S3 has just confirmed, and nothing in its place.
const AS_IT_IS_NOW: RequestControl = RequestControl {
    no_cache: true,
    no_store: false,
    only_if_cached: false,
    max_age: None,
    min_fresh: None,
    max_stale: Some(0),
    stale_if_error: Some(0),
};

/// An answer to a question that was not asked.
fn unasked() -> ProxyError {
    ProxyError::new(ProxyErrorKind::OriginBroken)
}
