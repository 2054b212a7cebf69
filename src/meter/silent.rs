//! Meters that count nothing.

use http::{HeaderMap, Method, StatusCode};

use super::{Operation, Outcome};

#[derive(Debug, Clone)]
pub(crate) struct Meter;

#[derive(Debug, Default)]
pub(crate) struct Begun {}

#[derive(Debug, Default)]
pub(crate) struct BodyMeter {}

#[derive(Debug)]
pub(crate) struct Asking;

// === impl Meter ===

#[expect(clippy::unused_self, reason = "with the feature they are asked")]
impl Meter {
    pub(crate) fn new(_mount: String) -> Self {
        Self
    }

    pub(crate) fn begin(&self, _method: &Method) -> Begun {
        Begun {}
    }

    pub(crate) fn ask(&self, _operation: Operation) -> Asking {
        Asking
    }

    pub(crate) fn received(&self, _bytes: usize) {}

    pub(crate) fn sent_to_s3(&self, _bytes: usize) {}
}

// === impl Begun ===

impl Begun {
    pub(crate) fn answered(self, _status: StatusCode, _headers: &HeaderMap) -> BodyMeter {
        BodyMeter {}
    }
}

// === impl BodyMeter ===

#[expect(clippy::unused_self, reason = "with the feature it is asked")]
impl BodyMeter {
    pub(crate) fn sent(&self, _bytes: usize) {}
}

// === impl Asking ===

impl Asking {
    pub(crate) fn ended(self, _outcome: Outcome) {}
}
