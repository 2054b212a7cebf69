use http::{
    HeaderMap,
    header::{ETAG, LAST_MODIFIED},
};
use httpdate::HttpDate;

use super::EntityTag;

/// What tells one state of an object from another (RFC 9110 §8.8), borrowed from the fields of an answer.
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
            last_modified: headers
                .get(LAST_MODIFIED)
                .and_then(|value| httpdate::parse_http_date(value.to_str().ok()?).ok())
                .map(HttpDate::from),
        }
    }

    /// Whether both surely are of one state: by strong entity tag, or, where neither has a tag, by date.
    pub(crate) fn is_same_state(self, other: Validators<'_>) -> bool {
        match (self.tag, other.tag) {
            (Some(one), Some(other)) => one.strong_eq(other),
            (None, None) => self.last_modified.is_some() && self.last_modified == other.last_modified,
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
}
