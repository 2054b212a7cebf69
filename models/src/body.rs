use bytes::Bytes;

use crate::cache::RunReader;

/// In place of the crate's: what a gathering brought.
#[derive(Default)]
pub(crate) struct Segments(pub(crate) Vec<Segment>);

pub(crate) enum Segment {
    Here(Bytes),
    Coming(RunReader),
}

// === impl Segments ===

impl Segments {
    pub(crate) fn push(&mut self, data: Bytes) {
        self.0.push(Segment::Here(data));
    }

    pub(crate) fn follow(&mut self, reader: RunReader) {
        self.0.push(Segment::Coming(reader));
    }
}
