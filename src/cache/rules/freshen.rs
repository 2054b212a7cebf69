use http::{
    HeaderMap, HeaderName,
    header::{AGE, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, DATE, ETAG},
};

use crate::origin::{is_nominated, is_of_connection};

/// The stored fields of a response that a 304 has confirmed, updated by those of the 304 (RFC 9111 §3.2, §4.3.4). The
/// caller must know that the 304 is for the stored state.
///
/// Each field of the 304 replaces all stored lines of its name, except
///
/// - `Content-Length` (§3.2), and `Content-Encoding`, `Content-Range` and `Content-Type`, on which the stored bytes
///   depend (§3.2): a 304 describes no content (RFC 9110 §15.4.5);
/// - `ETag`: a different one is not for this state. A weak one would weaken the stored one, and then ranges could not
///   be combined; a new one for a response without a tag would claim bytes that nobody compared;
/// - fields of the connection, which are never stored (§3.1).
///
/// `Age` and `Date` are those of the 304 or none: the stored ones date from the previous confirmation (§4.2.3).
pub(crate) fn merged(stored: &HeaderMap, not_modified: &HeaderMap) -> HeaderMap {
    let mut headers = stored.clone();
    headers.remove(AGE);
    headers.remove(DATE);
    for name in not_modified.keys() {
        if KEPT.contains(name) || is_of_connection(name) || is_nominated(name, not_modified) {
            continue;
        }
        headers.remove(name);
        for value in not_modified.get_all(name) {
            headers.append(name, value.clone());
        }
    }
    headers
}

const KEPT: [HeaderName; 5] = [CONTENT_LENGTH, CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, ETAG];

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn fields(rows: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in rows {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn a_304_updates_what_does_not_describe_the_bytes() {
        for (section, stored, not_modified, expected) in [
            ("3.2: left out", &[("x", "1")][..], &[][..], &[("x", "1")][..]),
            ("3.2: replaced", &[("x", "1")], &[("x", "2")], &[("x", "2")]),
            ("3.2: added", &[("x", "1")], &[("y", "2")], &[("x", "1"), ("y", "2")]),
            (
                "3.2: all lines",
                &[("x", "1"), ("x", "2"), ("x", "3")],
                &[("x", "4"), ("x", "5")],
                &[("x", "4"), ("x", "5")],
            ),
            (
                "3.2: metadata",
                &[("cache-control", "a")],
                &[("cache-control", "b")],
                &[("cache-control", "b")],
            ),
            (
                "3.2: Content-Length",
                &[("content-length", "5")],
                &[("content-length", "0")],
                &[("content-length", "5")],
            ),
            ("3.2: Content-Encoding", &[], &[("content-encoding", "gzip")], &[]),
            ("3.2: Content-Range", &[], &[("content-range", "bytes 0-0/1")], &[]),
            (
                "3.2: Content-Type",
                &[("content-type", "a/b")],
                &[("content-type", "c/d")],
                &[("content-type", "a/b")],
            ),
            ("4.3.4: a weak tag", &[("etag", "\"a\"")], &[("etag", "W/\"a\"")], &[("etag", "\"a\"")]),
            ("4.3.4: a tag out of nothing", &[], &[("etag", "\"a\"")], &[]),
            (
                "4.3.4: a later date",
                &[("last-modified", "a")],
                &[("last-modified", "b")],
                &[("last-modified", "b")],
            ),
            ("4.2.3: Age and Date", &[("age", "9"), ("date", "a")], &[("date", "b")], &[("date", "b")]),
            ("4.2.3: neither", &[("age", "9"), ("date", "a")], &[], &[]),
            (
                "4.2.3: both",
                &[("age", "9"), ("date", "a")],
                &[("age", "1"), ("date", "b")],
                &[("age", "1"), ("date", "b")],
            ),
            ("3.1: Connection", &[], &[("connection", "close, X"), ("x", "1"), ("keep-alive", "a")], &[]),
            ("3.1: Proxy-*", &[], &[("proxy-authenticate", "a"), ("proxy-authentication-info", "b")], &[]),
        ] {
            assert_eq!(merged(&fields(stored), &fields(not_modified)), fields(expected), "{section}");
        }
    }
}
