mod dictionary;

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CACHE_CONTROL, PRAGMA},
};

use self::dictionary::Item;

/// The cache directives of a request or a response (RFC 9111 §5.2), parsed once. Unknown directives are ignored
/// (§5.2.3).
///
/// Numbers are seconds, [`MAX_SECONDS`] at most. A malformed number is 0, which is stale (§4.2.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct CacheControl {
    pub(crate) source: Source,
    pub(crate) max_age: Option<u32>,
    pub(crate) s_maxage: Option<u32>,
    /// RFC 5861 §3.
    pub(crate) stale_while_revalidate: Option<u32>,
    /// RFC 5861 §4: in responses, and in requests.
    pub(crate) stale_if_error: Option<u32>,
    /// [`u32::MAX`] if the client accepts a response however stale it is.
    pub(crate) max_stale: Option<u32>,
    pub(crate) min_fresh: Option<u32>,
    pub(crate) no_store: bool,
    /// With field names as without them: a cache may treat it as unqualified (§5.2.2.4).
    pub(crate) no_cache: bool,
    /// With field names as without them (§5.2.2.7).
    pub(crate) private: bool,
    pub(crate) public: bool,
    pub(crate) must_revalidate: bool,
    pub(crate) proxy_revalidate: bool,
    pub(crate) must_understand: bool,
    /// RFC 8246.
    pub(crate) immutable: bool,
    pub(crate) no_transform: bool,
    pub(crate) only_if_cached: bool,
}

/// The field that was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Source {
    /// `Cache-Control`, or no field at all: then `Expires` may say more.
    #[default]
    General,
    /// A field for caches like this one, which replaces `Cache-Control` and `Expires` (RFC 9213 §2.2).
    Targeted,
}

/// Whether clients can control the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ClientControl {
    /// They can, as RFC 9111 §5.2.1 says: a browser's reload reaches S3. On a public site, anyone can bypass the cache.
    #[default]
    Honoured,
    /// They cannot, as if their requests had neither `Cache-Control` nor `Pragma`.
    Ignored,
}

/// A client's cache directives (RFC 9111 §5.2.1). Numbers are seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RequestControl {
    /// Only a response that S3 has just confirmed.
    pub(crate) no_cache: bool,
    /// The response must not be stored (§5.2.1.5). A stored response may still be used.
    pub(crate) no_store: bool,
    /// 504 rather than a request to S3 (§5.2.1.7).
    pub(crate) only_if_cached: bool,
    pub(crate) max_age: Option<u32>,
    pub(crate) min_fresh: Option<u32>,
    /// [`u32::MAX`]: however stale.
    pub(crate) max_stale: Option<u32>,
    /// RFC 5861 §4.
    pub(crate) stale_if_error: Option<u32>,
}

/// The targeted field of every CDN (RFC 9213 §3).
pub(crate) const CDN_CACHE_CONTROL: HeaderName = HeaderName::from_static("cdn-cache-control");

/// Longer times count as this (RFC 9111 §1.2.2).
pub(crate) const MAX_SECONDS: u32 = 1 << 31;

// === impl RequestControl ===

impl RequestControl {
    /// `Pragma: no-cache` counts if there is no `Cache-Control` (RFC 9111 §5.4).
    pub(crate) fn new(request: &HeaderMap, clients: ClientControl) -> Self {
        if clients == ClientControl::Ignored {
            return Self::default();
        }
        let mut control = Self::from(CacheControl::general(request));
        if !request.contains_key(CACHE_CONTROL) {
            let is_no_cache = |member: &[u8]| member.eq_ignore_ascii_case(b"no-cache");
            control.no_cache = request.get_all(PRAGMA).iter().flat_map(Members::of).any(is_no_cache);
        }
        control
    }
}

impl From<CacheControl> for RequestControl {
    fn from(control: CacheControl) -> Self {
        let CacheControl { no_cache, no_store, only_if_cached, .. } = control;
        let CacheControl { max_age, min_fresh, max_stale, stale_if_error, .. } = control;
        Self { no_cache, no_store, only_if_cached, max_age, min_fresh, max_stale, stale_if_error }
    }
}

// === impl CacheControl ===

impl CacheControl {
    /// The directives of a response. The first targeted field that is present, valid and not empty is the only one that
    /// counts.
    pub(crate) fn of_answer(answer: &HeaderMap, targets: &[HeaderName]) -> Self {
        let targeted = targets.iter().find_map(|name| Self::targeted(answer, name));
        targeted.unwrap_or_else(|| Self::general(answer))
    }

    fn general(headers: &HeaderMap) -> Self {
        let mut control = Self::default();
        for member in headers.get_all(CACHE_CONTROL).iter().flat_map(Members::of) {
            let (name, argument) = directive(member);
            // Of two numbers the first counts, and of two flags either (RFC 9111 §4.2.1).
            match control.slot(name) {
                Some(Slot::Seconds(slot)) => _ = slot.get_or_insert(argument.seconds()),
                Some(Slot::Tolerance(slot)) => _ = slot.get_or_insert(argument.tolerance()),
                Some(Slot::Flag(slot)) => *slot = true,
                None => {}
            }
        }
        control
    }

    /// `None` if the field is absent, empty or not a dictionary: then it is ignored (RFC 9213 §2.1).
    fn targeted(answer: &HeaderMap, name: &HeaderName) -> Option<Self> {
        let mut lines = answer.get_all(name).iter();
        let first = lines.next()?;
        let more: Vec<_> = lines.map(HeaderValue::as_bytes).collect();
        let joined;
        let text = if more.is_empty() {
            first.as_bytes()
        } else {
            joined = [&[first.as_bytes()], more.as_slice()].concat().join(b", ".as_slice());
            &joined
        };
        let mut control = Self { source: Source::Targeted, ..Self::default() };
        let mut is_empty = true;
        dictionary::read(text, |name, item| {
            is_empty = false;
            // The last of two members counts (RFC 8941 §3.2).
            match control.slot(name) {
                Some(Slot::Seconds(slot)) => *slot = Some(Argument::of_item(item).seconds()),
                Some(Slot::Tolerance(slot)) => *slot = Some(Argument::of_item(item).tolerance()),
                Some(Slot::Flag(slot)) => *slot = item != Item::Boolean(false),
                None => {}
            }
        })?;
        (!is_empty).then_some(control)
    }

    /// The slot of a directive; `None` if it is unknown.
    fn slot(&mut self, name: &[u8]) -> Option<Slot<'_>> {
        let mut lower = [0; LONGEST_NAME];
        let lower = lower.get_mut(..name.len())?;
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase();
        Some(match &*lower {
            b"max-age" => Slot::Seconds(&mut self.max_age),
            b"s-maxage" => Slot::Seconds(&mut self.s_maxage),
            b"stale-while-revalidate" => Slot::Seconds(&mut self.stale_while_revalidate),
            b"stale-if-error" => Slot::Seconds(&mut self.stale_if_error),
            b"max-stale" => Slot::Tolerance(&mut self.max_stale),
            b"min-fresh" => Slot::Seconds(&mut self.min_fresh),
            b"no-store" => Slot::Flag(&mut self.no_store),
            b"no-cache" => Slot::Flag(&mut self.no_cache),
            b"private" => Slot::Flag(&mut self.private),
            b"public" => Slot::Flag(&mut self.public),
            b"must-revalidate" => Slot::Flag(&mut self.must_revalidate),
            b"proxy-revalidate" => Slot::Flag(&mut self.proxy_revalidate),
            b"must-understand" => Slot::Flag(&mut self.must_understand),
            b"immutable" => Slot::Flag(&mut self.immutable),
            b"no-transform" => Slot::Flag(&mut self.no_transform),
            b"only-if-cached" => Slot::Flag(&mut self.only_if_cached),
            _ => return None,
        })
    }
}

enum Slot<'c> {
    Seconds(&'c mut Option<u32>),
    /// Seconds, or no limit if there is no argument.
    Tolerance(&'c mut Option<u32>),
    Flag(&'c mut bool),
}

/// `stale-while-revalidate`.
const LONGEST_NAME: usize = 22;

fn directive(member: &[u8]) -> (&[u8], Argument) {
    let mut halves = member.splitn(2, |byte| *byte == b'=');
    let name = halves.next().unwrap_or_default();
    let argument = halves.next().map_or(Argument::None, Argument::parse);
    // There is no space around the sign (RFC 9111 §5.2).
    match name.trim_ascii_end() {
        trimmed if trimmed.len() < name.len() => (trimmed, Argument::Wrong),
        name => (name, argument),
    }
}

/// The seconds of a text of digits, as in `Age` and in directives (RFC 9111 §1.2.2).
pub(super) fn delta_seconds(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let add = |sum: u32, digit: &u8| sum.saturating_mul(10).saturating_add(u32::from(digit - b'0'));
    Some(digits.iter().fold(0, add).min(MAX_SECONDS))
}

// === impl Argument ===

#[derive(Debug, Clone, Copy)]
enum Argument {
    None,
    Seconds(u32),
    Wrong,
}

impl Argument {
    /// A quoted string counts like a token (RFC 9111 §5.2).
    fn parse(text: &[u8]) -> Self {
        let unquoted = text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).unwrap_or(text);
        delta_seconds(unquoted).map_or(Self::Wrong, Self::Seconds)
    }

    /// A number must be an integer here (RFC 9213 §2.1).
    fn of_item(item: Item) -> Self {
        match item {
            Item::Boolean(true) => Self::None,
            Item::Integer(seconds @ 0..) => {
                Self::Seconds(u32::try_from(seconds).map_or(MAX_SECONDS, |seconds| seconds.min(MAX_SECONDS)))
            }
            Item::Boolean(false) | Item::Integer(_) | Item::Other => Self::Wrong,
        }
    }

    fn seconds(self) -> u32 {
        match self {
            Self::Seconds(seconds) => seconds,
            Self::None | Self::Wrong => 0,
        }
    }

    /// RFC 9111 §5.2.1.2.
    fn tolerance(self) -> u32 {
        match self {
            Self::None => u32::MAX,
            Self::Seconds(_) | Self::Wrong => self.seconds(),
        }
    }
}

// === impl Members ===

/// The members of a list whose members may have quoted strings (RFC 9110 §5.6.1).
pub(crate) struct Members<'l> {
    rest: &'l [u8],
    strings: Strings,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Strings {
    /// A comma within a string separates nothing.
    Closed,
    /// A string has no end: every comma separates, so that no directive hides after it.
    Open,
}

impl<'l> Members<'l> {
    pub(crate) fn of(line: &'l HeaderValue) -> Self {
        Self { rest: line.as_bytes(), strings: Strings::Closed }
    }

    /// The length of the next member.
    fn end(&mut self) -> usize {
        let length = self.rest.len();
        let (mut is_string, mut is_escaped) = (false, false);
        if self.strings == Strings::Closed {
            for (at, byte) in self.rest.iter().enumerate() {
                match byte {
                    _ if is_escaped => is_escaped = false,
                    b'\\' if is_string => is_escaped = true,
                    b'"' => is_string = !is_string,
                    b',' if !is_string => return at,
                    _ => {}
                }
            }
            if !is_string {
                return length;
            }
            // Searched only once in a line: otherwise a client could make this slow.
            self.strings = Strings::Open;
        }
        self.rest.iter().position(|byte| *byte == b',').unwrap_or(length)
    }
}

impl<'l> Iterator for Members<'l> {
    type Item = &'l [u8];

    fn next(&mut self) -> Option<&'l [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let (member, rest) = self.rest.split_at(self.end());
        self.rest = rest.get(1..).unwrap_or_default();
        Some(member.trim_ascii())
    }
}

#[cfg(test)]
mod tests;
