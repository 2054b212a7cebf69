use http::{HeaderMap, StatusCode};

use super::{checklist::Checklist, error_reply::Said, run::Subject};
use crate::{
    error::in_one_line,
    object::{ObjectKey, VersionId},
    origin::{Probe, Target},
};

/// The server's response to a read of the first byte.
#[derive(Debug)]
pub(super) enum Answer {
    Found {
        status: StatusCode,
        headers: HeaderMap,
    },
    Said(Said),
    /// No response, for this reason.
    Silence(String),
}

// === impl Subject ===

impl Subject<'_> {
    /// Requests the first byte of an object as the mount does, once.
    pub(super) async fn first_byte(
        &self,
        course: &Checklist<'_>,
        key: &ObjectKey,
        version: Option<&VersionId>,
    ) -> Answer {
        let target = Target { bucket: &self.facts.bucket, key, version };
        match course.in_time(self.mount.0.origin.ask_once(target)).await {
            Err(late) => Answer::Silence(late.to_string()),
            Ok(Err(why)) => Answer::Silence(in_one_line(&why)),
            Ok(Ok(Probe { refusal: Some(refusal), .. })) => Answer::Said(Said::new(refusal)),
            Ok(Ok(Probe { refusal: None, status, headers })) => Answer::Found { status, headers },
        }
    }
}
