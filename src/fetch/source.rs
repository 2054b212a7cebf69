use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::SystemTime,
};

use bytes::Bytes;
use http_body::Frame;
use tokio::time::{Instant, timeout};

use super::from_origin_error;
use crate::{
    body::Stretch,
    cache::{Found, Head, INLINE, Memory, ObjectId, Run, RunError, Weigh},
    config::Mount,
    error::BoxError,
    object::{BucketName, Edition, ObjectKey, Validators},
    origin::{Answer, Asked, BodyLength, Extent, OriginError, S3ErrorCode, Target},
    request::Question,
};

/// Where the bytes of one object come from. Outlives the request that began to read it.
pub(super) struct Source {
    pub(super) mount: Mount,
    pub(super) bucket: BucketName,
    pub(super) key: ObjectKey,
    pub(super) edition: Edition,
}

// === impl Source ===

impl Source {
    pub(super) async fn ask(&self, question: &Question) -> Result<Answer, OriginError> {
        let target = Target { bucket: &self.bucket, key: &self.key, version: self.edition.version.as_ref() };
        self.mount.0.origin.read(target, question).await
    }

    pub(super) fn now(&self) -> SystemTime {
        self.mount.0.origin.now()
    }

    pub(super) fn memory(&self) -> Option<&Memory> {
        self.mount.0.memory.as_ref()
    }

    pub(super) fn id(&self, memory: &Memory) -> ObjectId {
        memory.object(&self.bucket, &self.key, &self.edition).to_owned()
    }

    /// Begins the reads that a gathering asked for, each in a task of its own: no client slows another down.
    pub(super) fn begin(self: &Arc<Self>, head: &Arc<Head>, runs: Vec<Arc<Run>>) {
        for run in runs {
            let reading = Reading { source: Arc::clone(self), head: Arc::clone(head), run };
            tokio::spawn(async move {
                let Reading { source, head, run } = &reading;
                let Head::Found(found) = &**head else { return };
                match source.open(run, found).await {
                    Ok(stretch) => {
                        run.open();
                        source.pump(run, head, found, stretch).await;
                    }
                    Err(error) => {
                        // An outage says nothing of the object: what is here of it is as good as before.
                        if !matches!(&error, RunError::Refused(failure) if failure.is_outage()) {
                            source.forget(head);
                        }
                        run.fail(error);
                    }
                }
            });
        }
    }

    /// Begins with an answer that is there already.
    pub(super) fn begin_with(self: &Arc<Self>, head: &Arc<Head>, run: &Arc<Run>, stretch: Stretch) {
        run.open();
        let reading = Reading { source: Arc::clone(self), head: Arc::clone(head), run: Arc::clone(run) };
        tokio::spawn(async move {
            let Reading { source, head, run } = &reading;
            let Head::Found(found) = &**head else { return };
            source.pump(run, head, found, stretch).await;
        });
    }

    async fn open(&self, run: &Run, found: &Found) -> Result<Stretch, RunError> {
        let object = Validators::of(&found.fields);
        let question = Question::part(run.range, object.tag);
        let refused = |error| RunError::Refused(Box::new(from_origin_error(error).into()));
        let answer = match self.ask(&question).await.map_err(refused)? {
            Answer::Found(answer) => answer,
            Answer::NotModified(_) => return Err(RunError::Changed),
            Answer::Refused(refusal) => match refusal.code {
                S3ErrorCode::PreconditionFailed | S3ErrorCode::InvalidRange => {
                    return Err(RunError::Changed);
                }
                _ => return Err(RunError::Refused(Box::new(self.mount.refused(refusal)))),
            },
        };
        let (head, body) = answer.into_parts();
        if !Validators::of(&head.headers).is_same_state(object) {
            return Err(RunError::Changed);
        }
        let asked = Asked { range: question.range, total: Some(found.total) };
        match Extent::of(asked, head.status, &head.headers, BodyLength::of(&head, &body)) {
            Ok(Extent::Part { range, skip, end, .. }) if range == run.range => {
                Ok(Stretch::new(body, skip, range.len(), end))
            }
            Ok(_) => Err(RunError::Changed),
            Err(misfit) => Err(RunError::Broken(misfit.to_string().into())),
        }
    }

    /// Hands on what comes, and keeps it if it came whole.
    async fn pump(&self, run: &Arc<Run>, head: &Arc<Head>, found: &Found, mut stretch: Stretch) {
        let Some(memory) = self.memory() else { return };
        let settings = &memory.cache.0.settings;
        let mut last = Instant::now();
        loop {
            // A connection that went dead would be waited for by all who come, for ever.
            let left = self.mount.0.silence.saturating_sub(last.elapsed());
            let frame = match timeout(left, next(&mut stretch, run)).await {
                Ok(Next::Frame(frame)) => frame,
                Err(elapsed) => Some(Err(elapsed.into())),
                Ok(Next::Abandoned) => {
                    let share = run.range.len().saturating_mul(settings.background_fill_threshold) / 100;
                    if run.give_up(|received| received >= share) {
                        return;
                    }
                    continue;
                }
            };
            match frame {
                Some(Ok(frame)) => {
                    last = Instant::now();
                    let data = frame.into_data().unwrap_or_default();
                    memory.cache.0.counters.bytes_fetched.add(data.len() as u64);
                    run.push(data);
                }
                Some(Err(error)) => {
                    self.forget(head);
                    return run.fail(RunError::Broken(error.to_string().into()));
                }
                None => break,
            }
        }
        self.keep(memory, run, head, found);
        run.complete();
    }

    fn keep(&self, memory: &Memory, run: &Run, head: &Arc<Head>, found: &Found) {
        let shared = &memory.cache.0;
        let size = shared.settings.block_size;
        if run.range.len() == found.total && found.total <= INLINE as u64 {
            let blocks = run.blocks();
            let body = match &*blocks {
                [block] => block.clone(),
                blocks => shared.pages.copy(blocks),
            };
            let whole = Arc::new(Head::Found(Box::new(found.with_body(body))));
            shared.store.replace_head(self.id(memory).borrowed(), head, whole);
            return;
        }
        if let Ok(first) = u32::try_from(run.range.first() / u64::from(size)) {
            let blocks = run.blocks();
            shared.make_room();
            shared.store.put_blocks(found.state, first, blocks);
            // Had it been purged meanwhile, nobody would find them any more.
            let is_kept = shared.store.head(self.id(memory).borrowed());
            if is_kept.and_then(|head| head.state()) != Some(found.state) {
                shared.store.forget_blocks(found.state, found.total);
            }
        }
    }

    /// What could not be read to its end leaves nothing behind.
    fn forget(&self, head: &Arc<Head>) {
        let Some(memory) = self.memory() else { return };
        memory.cache.0.remove_if(&self.id(memory), head);
    }
}

/// A run that is being read. However its task ends, by a panic too or with its runtime, nobody goes on waiting for it.
struct Reading {
    source: Arc<Source>,
    head: Arc<Head>,
    run: Arc<Run>,
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.run.cut_off();
        if let (Some(memory), Head::Found(found)) = (self.source.memory(), &*self.head) {
            memory.cache.0.runs.remove(found.state, &self.run);
        }
    }
}

enum Next {
    Frame(Option<Result<Frame<Bytes>, BoxError>>),
    Abandoned,
}

async fn next(stretch: &mut Stretch, run: &Run) -> Next {
    let mut abandoned = pin!(run.abandoned());
    poll_fn(|cx| {
        if let Poll::Ready(frame) = stretch.poll_frame(cx) {
            return Poll::Ready(Next::Frame(frame));
        }
        abandoned.as_mut().poll(cx).map(|()| Next::Abandoned)
    })
    .await
}
