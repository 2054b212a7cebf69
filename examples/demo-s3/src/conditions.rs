//! Conditional requests: RFC 9110 §13.

use std::time::SystemTime;

use http::HeaderMap;
use http::header::{AsHeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE};

use crate::object::Facts;

/// The outcome of a read's conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Proceed,
    NotModified,
    Failed,
}

/// Evaluates the conditions in the order of RFC 9110 §13.2.2.
pub(crate) fn evaluate(headers: &HeaderMap, facts: &Facts) -> Verdict {
    let unwanted = match list(headers, IF_MATCH) {
        Some(tags) => !matches(&tags, &facts.etag, Comparison::Strong),
        None => date(headers, IF_UNMODIFIED_SINCE).is_some_and(|at| facts.modified > at),
    };
    if unwanted {
        return Verdict::Failed;
    }
    let known = match list(headers, IF_NONE_MATCH) {
        Some(tags) => matches(&tags, &facts.etag, Comparison::Weak),
        None => date(headers, IF_MODIFIED_SINCE).is_some_and(|at| facts.modified <= at),
    };
    if known { Verdict::NotModified } else { Verdict::Proceed }
}

/// Whether `If-Range` lets a range stand: RFC 9110 §13.1.5.
pub(crate) fn range_stands(headers: &HeaderMap, facts: &Facts) -> bool {
    let Some(value) = headers.get(IF_RANGE) else {
        return true;
    };
    let Ok(value) = value.to_str() else {
        return false;
    };
    match httpdate::parse_http_date(value) {
        Ok(at) => facts.modified == at,
        Err(_) => value != "*" && matches(value, &facts.etag, Comparison::Strong),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Strong,
    Weak,
}

fn list(headers: &HeaderMap, name: impl AsHeaderName) -> Option<String> {
    let lines: Vec<&str> = headers.get_all(name).iter().filter_map(|line| line.to_str().ok()).collect();
    (!lines.is_empty()).then(|| lines.join(","))
}

fn date(headers: &HeaderMap, name: impl AsHeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok()
}

/// Whether a list of tags, or `*`, names this tag. S3 also accepts tags without quotes.
fn matches(tags: &str, etag: &str, comparison: Comparison) -> bool {
    let mut rest = tags.trim();
    if rest == "*" {
        return true;
    }
    while !rest.is_empty() {
        let (weak, tail) = match rest.strip_prefix("W/") {
            Some(tail) => (true, tail),
            None => (false, rest),
        };
        // A comma within quotes is part of the tag.
        let (tag, tail) = match tail.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => tail.split_at(tail.find(',').unwrap_or(tail.len())),
        };
        if tag.trim() == etag && !(weak && comparison == Comparison::Strong) {
            return true;
        }
        rest = tail.trim_start_matches([',', ' ', '\t']);
    }
    false
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn conditions_follow_rfc_9110() {
        let facts = Facts {
            len: 1,
            etag: "a,b".to_owned(),
            // Sun, 06 Nov 1994 08:49:37 GMT
            modified: SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777),
        };
        let at = "Sun, 06 Nov 1994 08:49:37 GMT";
        let before = "Sunday, 06-Nov-94 08:49:36 GMT";
        for (headers, verdict) in [
            (vec![], Verdict::Proceed),
            (vec![(IF_MATCH, r#""x", "a,b""#)], Verdict::Proceed),
            (vec![(IF_MATCH, r#"W/"a,b""#)], Verdict::Failed),
            (vec![(IF_MATCH, "*")], Verdict::Proceed),
            (vec![(IF_NONE_MATCH, r#""x",W/"a,b""#)], Verdict::NotModified),
            (vec![(IF_NONE_MATCH, r#""a", "b""#)], Verdict::Proceed),
            (vec![(IF_NONE_MATCH, "*")], Verdict::NotModified),
            (vec![(IF_MODIFIED_SINCE, at)], Verdict::NotModified),
            (vec![(IF_MODIFIED_SINCE, before)], Verdict::Proceed),
            (vec![(IF_MODIFIED_SINCE, "yesterday")], Verdict::Proceed),
            (vec![(IF_UNMODIFIED_SINCE, at)], Verdict::Proceed),
            (vec![(IF_UNMODIFIED_SINCE, before)], Verdict::Failed),
            (vec![(IF_MATCH, r#""a,b""#), (IF_UNMODIFIED_SINCE, before)], Verdict::Proceed),
            (vec![(IF_NONE_MATCH, r#""x""#), (IF_MODIFIED_SINCE, at)], Verdict::Proceed),
        ] {
            let map: HeaderMap = headers
                .iter()
                .cloned()
                .map(|(name, value): (HeaderName, &str)| (name, HeaderValue::from_str(value).unwrap()))
                .collect();
            assert_eq!(evaluate(&map, &facts), verdict, "{headers:?}");
        }
    }
}
