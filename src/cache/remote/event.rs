use std::fmt;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::{PurgeMode, PurgeTarget, Purger};
use crate::object::{BucketName, InvalidBucketName, InvalidKey, ObjectKey};

/// The objects that have changed, read from S3's JSON notification.
///
/// It reads S3's own notifications (`Records`), its events on EventBridge (`detail-type`), either of them in the
/// envelope of an SNS message (`Message`) or of an SQS message (`Body`, or `body` from Lambda), R2's event notifications
/// (`action`) and the messages of a queue of Cloudflare's (`messages`), lists of all these, and envelopes in envelopes:
/// several topics may feed one queue. It skips events that change no object (S3's test event,
/// `ObjectAccessed` of MinIO, transitions between storage classes, replication, events of other services).
///
/// Events name a bucket by its name, never by an access point. Nothing here proves who sent the text: admit only
/// senders that show a token, as [`CacheAdmin`](crate::cache::CacheAdmin) does.
///
/// ```
/// use tower_s3_proxy::cache::S3Event;
///
/// let event = S3Event::parse(br#"{"Records": [{
///     "eventSource": "aws:s3",
///     "eventName": "ObjectCreated:Put",
///     "s3": {"bucket": {"name": "studio-media"}, "object": {"key": "red+flower.jpg"}}
/// }]}"#)?;
/// let [changed] = event.changed() else { panic!("one object changed") };
/// assert_eq!(changed.bucket().as_str(), "studio-media");
/// assert_eq!(changed.key().as_str(), "red flower.jpg");
/// # Ok::<(), tower_s3_proxy::cache::InvalidEvent>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct S3Event {
    changed: Vec<ChangedObject>,
    subscribe_urls: Vec<String>,
}

/// An object that was written, removed, restored, or whose tags or access list changed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ChangedObject {
    bucket: BucketName,
    key: ObjectKey,
    version_id: Option<String>,
}

/// Why a text is not a valid event.
#[derive(Debug)]
pub struct InvalidEvent(Reason);

#[derive(Debug)]
enum Reason {
    Json(serde_json::Error),
    TooDeep,
    UnknownShape,
    /// A JSON pointer to the missing value, and the kind of value.
    Missing(&'static str, &'static str),
    Bucket(InvalidBucketName),
    Key(InvalidKey),
}

// === impl S3Event ===

impl S3Event {
    /// Reads a text of any of these forms.
    ///
    /// # Errors
    ///
    /// [`InvalidEvent`] if the text, or one that is enveloped in it, is not JSON, has none of the known forms, or lacks
    /// a value that its form requires. Sending it again will not help.
    pub fn parse(json: &[u8]) -> Result<Self, InvalidEvent> {
        let mut event = Self::default();
        event.read_text(json, MAX_DEPTH)?;
        Ok(event)
    }

    /// The objects that changed, in the order of the events. An object that changed twice appears twice.
    pub fn changed(&self) -> &[ChangedObject] {
        &self.changed
    }

    /// The addresses that confirm subscriptions to SNS topics (`SubscriptionConfirmation`).
    ///
    /// The crate never fetches them: otherwise anyone who could post an event could have any address fetched from here.
    /// To confirm, check the topic that the address names, and visit the address once.
    pub fn subscribe_urls(&self) -> &[String] {
        &self.subscribe_urls
    }

    /// Purges all changed objects, and returns how many were stored.
    pub(crate) fn purge(self, purger: &dyn Purger, mode: PurgeMode) -> usize {
        self.changed
            .into_iter()
            .map(|ChangedObject { bucket, key, .. }| purger.purge(&PurgeTarget::Object { bucket, key }, mode))
            .sum()
    }

    fn read_text(&mut self, json: &[u8], depth: usize) -> Result<(), InvalidEvent> {
        let value = serde_json::from_slice(json).map_err(Reason::Json)?;
        self.read(&value, depth)
    }

    fn read(&mut self, value: &Value, depth: usize) -> Result<(), InvalidEvent> {
        let Some(depth) = depth.checked_sub(1) else { return Err(Reason::TooDeep.into()) };
        match value {
            Value::Object(fields) => self.read_object(value, fields, depth),
            Value::Array(items) => items.iter().try_for_each(|item| self.read(item, depth)),
            Value::String(text) => self.read_text(text.as_bytes(), depth),
            Value::Null | Value::Bool(_) | Value::Number(_) => Err(Reason::UnknownShape.into()),
        }
    }

    fn read_object(
        &mut self,
        value: &Value,
        fields: &Map<String, Value>,
        depth: usize,
    ) -> Result<(), InvalidEvent> {
        if let Some(records) = fields.get("Records") {
            let Value::Array(records) = records else {
                return Err(Reason::Missing("/Records", "a list").into());
            };
            return records.iter().try_for_each(|record| self.read_record(record, depth));
        }
        if let Some(kind) = fields.get("detail-type") {
            return self.read_bridged(kind, value);
        }
        if let Some(kind) = fields.get("Type") {
            return self.read_sns(kind, value, depth);
        }
        if fields.contains_key("action") && fields.contains_key("object") {
            return self.read_r2(value);
        }
        // The response of SQS's `ReceiveMessage`, or one of its messages; or those of a queue of Cloudflare's.
        if let Some(enveloped) =
            ["Messages", "messages", "Body", "body"].iter().find_map(|name| fields.get(*name))
        {
            return self.read(enveloped, depth);
        }
        // The test event that S3 sends when notifications are configured.
        if fields.get("Event").is_some_and(|event| event == "s3:TestEvent") {
            return Ok(());
        }
        Err(Reason::UnknownShape.into())
    }

    /// A record of S3 ([S3 user guide, "Event message
    /// structure"](https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html)), or one
    /// in which Lambda passes on a message of SQS or SNS.
    fn read_record(&mut self, record: &Value, depth: usize) -> Result<(), InvalidEvent> {
        if record.get("s3").is_none() {
            let enveloped = ["body", "Sns"].iter().find_map(|name| record.get(*name));
            return enveloped.map_or(Ok(()), |enveloped| self.read(enveloped, depth));
        }
        if !is_change(text(record, "/eventName")?) {
            return Ok(());
        }
        let bucket = text(record, "/s3/bucket/name")?;
        let encoded = text(record, "/s3/object/key")?;
        let version_id = record.pointer("/s3/object/versionId").and_then(Value::as_str);
        // Ceph does not encode keys as S3 does. Both readings count: an object purged in vain is simply read again.
        let is_ceph = record
            .get("eventSource")
            .and_then(Value::as_str)
            .is_some_and(|source| source.starts_with("ceph:"));
        if is_ceph {
            self.push(bucket, encoded.to_owned(), version_id)?;
        }
        match decode_key(encoded) {
            Ok(key) if is_ceph && key == encoded => Ok(()),
            Ok(key) => self.push(bucket, key, version_id),
            Err(_) if is_ceph => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// An event on EventBridge, where keys are not encoded
    /// ([S3 user guide, "EventBridge event message structure"](https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html)).
    fn read_bridged(&mut self, kind: &Value, event: &Value) -> Result<(), InvalidEvent> {
        if !kind.as_str().is_some_and(|kind| BRIDGED_CHANGES.contains(&kind)) {
            return Ok(());
        }
        let bucket = text(event, "/detail/bucket/name")?;
        let key = text(event, "/detail/object/key")?;
        let version_id = event.pointer("/detail/object/version-id").and_then(Value::as_str);
        self.push(bucket, key.to_owned(), version_id)
    }

    /// An event notification of R2, where keys are not encoded ([R2, "Event
    /// notifications"](https://developers.cloudflare.com/r2/buckets/event-notifications/)). Each of its actions changes the
    /// object: `PutObject`, `CopyObject`, `CompleteMultipartUpload`, `DeleteObject`, `LifecycleDeletion`.
    fn read_r2(&mut self, event: &Value) -> Result<(), InvalidEvent> {
        text(event, "/action")?;
        let (bucket, key) = (text(event, "/bucket")?, text(event, "/object/key")?);
        self.push(bucket, key.to_owned(), None)
    }

    /// A message of SNS
    /// ([SNS developer guide, "Parsing message formats"](https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html)).
    fn read_sns(&mut self, kind: &Value, message: &Value, depth: usize) -> Result<(), InvalidEvent> {
        match kind.as_str() {
            Some("Notification") => self.read_text(text(message, "/Message")?.as_bytes(), depth),
            Some("SubscriptionConfirmation") => {
                self.subscribe_urls.push(text(message, "/SubscribeURL")?.to_owned());
                Ok(())
            }
            // `UnsubscribeConfirmation` needs no action.
            _ => Ok(()),
        }
    }

    fn push(&mut self, bucket: &str, key: String, version_id: Option<&str>) -> Result<(), InvalidEvent> {
        let bucket = BucketName::parse(bucket).map_err(Reason::Bucket)?;
        match ObjectKey::new(key) {
            Ok(key) => {
                self.changed.push(ChangedObject { bucket, key, version_id: version_id.map(str::to_owned) });
                Ok(())
            }
            Err(why @ (InvalidKey::Empty | InvalidKey::NotUtf8 | InvalidKey::BadEscape)) => {
                Err(Reason::Key(why).into())
            }
            // S3 may have such an object, but no request can name it, so the cache never has it.
            Err(InvalidKey::TooLong | InvalidKey::DotSegment | InvalidKey::Nul) => Ok(()),
        }
    }
}

/// The limit for nested lists and envelopes. A list of SQS messages that contain SNS messages is five deep.
const MAX_DEPTH: usize = 8;

/// Whether a response from before the event may be wrong after it. S3 leaves out the prefix `s3:` of its event types;
/// other servers write it.
///
/// `LifecycleTransition`, `IntelligentTiering`, `Replication` and MinIO's `ObjectAccessed` do not count: the object
/// stays the same.
fn is_change(event_name: &str) -> bool {
    let name = event_name.strip_prefix("s3:").unwrap_or(event_name);
    let kind = name.split_once(':').map_or(name, |(kind, _)| kind);
    matches!(
        kind,
        "ObjectCreated" | "ObjectRemoved" | "ObjectRestore" | "ObjectTagging" | "ObjectAcl" | "LifecycleExpiration"
            // Ceph's.
            | "ObjectLifecycle" | "ObjectSynced"
    )
}

/// The same on EventBridge
/// ([S3 user guide, "Using EventBridge"](https://docs.aws.amazon.com/AmazonS3/latest/userguide/EventBridge.html)).
const BRIDGED_CHANGES: [&str; 8] = [
    "Object Created",
    "Object Deleted",
    "Object Restore Initiated",
    "Object Restore Completed",
    "Object Restore Expired",
    "Object Tags Added",
    "Object Tags Deleted",
    "Object ACL Updated",
];

fn text<'v>(value: &'v Value, pointer: &'static str) -> Result<&'v str, InvalidEvent> {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.ok_or_else(|| Reason::Missing(pointer, "a text").into())
}

/// Decodes a key of a record: `application/x-www-form-urlencoded`, where `+` is a space.
fn decode_key(encoded: &str) -> Result<String, InvalidEvent> {
    let encoded = encoded.replace('+', " ");
    let key = percent_decode_str(&encoded).decode_utf8().map_err(|_| Reason::Key(InvalidKey::NotUtf8))?;
    Ok(key.into_owned())
}

// === impl ChangedObject ===

impl ChangedObject {
    /// The bucket's name.
    pub fn bucket(&self) -> &BucketName {
        &self.bucket
    }

    /// The key, decoded.
    pub fn key(&self) -> &ObjectKey {
        &self.key
    }

    /// The id of the version that was written or removed, if the bucket has versions.
    pub fn version_id(&self) -> Option<&str> {
        self.version_id.as_deref()
    }
}

// === impl InvalidEvent ===

impl From<Reason> for InvalidEvent {
    fn from(reason: Reason) -> Self {
        Self(reason)
    }
}

impl fmt::Display for InvalidEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Reason::Json(_) => f.write_str("the event, or one inside it, is not JSON"),
            Reason::TooDeep => write!(f, "the event is enveloped more than {MAX_DEPTH} times"),
            Reason::UnknownShape => f.write_str("not an event of S3, EventBridge, SNS, SQS or R2"),
            Reason::Missing(pointer, what) => write!(f, "the event lacks {what} at {pointer}"),
            Reason::Bucket(_) => f.write_str("the event has no valid bucket name"),
            Reason::Key(_) => f.write_str("the event has no valid key"),
        }
    }
}

impl std::error::Error for InvalidEvent {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            Reason::Json(error) => Some(error),
            Reason::Bucket(error) => Some(error),
            Reason::Key(error) => Some(error),
            Reason::TooDeep | Reason::UnknownShape | Reason::Missing(..) => None,
        }
    }
}

#[cfg(test)]
mod tests;
