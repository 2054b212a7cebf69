use http::{HeaderMap, HeaderValue, header::ETAG};

use super::{EntityTag, Validators};

/// One state of an object, to which all bytes of a response must belong.
#[derive(Debug, Clone)]
pub(crate) struct State {
    tag: Option<HeaderValue>,
    /// In bytes.
    pub(crate) total: u64,
}

// === impl State ===

impl State {
    /// The state with these fields, S3's or the client's.
    pub(crate) fn of(fields: &HeaderMap, total: u64) -> Self {
        Self { tag: fields.get(ETAG).cloned(), total }
    }

    pub(crate) fn tag(&self) -> Option<EntityTag<'_>> {
        self.tag.as_ref().and_then(EntityTag::parse)
    }

    /// Whether parts of it can be told from those of another state.
    pub(crate) fn is_pinned(&self) -> bool {
        self.tag().is_some_and(|tag| !tag.is_weak() && tag.to_s3().is_some())
    }

    /// Whether these fields certainly belong to it.
    pub(crate) fn is(&self, fields: &HeaderMap) -> bool {
        Validators::of(fields).is_same_state(Validators { tag: self.tag(), last_modified: None })
    }
}
