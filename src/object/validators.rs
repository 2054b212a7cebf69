use http::{
    HeaderMap,
    header::{ETAG, LAST_MODIFIED},
};
use httpdate::HttpDate;

use super::{EntityTag, http_date, parse_date};

/// The validators, which tell one state of an object from another (RFC 9110 §8.8), borrowed from a response's fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Validators<'h> {
    pub(crate) tag: Option<EntityTag<'h>>,
    pub(crate) last_modified: Option<HttpDate>,
}

// === impl Validators ===

impl<'h> Validators<'h> {
    pub(crate) fn of(headers: &'h HeaderMap) -> Self {
        Self {
            tag: headers.get(ETAG).and_then(EntityTag::parse),
            last_modified: headers.get(LAST_MODIFIED).and_then(parse_date).map(http_date),
        }
    }

    /// Whether both certainly belong to one state, by a strong entity tag.
    pub(crate) fn is_same_state(self, other: Validators<'_>) -> bool {
        self.tag.zip(other.tag).is_some_and(|(one, other)| one.strong_eq(other))
    }
}
