//! Objects whose length nobody knows before their end: in parts, a few of which are in memory.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderName, HeaderValue};
use http_body_util::BodyExt;
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
    task::{JoinError, JoinSet},
    time::{sleep, timeout},
};

use super::{checksum::Comparison, fields::WriteRefusal};
use crate::{
    config::Mount,
    error::{BoxError, Failure, ProxyError, ProxyErrorKind},
    fetch::from_origin_error,
    object::{BucketName, ObjectKey},
    origin::{Change, Changed, PART_SIZE, PartError, PartedUpload, Target, Upload, UploadedPart},
};

/// An object as it comes from its client, in parts.
pub(super) struct Incoming {
    pub(super) body: Upload,
    /// How much may still come, in bytes.
    pub(super) left: u64,
    pub(super) comparison: Comparison,
    /// How long the client may send nothing.
    pub(super) silence: Duration,
    /// What came behind the end of a part.
    pub(super) rest: Bytes,
}

/// A part of an object, with its room in memory.
struct Part {
    bytes: Bytes,
    is_last: bool,
}

/// The way of an object to S3, which leaves nothing behind if it does not come to its end.
struct Sending {
    mount: Mount,
    /// `None` when it is completed.
    upload: Option<PartedUpload>,
    tasks: JoinSet<Result<Sent, PartError>>,
    sent: Vec<Sent>,
    next: i32,
}

struct Sent {
    number: i32,
    part: UploadedPart,
    room: Option<OwnedSemaphorePermit>,
}

/// Where an object goes, and with which fields.
pub(super) struct Destination<'a> {
    pub(super) mount: &'a Mount,
    pub(super) bucket: &'a BucketName,
    pub(super) key: &'a ObjectKey,
    pub(super) fields: Vec<(HeaderName, HeaderValue)>,
    pub(super) conditions: Vec<(HeaderName, HeaderValue)>,
}

/// How long an upload waits for memory.
const PATIENCE: Duration = Duration::from_secs(5);

/// Parts of one object on their way at the same time.
const PARTS_AT_ONCE: usize = 4;

// === impl Destination ===

impl Destination<'_> {
    /// Writes the object. S3 has it only if all of it came, and is what its checksums say.
    pub(super) async fn write(
        self,
        mut incoming: Incoming,
        memory: &Arc<Semaphore>,
    ) -> Result<Changed, Failure> {
        let Self { mount, bucket, key, fields, conditions } = self;
        let target = Target { bucket, key, version: None };
        let origin = &mount.0.origin;
        let room = wait_for(memory).await?;
        let mut part = incoming.part().await?;
        if part.is_last {
            incoming.compare()?;
            let change = Change::put_whole(fields.into_iter().chain(conditions).collect(), part.bytes);
            return origin.change(target, change).await.map_err(from_origin_error);
        }
        let begun = begin(mount.clone(), bucket.clone(), key.clone(), fields).await;
        let mut sending = begun.map_err(|why| why.into_failure(mount, bucket))?;
        sending.send(part.bytes, room);
        loop {
            let room = sending.room(memory).await.map_err(|why| why.into_failure(mount, bucket))?;
            part = incoming.part().await?;
            let is_last = part.is_last;
            // The part before ended with the object.
            if !part.bytes.is_empty() {
                sending.send(part.bytes, room);
            }
            if is_last {
                break;
            }
        }
        incoming.compare()?;
        sending.complete(conditions).await.map_err(|why| why.into_failure(mount, bucket))
    }
}

/// Begins an upload in a task of its own: S3 may have begun one when its client goes, and nobody but the answer knows its id.
async fn begin(
    mount: Mount,
    bucket: BucketName,
    key: ObjectKey,
    fields: Vec<(HeaderName, HeaderValue)>,
) -> Result<Sending, Broken> {
    let task = tokio::spawn(async move {
        let target = Target { bucket: &bucket, key: &key, version: None };
        let upload = mount.0.origin.begin_parts(target, fields).await.map_err(Broken::Part)?;
        // Dropped, with what it began, if nobody waits for it any more.
        Ok(Sending::new(mount, upload))
    });
    task.await.unwrap_or_else(|why| Err(Broken::Task(why)))
}

async fn wait_for(memory: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Failure> {
    let permit = timeout(PATIENCE, Arc::clone(memory).acquire_owned()).await.ok().and_then(Result::ok);
    permit.ok_or_else(|| {
        let why = "the memory for uploads of unknown length is in use (memory)";
        ProxyError::from_source(ProxyErrorKind::Overloaded, why).into()
    })
}

// === impl Incoming ===

impl Incoming {
    /// The next part: a full one, or the last.
    async fn part(&mut self) -> Result<Part, Failure> {
        // Of room that is not written to, the kernel makes no memory; growing would copy, and leave holes.
        let mut buffer = BytesMut::with_capacity(PART_SIZE.max(self.rest.len()));
        buffer.extend_from_slice(&std::mem::take(&mut self.rest));
        while buffer.len() < PART_SIZE {
            let Some(piece) = self.piece().await? else {
                return Ok(Part { bytes: buffer.freeze(), is_last: true });
            };
            let missing = PART_SIZE - buffer.len();
            let (now, later) = piece.split_at_checked(missing).unwrap_or((&piece, &[]));
            buffer.extend_from_slice(now);
            self.rest = piece.slice_ref(later);
        }
        Ok(Part { bytes: buffer.freeze(), is_last: false })
    }

    /// What comes next from the client.
    async fn piece(&mut self) -> Result<Option<Bytes>, Failure> {
        let unfinished =
            |why: BoxError| Failure::from(ProxyError::from_source(ProxyErrorKind::UnfinishedRequest, why));
        loop {
            let frame =
                timeout(self.silence, self.body.frame()).await.map_err(|why| unfinished(why.into()))?;
            let Some(frame) = frame else { return Ok(None) };
            // A client's trailer fields are of no use to S3.
            let Ok(data) = frame.map_err(unfinished)?.into_data() else { continue };
            self.left = self
                .left
                .checked_sub(data.len() as u64)
                .ok_or_else(|| ProxyError::from_source(ProxyErrorKind::TooLarge, WriteRefusal::TooLarge))?;
            self.comparison.update(&data);
            return Ok(Some(data));
        }
    }

    /// Whether all that came is what its checksums say.
    fn compare(&mut self) -> Result<(), Failure> {
        match std::mem::take(&mut self.comparison).holds() {
            true => Ok(()),
            false => Err(ProxyError::new(ProxyErrorKind::BadDigest).into()),
        }
    }
}

/// Why an upload in parts can't go on.
enum Broken {
    Part(PartError),
    /// The runtime ends.
    Task(JoinError),
    Memory(Failure),
}

// === impl Broken ===

impl Broken {
    fn into_failure(self, mount: &Mount, bucket: &BucketName) -> Failure {
        match self {
            Self::Part(why) => mount.part_failed(bucket, why),
            Self::Task(why) => ProxyError::from_source(ProxyErrorKind::OriginBroken, why).into(),
            Self::Memory(failure) => failure,
        }
    }
}

// === impl Sending ===

impl Sending {
    fn new(mount: Mount, upload: PartedUpload) -> Self {
        Self { mount, upload: Some(upload), tasks: JoinSet::new(), sent: Vec::new(), next: 1 }
    }

    fn send(&mut self, bytes: Bytes, room: OwnedSemaphorePermit) {
        let Some(upload) = self.upload.clone() else { return };
        let (mount, number) = (self.mount.clone(), self.next);
        self.next += 1;
        self.tasks.spawn(async move {
            let part = mount.0.origin.put_part(&upload, number, bytes).await?;
            Ok(Sent { number, part, room: Some(room) })
        });
    }

    /// Room for another part: what is free, or that of one which S3 has.
    async fn room(&mut self, memory: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Broken> {
        if self.tasks.len() < PARTS_AT_ONCE
            && let Ok(room) = Arc::clone(memory).try_acquire_owned()
        {
            return Ok(room);
        }
        match self.next_sent().await? {
            Some(room) => Ok(room),
            None => wait_for(memory).await.map_err(Broken::Memory),
        }
    }

    /// Waits until S3 has one more part, and returns its room. `None` if none is on its way.
    async fn next_sent(&mut self) -> Result<Option<OwnedSemaphorePermit>, Broken> {
        let Some(joined) = self.tasks.join_next().await else { return Ok(None) };
        let mut sent = joined.map_err(Broken::Task)?.map_err(Broken::Part)?;
        let room = sent.room.take();
        self.sent.push(sent);
        Ok(room)
    }

    async fn complete(mut self, conditions: Vec<(HeaderName, HeaderValue)>) -> Result<Changed, Broken> {
        while self.next_sent().await?.is_some() {}
        let mut sent = std::mem::take(&mut self.sent);
        sent.sort_unstable_by_key(|sent| sent.number);
        let parts = sent.into_iter().map(|sent| sent.part).collect();
        let Some(upload) = &self.upload else { return Err(Broken::Memory(Failure::late())) };
        let changed =
            self.mount.0.origin.complete_parts(upload, parts, conditions).await.map_err(Broken::Part)?;
        if let Changed::Done(_) = changed {
            self.upload = None;
        }
        Ok(changed)
    }
}

impl Drop for Sending {
    /// The client has gone, or S3 has refused: the parts would cost money for ever.
    fn drop(&mut self) {
        if let Some(upload) = self.upload.take()
            && let Ok(runtime) = Handle::try_current()
        {
            let (mount, tasks) = (self.mount.clone(), std::mem::take(&mut self.tasks));
            runtime.spawn(abort(mount, upload, tasks));
        }
    }
}

async fn abort(mount: Mount, upload: PartedUpload, mut tasks: JoinSet<Result<Sent, PartError>>) {
    // A part that comes behind the abort would stay.
    tasks.shutdown().await;
    for wait in [1, 4, 16, 64] {
        let Err(why) = mount.0.origin.abort_parts(&upload).await else { return };
        tracing::debug!(?why, ?upload, "an upload could not be aborted, which is tried again");
        sleep(Duration::from_secs(wait)).await;
    }
    tracing::error!(
        ?upload,
        "an upload could not be aborted: its parts cost money until a rule of the bucket removes them"
    );
}
