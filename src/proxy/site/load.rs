//! Reading what the bucket says of a website, once for all requests.

use std::sync::Arc;

use super::read_text::{Reading, unasked};
use crate::{
    config::{Live, Mount, ReleasePolicy, RuleFile, RuleFiles, Seen, SiteSource, Snapshot},
    error::{ProxyError, ProxyErrorKind, in_one_line},
    object::ObjectKey,
    published::{Complaint, Deployed, FieldRules, Look, Redirects, release_ids},
};

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
        // What is missing was told with its name.
        if let Err(error) = &outcome
            && error.kind() != ProxyErrorKind::NotFound
        {
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
        if live.source == SiteSource::Bucket {
            let of_bucket = self.of_bucket(last.and_then(|last| last.of_bucket.as_ref())).await?;
            return Ok(Snapshot { of_bucket: Some(of_bucket), ..Snapshot::default() });
        }
        let mut snapshot = Snapshot { deployed, ..Snapshot::default() };
        if live.rules.is_some() {
            let last = last.and_then(|last| last.rules.as_ref());
            snapshot.rules = Some(self.rules(&snapshot, last).await?);
        }
        Ok(snapshot)
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
                if last.is_none() {
                    tracing::warn!(%mount, object, "no object names a release yet: the site is missing until there is one");
                }
                return stays(None).ok_or_else(|| ProxyError::new(ProxyErrorKind::NotFound));
            }
            Reading::Unreadable(why, tag) => {
                tracing::error!(%mount, object, goes_on = last.is_some(), "the object names no release: {why}");
                return stays(tag).ok_or_else(|| ProxyError::new(ProxyErrorKind::OriginMisconfigured));
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

    /// The rules of the current release, or of the mount.
    async fn rules(&self, snapshot: &Snapshot, last: Option<&RuleFiles>) -> Result<RuleFiles, ProxyError> {
        let folder = self.0.website.as_ref().and_then(|site| snapshot.folder(site, 0)).ok_or_else(unasked)?;
        let [fields, redirects] = RuleFiles::NAMES.map(|name| self.0.keys.key(&format!("{folder}{name}")));
        let (fields, redirects) = (fields.map_err(|_| unasked())?, redirects.map_err(|_| unasked())?);
        Ok(RuleFiles {
            fields: self.rule_file(fields, last.map(|last| &last.fields), FieldRules::parse).await?,
            redirects: self.rule_file(redirects, last.map(|last| &last.redirects), Redirects::parse).await?,
        })
    }

    /// One file of rules. What is wrong with it is told once for each of its versions.
    async fn rule_file<T: Default>(
        &self,
        key: ObjectKey,
        last: Option<&RuleFile<T>>,
        parse: fn(&str) -> (T, Vec<Complaint>),
    ) -> Result<RuleFile<T>, ProxyError> {
        let last = last.filter(|last| last.key == key);
        let (mount, file) = (&self.0.path, key.as_str());
        let tag = last.and_then(|last| last.seen.tag.as_ref());
        let (tag, value) = match self.read_text(&key, tag).await? {
            Reading::Same => {
                let seen = last.map(|last| Arc::clone(&last.seen)).ok_or_else(unasked)?;
                return Ok(RuleFile { key, seen });
            }
            Reading::Missing => (None, T::default()),
            Reading::Unreadable(why, tag) => {
                tracing::error!(%mount, file, "this file of rules has no effect: {why}");
                (tag, T::default())
            }
            Reading::Text(text, tag) => {
                let (rules, complaints) = parse(&text);
                for Complaint { line, why } in complaints.iter().take(MOST_TOLD) {
                    tracing::warn!(%mount, file, line, "this line has no effect: {why}");
                }
                if let Some(more @ 1..) = complaints.len().checked_sub(MOST_TOLD) {
                    tracing::warn!(%mount, file, more, "more lines have no effect");
                }
                (tag, rules)
            }
        };
        Ok(RuleFile { key, seen: Arc::new(Seen { tag, value }) })
    }
}

/// Of the lines of a file that have no effect.
const MOST_TOLD: usize = 20;
