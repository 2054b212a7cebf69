use std::{
    net::SocketAddr,
    sync::{Mutex, PoisonError},
};

/// One way in which an origin differs from S3. Seen on real servers unless it says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lie {
    // --- ranges ---
    /// 200 with everything, whatever range is asked for.
    IgnoresRange,
    /// 200 with `Content-Range` and the part.
    PartialAs200,
    /// This status with the first 100 bytes and their `Content-Range`, to a GET without `Range`.
    PartialToPlain(u16, Often),
    /// `-10` is taken for `0-10`.
    SuffixFromStart,
    /// The part beside the one that was asked for, honestly labelled.
    OtherPart,
    /// 206 with the first of several ranges.
    FirstOfSeveral,
    /// 206 with everything, to several ranges.
    WholeForSeveral,
    /// 501 to several ranges.
    RefusesSeveral,
    /// 416 to ranges that are there.
    RefusesRanges,
    /// 416 to what is no range at all.
    RefusesJunk,
    /// 416 without `Content-Range`; the XML has the size.
    UnsatisfiableWithoutRange,
    /// 416 without `Content-Range` and without a body.
    UnsatisfiableMute,
    /// 206 with the right bytes and this in place of the right `Content-Range`.
    Range(Mangled),
    /// 206 whose body, and `Content-Length`, has that many bytes more than its `Content-Range` says.
    PartLonger(i8),
    /// 206 as `multipart/byteranges` with one part, to a single range.
    MultipartForOne,
    /// 200 to a range of an empty object, where S3 says 416.
    EmptyIgnoresRange,

    // --- conditions ---
    IgnoresIfMatch,
    IgnoresIfNoneMatch,
    IgnoresDates,
    /// A list of tags, `*` and `W/` are compared as if they were one tag.
    NoTagLists,
    /// Where both are there, the date counts and not the tag.
    DatesBeforeTags,
    /// `If-Modified-Since` holds off only on the very date of the object.
    ExactDateOnly,
    /// 304 to every `If-None-Match` and `If-Modified-Since`.
    NotModifiedAlways,
    /// 304 to requests without conditions.
    NotModifiedUnasked,
    /// 412 to every `If-Match` and `If-Unmodified-Since`.
    FailsPreconditions,
    /// 304 without `ETag`.
    NotModifiedWithoutTag,
    /// 416 goes before 304 and 412.
    RangeBeforeConditions,

    // --- what it says of the object ---
    /// `ETag: abc`.
    UnquotedTag,
    /// `ETag: W/"abc"`.
    WeakTag,
    /// `ETag: W/abc`.
    UnquotedWeakTag,
    NoTag,
    NoLastModified,
    /// `Date` is `Last-Modified`: a date that may not serve as a strong validator.
    JustModified,
    /// This `Date` on every answer.
    Dated(&'static str),
    /// `Accept-Ranges: none`.
    AcceptRangesNone,
    /// Another field on every answer about the object.
    Says(&'static str, &'static str),
    /// The object changes with each request.
    TagFlips,
    /// The object changes once, after that many requests.
    TagFlipsAfter(usize),
    /// The object changes once, after that many requests, and has that many bytes from then on.
    ResizedAfter(usize, usize),

    // --- how the answer is framed ---
    Framed(Framed),
    /// HEAD says no length.
    HeadWithoutLength,
    /// HEAD says these lengths, each in a field of its own.
    HeadLengths(&'static [&'static str]),
    /// HEAD is answered with this status.
    RefusesHead(u16),
    /// Closes after that many bytes of the body.
    Truncated(usize),
    /// Resets the connection after that many bytes of the body.
    Reset(usize),
    /// More bytes follow every answer, in the shape of an answer.
    Surplus,

    // --- refusals ---
    /// The status and the code of an error document.
    Refuses(u16, &'static str, Often),
    /// The same, to these requests; a 503 says when to come back.
    RefusesOnly(Which, u16, &'static str),
    /// The status, `text/html`, and nothing else.
    RefusesWithHtml(u16),
    /// 503 `SlowDown`, perhaps with `Retry-After`.
    Busy(Option<u16>),
    /// 404 or 405, with `x-amz-delete-marker`.
    DeleteMarker(u16),
    /// Requests signed for any other region are sent there.
    LivesIn(&'static str, RegionHint),
    /// 400 `ExpiredToken` to requests signed with this access key.
    Expired(&'static str),
    /// Its clock is off by that many seconds, and it wants to see its own time in a signature.
    Skewed(i64),
}

/// What stands in place of the right `Content-Range`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mangled {
    /// Both ends one too high.
    Shifted,
    /// One byte more in total.
    OtherTotal,
    /// `*` in place of the total.
    UnknownTotal,
    Missing,
    Garbage,
}

/// How a body is framed, other than by `Content-Length`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framed {
    Chunked,
    /// With this `Content-Length` beside it.
    ChunkedBeside(usize),
    UntilClose,
    /// Until the connection closes, with this `Transfer-Encoding`.
    Coded(&'static str),
}

/// Requests that an origin treats apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    Gets,
    /// GETs without `Range`.
    PlainGets,
    /// For the object.
    Object,
    /// For keys that do not exist.
    Others,
}

/// A 503 of [`Lie::RefusesOnly`] asks to come back after so many seconds.
pub(crate) const RETRY_AFTER: &str = "17";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Often {
    Once,
    Always,
}

/// How it says where the bucket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RegionHint {
    /// 301 with `x-amz-bucket-region`.
    MovedWithField,
    /// 301 with `<Region>`.
    MovedWithXml,
    /// 400 `AuthorizationHeaderMalformed` with `<Region>`.
    Malformed,
    /// 307 to this address, with `x-amz-bucket-region`.
    Temporary(SocketAddr),
    /// 307 to this address, and no region.
    TemporaryMute(SocketAddr),
    /// 301 with nothing.
    Nothing,
    /// Like `MovedWithField`, whatever region a request is signed for.
    NeverThere,
}

/// The lies of an origin, with what has been told already.
#[derive(Debug)]
pub(super) struct Lies {
    all: Vec<Lie>,
    told: Mutex<Vec<Lie>>,
}

// === impl Lies ===

impl Lies {
    pub(super) fn new(lies: &[Lie]) -> Self {
        Self { all: lies.to_vec(), told: Mutex::default() }
    }

    pub(super) fn has(&self, lie: Lie) -> bool {
        self.all.contains(&lie)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = Lie> {
        self.all.iter().copied()
    }

    pub(super) fn pick<T>(&self, pick: impl Fn(Lie) -> Option<T>) -> Option<T> {
        self.all().find_map(pick)
    }

    /// Whether a lie is to be told now, if it is to be told that often.
    pub(super) fn is_due(&self, lie: Lie, often: Often) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = often == Often::Always || !told.contains(&lie);
        told.push(lie);
        is_due
    }
}
