//! The length of an object that S3's response leaves out.
//!
//! R2 leaves it out of some responses to HEAD, and GCS of objects that it decompresses. The response to a read of the first
//! byte has it in `Content-Range` (RFC 9110 §14.4), if the server reads ranges of this object.

use http::{
    HeaderMap, HeaderValue,
    header::{CONTENT_LENGTH, CONTENT_RANGE, TRANSFER_ENCODING},
};

use super::{object::Object, read::Read};
use crate::{
    error::Failure,
    object::State,
    origin::{Answer, Asked, BodyLength, Extent},
    request::Question,
};

/// An object, as the response to a read of its first byte describes it.
pub(super) struct Measured {
    /// S3's fields, as those of a 200 to HEAD would be.
    pub(super) fields: HeaderMap,
    pub(super) total: u64,
}

impl Read {
    /// `None` if S3 does not tell the length.
    pub(super) async fn measure(&self) -> Result<Option<Measured>, Failure> {
        Ok(Measured::of(self.ask(&Question::first_byte()).await?))
    }
}

impl Object {
    /// The length of an object whose body is already on its way, if S3 tells it at once. The body goes to the client in any
    /// case, so this fails in silence.
    pub(super) async fn measure_beside(&self, fields: &HeaderMap) -> Option<u64> {
        let state = State::of(fields, 0);
        if !state.is_pinned() {
            return None;
        }
        let answer = self.ask_for_cache(&Question::first_byte().spare()).await.ok()?;
        let measured = Measured::of(answer)?;
        state.is(&measured.fields).then_some(measured.total)
    }
}

// === impl Measured ===

impl Measured {
    /// `None` if this response does not tell the length.
    pub(super) fn of(answer: Answer) -> Option<Self> {
        let Answer::Found(answer) = answer else { return None };
        let (mut head, body) = answer.into_parts();
        let asked = Asked { range: Question::first_byte().range, total: None };
        let length = BodyLength::of(&head, &body);
        let total = match Extent::of(asked, head.status, &head.headers, length).ok()? {
            Extent::Part { total, .. } => total,
            Extent::Whole { length, .. } => length?,
            Extent::Unsatisfiable { .. } => return None,
        };
        head.headers.remove(CONTENT_RANGE);
        head.headers.remove(TRANSFER_ENCODING);
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from(total));
        Some(Self { fields: head.headers, total })
    }
}
