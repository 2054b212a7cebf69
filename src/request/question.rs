use http::{
    HeaderName, HeaderValue,
    header::{IF_MATCH, RANGE},
};

use super::{ByteRange, RangeSpec, ReadMethod};
use crate::object::EntityTag;

/// A request to S3 about one object: the method, a range, and conditions for S3 to check.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) method: ReadMethod,
    pub(crate) range: Option<RangeSpec>,
    /// Invariant: sorted by name; each is a condition, and so sorts before `Range`.
    conditions: Vec<(HeaderName, HeaderValue)>,
    pub(crate) purpose: Purpose,
}

/// What the bytes are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A response that has not begun: its client can still be told to come back later.
    Begin,
    /// A response that has begun, or will have before the bytes are its next: without them it breaks off, and what was sent
    /// of it is wasted.
    Continue,
    /// A response that does without, if the request would have to wait or to be repeated.
    Spare,
    /// None: the proxy checks something for itself, and no budget counts it.
    Check,
}

// === impl Question ===

impl Question {
    /// The whole object's head.
    pub(crate) fn head() -> Self {
        Self { method: ReadMethod::Head, range: None, conditions: Vec::new(), purpose: Purpose::Begin }
    }

    /// The object or a range of it. `conditions` are sorted by name.
    pub(crate) fn get(range: Option<RangeSpec>, conditions: Vec<(HeaderName, HeaderValue)>) -> Self {
        Self { method: ReadMethod::Get, range, conditions, purpose: Purpose::Begin }
    }

    /// The whole object.
    pub(crate) fn whole() -> Self {
        Self::get(None, Vec::new())
    }

    /// A read of the first byte, for S3's response rather than for the byte.
    pub(crate) fn first_byte() -> Self {
        Self::get(Some(RangeSpec::FromTo(0, 0)), Vec::new())
    }

    /// The same for the proxy's own use.
    pub(crate) fn check() -> Self {
        Self { purpose: Purpose::Check, ..Self::first_byte() }
    }

    /// The same for a response that does without.
    pub(crate) fn spare(self) -> Self {
        Self { purpose: Purpose::Spare, ..self }
    }

    /// A part of exactly the state with this tag.
    pub(crate) fn part(range: ByteRange, tag: Option<EntityTag<'_>>, purpose: Purpose) -> Self {
        let pin = tag.filter(|tag| !tag.is_weak()).and_then(EntityTag::to_s3);
        let conditions = pin.map(|tag| (IF_MATCH, tag)).into_iter().collect();
        Self { purpose, ..Self::get(Some(range.into()), conditions) }
    }

    /// The same without conditions.
    pub(crate) fn unconditional(&self) -> Self {
        Self { conditions: Vec::new(), ..*self }
    }

    pub(crate) fn has_conditions(&self) -> bool {
        !self.conditions.is_empty()
    }

    /// The fields for S3, sorted by name, as SigV4 requires.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        let range = self.range.map(|range| (RANGE, range.header_value()));
        self.conditions.iter().cloned().chain(range)
    }
}
