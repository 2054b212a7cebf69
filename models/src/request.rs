/// In place of the crate's, whose file comes with parsers and their tests: first and last byte, inclusive.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ByteRange {
    first: u64,
    last: u64,
}

// === impl ByteRange ===

impl ByteRange {
    pub(crate) fn new(first: u64, last: u64) -> Option<Self> {
        (first <= last).then_some(Self { first, last })
    }

    pub(crate) fn first(self) -> u64 {
        self.first
    }

    pub(crate) fn last(self) -> u64 {
        self.last
    }

    pub(crate) fn after(self, count: u64) -> Option<Self> {
        Self::new(self.first + count, self.last)
    }

    pub(crate) fn len(self) -> u64 {
        self.last - self.first + 1
    }
}
