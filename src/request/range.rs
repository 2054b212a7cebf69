use http::{HeaderMap, HeaderValue, header::RANGE};

/// The members of the `Range` of a GET, at least one (RFC 9110 §14.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ranges {
    One(RangeSpec),
    Several(Box<[RangeSpec]>),
}

/// One member of a `Range`, before the object's length is known (RFC 9110 §14.1.1).
///
/// A number beyond [`u64::MAX`] counts as that: no object is that long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum RangeSpec {
    /// From the first to the last byte, inclusive.
    FromTo(u64, u64),
    /// From this byte to the end.
    From(u64),
    /// This many bytes at the end.
    Suffix(u64),
}

/// The first and the last byte of a part, inclusive.
// Invariant: first <= last < u64::MAX, so the part has a byte, and its length fits a u64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ByteRange {
    first: u64,
    last: u64,
}

/// The part of an object of known length that the response carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Resolved {
    /// All of it, as if there were no `Range`: 200.
    Whole,
    /// 206, even if it is the whole object: Safari plays nothing else.
    One(ByteRange),
    /// 206 with these parts, apart from each other, in the order of the request.
    Several(Vec<ByteRange>),
    /// 416: the object has none of it.
    Unsatisfiable,
}

/// Parts of a response that are read from S3 in one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// From the first byte of the first part to the last byte of the last.
    pub(crate) range: ByteRange,
    /// How many parts.
    pub(crate) parts: usize,
}

/// The `Content-Range` of a response (RFC 9110 §14.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContentRange {
    /// The part, and the length of the object if it is known. The part lies within the object.
    Range { range: ByteRange, total: Option<u64> },
    /// There is no such part in an object of this length.
    Unsatisfied { total: u64 },
}

// === impl Ranges ===

impl Ranges {
    /// `None` for the whole object: without a `Range`, or with one that must be ignored because its unit is unknown, it
    /// is malformed (RFC 9110 §14.2), or it is an attack (§17.15).
    pub(crate) fn parse(headers: &HeaderMap) -> Option<Self> {
        let mut lines = headers.get_all(RANGE).iter();
        let line = lines.next()?;
        // Nobody knows which of them a cache or S3 would take.
        if lines.next().is_some() {
            return None;
        }
        let (unit, set) = line.to_str().ok()?.split_once('=')?;
        if !unit.eq_ignore_ascii_case(UNIT) {
            return None;
        }
        // A list may have empty members (§5.6.1.2).
        let mut members =
            set.split(',').map(|member| member.trim_matches(OWS)).filter(|text| !text.is_empty());
        let first = RangeSpec::parse(members.next()?)?;
        let Some(second) = members.next() else { return Some(Self::One(first)) };
        let mut specs = vec![first, RangeSpec::parse(second)?];
        for member in members {
            if specs.len() == MAX_MEMBERS {
                return None;
            }
            // One malformed member makes the whole field malformed (§14.1.1).
            specs.push(RangeSpec::parse(member)?);
        }
        Some(Self::Several(specs.into_boxed_slice()))
    }

    /// The response's part of an object of `total` bytes. Parts are joined if no more than `gap` bytes lie between
    /// them.
    pub(crate) fn resolve(&self, total: u64, gap: impl FnOnce() -> u64) -> Resolved {
        // No 206 can express an empty part.
        if total == 0 {
            return Resolved::Whole;
        }
        let parts = match self {
            Self::One(spec) => return spec.resolve(total).map_or(Resolved::Unsatisfiable, Resolved::One),
            Self::Several(specs) => coalesce(specs.iter().filter_map(|spec| spec.resolve(total)), gap()),
        };
        match *parts {
            [] => Resolved::Unsatisfiable,
            [part] => Resolved::One(part),
            _ => Resolved::Several(parts),
        }
    }
}

/// The only range unit in use.
const UNIT: &str = "bytes";

/// Optional whitespace (RFC 9110 §5.6.3).
const OWS: [char; 2] = [' ', '\t'];

/// More are an attack rather than a request. Delta updaters begin with 256.
const MAX_MEMBERS: usize = 1024;

/// Each span is a request to S3: with more, the whole object is less work.
const MAX_SPANS: usize = 256;

/// So many requests for one response are worth no byte that nobody asked for.
const FEW_SPANS: usize = 16;

/// In bytes: a gap of up to this size between two parts is read in vain, since leaving it out would cost one more
/// request to S3. The larger ones are for more than a few spans.
const SPANNED: [u64; 4] = [8 * 1024, 32 * 1024, 128 * 1024, 512 * 1024];

/// In bytes: what is read in vain for the sake of fewer requests.
const MAX_IN_VAIN: u64 = 1024 * 1024;

/// The requests to S3 for these parts of an object of `total` bytes: those that are close to each other, and in the order
/// of their bytes, share one. `None` if the whole object is less work.
pub(crate) fn spans(parts: &(impl Iterator<Item = ByteRange> + Clone), total: u64) -> Option<Vec<Span>> {
    let asked = parts.clone().fold(0_u64, |sum, part| sum.saturating_add(part.len()));
    let most = total.min(asked.saturating_add(MAX_IN_VAIN));
    let read = |spans: &[Span]| spans.iter().fold(0_u64, |sum, span| sum.saturating_add(span.range.len()));
    let [usual, wider @ ..] = SPANNED;
    let mut spans = spanned(parts.clone(), usual);
    for gap in wider {
        let fewer = spanned(parts.clone(), gap);
        if spans.len() <= FEW_SPANS || read(&fewer) > most {
            break;
        }
        spans = fewer;
    }
    (spans.len() <= MAX_SPANS && read(&spans) <= total).then_some(spans)
}

/// Groups parts with at most `gap` bytes between one and the next.
fn spanned(parts: impl Iterator<Item = ByteRange>, gap: u64) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for part in parts {
        match spans.last_mut() {
            Some(Span { range, parts }) if range.last < part.first && part.first - range.last - 1 <= gap => {
                range.last = part.last;
                *parts += 1;
            }
            _ => spans.push(Span { range: part, parts: 1 }),
        }
    }
    spans
}

/// Joins parts that overlap or have at most `gap` bytes between them. The joined part takes the place of the first.
///
/// ```text
/// asked   8-9  0-1  20-29  3-4      gap 1
/// sorted       0-1  3-4  8-9  20-29
/// merged       0-4       8-9  20-29
/// in turn 8-9  0-4  20-29
/// ```
fn coalesce(ranges: impl Iterator<Item = ByteRange>, gap: u64) -> Vec<ByteRange> {
    let mut parts: Vec<(usize, ByteRange)> = ranges.enumerate().collect();
    parts.sort_unstable_by_key(|(_, range)| range.first);
    parts.dedup_by(|(turn, range), (earliest, merged)| {
        let is_near = range.first.saturating_sub(merged.last + 1) <= gap;
        if is_near {
            merged.last = merged.last.max(range.last);
            *earliest = (*earliest).min(*turn);
        }
        is_near
    });
    parts.sort_unstable_by_key(|(turn, _)| *turn);
    parts.into_iter().map(|(_, range)| range).collect()
}

// === impl RangeSpec ===

impl RangeSpec {
    fn parse(text: &str) -> Option<Self> {
        let number = |digits| is_number(digits).then(|| digits.parse().unwrap_or(u64::MAX));
        match text.split_once('-')? {
            ("", length) => Some(Self::Suffix(number(length)?)),
            (first, "") => Some(Self::From(number(first)?)),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Self::FromTo(first, last))
            }
        }
    }

    /// The selected bytes of an object of `total` bytes; `None` if it has none of them (RFC 9110 §14.1.2).
    pub(crate) fn resolve(self, total: u64) -> Option<ByteRange> {
        let end = total.checked_sub(1)?;
        match self {
            Self::FromTo(first, last) => ByteRange::new(first, last.min(end)),
            Self::From(first) => ByteRange::new(first, end),
            Self::Suffix(length) => ByteRange::new(total.saturating_sub(length), end),
        }
    }

    /// The `Range` with this member alone.
    pub(crate) fn header_value(self) -> HeaderValue {
        ascii_value(match self {
            Self::FromTo(first, last) => format!("bytes={first}-{last}"),
            Self::From(first) => format!("bytes={first}-"),
            Self::Suffix(length) => format!("bytes=-{length}"),
        })
    }
}

impl From<ByteRange> for RangeSpec {
    fn from(range: ByteRange) -> Self {
        Self::FromTo(range.first, range.last)
    }
}

fn is_number(digits: &str) -> bool {
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

fn ascii_value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("a unit, numbers and signs are ASCII")
}

// === impl ByteRange ===

impl ByteRange {
    /// `None` if `last` lies before `first`, or is `u64::MAX`, which leaves no room for a length.
    pub(crate) fn new(first: u64, last: u64) -> Option<Self> {
        (first <= last && last < u64::MAX).then_some(Self { first, last })
    }

    pub(crate) fn first(self) -> u64 {
        self.first
    }

    pub(crate) fn last(self) -> u64 {
        self.last
    }

    /// The number of bytes, never 0.
    pub(crate) fn len(self) -> u64 {
        self.last - self.first + 1
    }

    /// Its first `count` bytes, or all of it if it is shorter.
    pub(crate) fn first_bytes(self, count: u64) -> Self {
        let last = self.first.saturating_add(count.saturating_sub(1));
        Self { last: self.last.min(last), ..self }
    }

    /// The rest after its first `count` bytes; `None` if that is empty.
    pub(crate) fn after(self, count: u64) -> Option<Self> {
        Self::new(self.first.checked_add(count)?, self.last)
    }

    /// Whether an object of `total` bytes has all of it.
    pub(crate) fn is_within(self, total: u64) -> bool {
        self.last < total
    }

    /// The `Content-Range` of this part of an object of `total` bytes.
    pub(crate) fn content_range(self, total: u64) -> HeaderValue {
        ascii_value(format!("bytes {}-{}/{total}", self.first, self.last))
    }
}

// === impl ContentRange ===

impl ContentRange {
    /// `None` if the value is not exactly what RFC 9110 §14.4 defines: a part that is not certain must not be combined
    /// with others.
    pub(crate) fn parse(value: &HeaderValue) -> Option<Self> {
        let number = |digits| is_number(digits).then(|| digits.parse().ok()).flatten();
        let (unit, answer) = value.to_str().ok()?.split_once(' ')?;
        if !unit.eq_ignore_ascii_case(UNIT) {
            return None;
        }
        match answer.split_once('/')? {
            ("*", total) => Some(Self::Unsatisfied { total: number(total)? }),
            (range, total) => {
                let (first, last) = range.split_once('-')?;
                let range = ByteRange::new(number(first)?, number(last)?)?;
                let total = if total == "*" { None } else { Some(number(total)?) };
                total.is_none_or(|total| range.is_within(total)).then_some(Self::Range { range, total })
            }
        }
    }
}

#[cfg(test)]
mod tests;
