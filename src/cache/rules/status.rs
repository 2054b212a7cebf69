use http::{HeaderMap, HeaderName, HeaderValue};

/// How the cache handled a request, as a member of `Cache-Status` (RFC 9211).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CacheStatus {
    pub(crate) outcome: Outcome,
    pub(crate) detail: Option<Detail>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Answered without S3 (§2.1). `ttl` is in seconds, negative if the response is stale (§2.4).
    Hit { ttl: i64 },
    /// S3 was asked (§2.2).
    Forward(Forward),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Forward {
    pub(crate) reason: Reason,
    /// Whether the cache stored the response (§2.5).
    pub(crate) stored: bool,
    /// Whether the request shared another's read (§2.6).
    pub(crate) collapsed: bool,
    pub(crate) ttl: Option<i64>,
}

/// Why S3 was asked (§2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The cache does not handle such requests.
    Bypass,
    /// Nothing of the object is stored.
    UriMiss,
    /// No stored response was usable.
    Miss,
    /// A stored response was usable, but the client's directives required more.
    Request,
    Stale,
    /// Some of the bytes are stored.
    Partial,
}

/// Details for people (§2.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    /// Stale, because S3 responded with an error.
    OriginError,
    /// Stale, because S3 did not respond in time.
    OriginSlow,
    /// Not stored, because its own fields forbid it.
    NotStorable,
    /// Not stored, because it exceeds the largest object, or fills take too much memory.
    NoRoom,
}

pub(crate) const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

// === impl Forward ===

impl Forward {
    /// Neither stored nor shared.
    pub(crate) const fn new(reason: Reason) -> Self {
        Self { reason, stored: false, collapsed: false, ttl: None }
    }
}

// === impl CacheStatus ===

impl CacheStatus {
    pub(crate) const fn hit(ttl: i64) -> Self {
        Self { outcome: Outcome::Hit { ttl }, detail: None }
    }

    pub(crate) const fn forward(forward: Forward) -> Self {
        Self { outcome: Outcome::Forward(forward), detail: None }
    }

    #[must_use]
    pub(crate) const fn with_detail(mut self, detail: Detail) -> Self {
        self.detail = Some(detail);
        self
    }

    pub(crate) const fn is_hit(&self) -> bool {
        matches!(self.outcome, Outcome::Hit { .. })
    }

    /// Appends the member after those of caches nearer to the origin (§2).
    pub(crate) fn append_to(self, headers: &mut HeaderMap) {
        headers.append(CACHE_STATUS, self.header_value());
    }

    /// Allocates only the value.
    pub(crate) fn header_value(self) -> HeaderValue {
        let mut line = Line::new();
        line.text("tower-s3-proxy");
        match self.outcome {
            Outcome::Hit { ttl } => {
                line.text("; hit");
                line.ttl(ttl);
            }
            Outcome::Forward(Forward { reason, stored, collapsed, ttl }) => {
                line.text("; fwd=");
                line.text(reason.as_str());
                if stored {
                    line.text("; stored");
                }
                if collapsed {
                    line.text("; collapsed");
                }
                if let Some(ttl) = ttl {
                    line.ttl(ttl);
                }
            }
        }
        if let Some(detail) = self.detail {
            line.text("; detail=");
            line.text(detail.as_str());
        }
        HeaderValue::from_bytes(line.as_bytes()).expect("tokens, digits and signs are visible ASCII")
    }
}

impl Reason {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::UriMiss => "uri-miss",
            Self::Miss => "miss",
            Self::Request => "request",
            Self::Stale => "stale",
            Self::Partial => "partial",
        }
    }
}

impl Detail {
    const fn as_str(self) -> &'static str {
        match self {
            Self::OriginError => "origin-error",
            Self::OriginSlow => "origin-slow",
            Self::NotStorable => "not-storable",
            Self::NoRoom => "no-room",
        }
    }
}

// === impl Line ===

/// Room for the longest value (a test writes it).
const CAPACITY: usize = 128;

struct Line {
    bytes: [u8; CAPACITY],
    length: usize,
}

impl Line {
    const fn new() -> Self {
        Self { bytes: [0; CAPACITY], length: 0 }
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    // Invariant: length <= CAPACITY, since a text without room is left out whole.
    fn text(&mut self, text: &str) {
        let end = self.length + text.len();
        if let Some(room) = self.bytes.get_mut(self.length..end) {
            room.copy_from_slice(text.as_bytes());
            self.length = end;
        }
    }

    fn ttl(&mut self, ttl: i64) {
        self.text("; ttl=");
        if ttl < 0 {
            self.text("-");
        }
        // No number of a structured field is longer (RFC 8941 §3.3.1).
        self.digits(ttl.unsigned_abs().min(999_999_999_999_999));
    }

    fn digits(&mut self, mut number: u64) {
        let mut digits = [b'0'; 15];
        let mut first = digits.len() - 1;
        for (at, digit) in digits.iter_mut().enumerate().rev() {
            *digit += u8::try_from(number % 10).unwrap_or(0);
            number /= 10;
            first = at;
            if number == 0 {
                break;
            }
        }
        let digits = digits.get(first..).unwrap_or_default();
        self.text(std::str::from_utf8(digits).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FORWARD: Forward = Forward { reason: Reason::UriMiss, stored: false, collapsed: false, ttl: None };

    #[test]
    fn values_are_those_of_rfc_9211() {
        for (section, status, value) in [
            ("2.1", CacheStatus::hit(376), "tower-s3-proxy; hit; ttl=376"),
            ("2.1, 2.4", CacheStatus::hit(-412), "tower-s3-proxy; hit; ttl=-412"),
            ("2.4", CacheStatus::hit(0), "tower-s3-proxy; hit; ttl=0"),
            ("2.2", CacheStatus::forward(FORWARD), "tower-s3-proxy; fwd=uri-miss"),
            (
                "2.5",
                CacheStatus::forward(Forward { stored: true, ttl: Some(60), ..FORWARD }),
                "tower-s3-proxy; fwd=uri-miss; stored; ttl=60",
            ),
            (
                "2.6",
                CacheStatus::forward(Forward { reason: Reason::Partial, collapsed: true, ..FORWARD }),
                "tower-s3-proxy; fwd=partial; collapsed",
            ),
            (
                "2.8",
                CacheStatus::hit(-1).with_detail(Detail::OriginSlow),
                "tower-s3-proxy; hit; ttl=-1; detail=origin-slow",
            ),
        ] {
            assert_eq!(status.header_value(), value, "§{section}");
        }
        for (reason, token) in [
            (Reason::Bypass, "bypass"),
            (Reason::UriMiss, "uri-miss"),
            (Reason::Miss, "miss"),
            (Reason::Request, "request"),
            (Reason::Stale, "stale"),
            (Reason::Partial, "partial"),
        ] {
            let status = CacheStatus::forward(Forward { reason, ..FORWARD });
            assert_eq!(status.header_value(), format!("tower-s3-proxy; fwd={token}"), "§2.2");
        }
    }

    #[test]
    fn the_longest_value_has_room() {
        let forward = Forward { reason: Reason::UriMiss, stored: true, collapsed: true, ttl: Some(i64::MIN) };
        for detail in [Detail::OriginError, Detail::OriginSlow, Detail::NotStorable, Detail::NoRoom] {
            let expected = format!(
                "tower-s3-proxy; fwd=uri-miss; stored; collapsed; ttl=-999999999999999; detail={}",
                detail.as_str()
            );
            assert_eq!(CacheStatus::forward(forward).with_detail(detail).header_value(), expected);
        }
    }

    #[test]
    fn ours_comes_behind_those_of_the_origins_side() {
        let mut headers = HeaderMap::from_iter([(CACHE_STATUS, HeaderValue::from_static("Origin; hit"))]);
        CacheStatus::hit(1).append_to(&mut headers);
        let lines: Vec<_> = headers.get_all(CACHE_STATUS).iter().collect();
        assert_eq!(lines, ["Origin; hit", "tower-s3-proxy; hit; ttl=1"]);
    }

    #[test]
    fn a_value_is_one_allocation() {
        let status = CacheStatus::hit(1).with_detail(Detail::OriginError);
        let info = allocation_counter::measure(|| drop(std::hint::black_box(status.header_value())));
        assert_eq!(info.count_total, 1);
    }

    proptest! {
        #[test]
        fn a_ttl_is_written_as_the_standard_library_writes_it(ttl in -999_999_999_999_999_i64..=999_999_999_999_999) {
            prop_assert_eq!(CacheStatus::hit(ttl).header_value(), format!("tower-s3-proxy; hit; ttl={ttl}"));
        }
    }
}
