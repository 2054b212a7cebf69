//! Range requests: RFC 9110 §14.

use http::HeaderMap;
use http::header::RANGE;

/// The bytes that a read gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Selection {
    Whole,
    /// Both ends included.
    Part {
        first: u64,
        last: u64,
    },
    Unsatisfiable,
}

/// Resolves the `Range` of a request against a length. S3 ignores what it cannot read, other units, and more
/// than one range.
pub(crate) fn select(headers: &HeaderMap, len: u64) -> Selection {
    let spec = headers
        .get(RANGE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.trim().strip_prefix("bytes="))
        .and_then(|spec| spec.trim().split_once('-'));
    match spec {
        None => Selection::Whole,
        Some(("", suffix)) => match number(suffix) {
            None => Selection::Whole,
            Some(0) => Selection::Unsatisfiable,
            Some(_) if len == 0 => Selection::Unsatisfiable,
            Some(n) => Selection::Part { first: len.saturating_sub(n), last: len - 1 },
        },
        Some((first, "")) => match number(first) {
            None => Selection::Whole,
            Some(first) => from(first, u64::MAX, len),
        },
        Some((first, last)) => match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => from(first, last, len),
            _ => Selection::Whole,
        },
    }
}

fn from(first: u64, last: u64, len: u64) -> Selection {
    if first >= len {
        return Selection::Unsatisfiable;
    }
    Selection::Part { first, last: last.min(len - 1) }
}

fn number(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // More digits than a length can have: past the end of anything.
    Some(digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn ranges_follow_rfc_9110() {
        let part = |first, last| Selection::Part { first, last };
        for (range, len, selection) in [
            ("bytes=0-3", 10, part(0, 3)),
            ("bytes=4-", 10, part(4, 9)),
            ("bytes=4-99", 10, part(4, 9)),
            ("bytes=-3", 10, part(7, 9)),
            ("bytes=-99", 10, part(0, 9)),
            ("bytes=0-99999999999999999999999", 10, part(0, 9)),
            ("bytes=10-", 10, Selection::Unsatisfiable),
            ("bytes=-0", 10, Selection::Unsatisfiable),
            ("bytes=-1", 0, Selection::Unsatisfiable),
            ("bytes=0-", 0, Selection::Unsatisfiable),
            ("bytes=5-2", 10, Selection::Whole),
            ("bytes=0-1,3-4", 10, Selection::Whole),
            ("bytes=a-b", 10, Selection::Whole),
            ("bytes=-", 10, Selection::Whole),
            ("lines=0-3", 10, Selection::Whole),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RANGE, HeaderValue::from_static(range));
            assert_eq!(select(&headers, len), selection, "{range} of {len}");
        }
    }
}
