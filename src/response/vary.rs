//! `Vary`: which fields of a request a response depends on (RFC 9110 §12.5.5).

use http::{HeaderMap, HeaderValue, header::VARY};

use super::list::{joined, members};

/// Tells caches that a response depends on the page that asks for it.
pub(crate) fn vary_by_source(headers: &mut HeaderMap) {
    vary_by(headers, &BY_SOURCE, VARY_BY_SOURCE);
}

const BY_SOURCE: [&str; 4] = ["Origin", "Referer", "Sec-Fetch-Dest", "Sec-Fetch-Site"];
const VARY_BY_SOURCE: HeaderValue =
    HeaderValue::from_static("Origin, Referer, Sec-Fetch-Dest, Sec-Fetch-Site");

/// Adds names to `Vary`, as one line: not every cache reads a second one. `*` says it all. `alone` is the value if there is
/// none yet.
pub(super) fn vary_by(headers: &mut HeaderMap, names: &[&str], alone: HeaderValue) {
    if !headers.contains_key(VARY) {
        headers.insert(VARY, alone);
        return;
    }
    let stored = || headers.get_all(VARY).iter().flat_map(members);
    let is_stored = |name: &str| stored().any(|member| member.eq_ignore_ascii_case(name.as_bytes()));
    if is_stored("*") {
        return;
    }
    let missing: Vec<_> = names.iter().filter(|name| !is_stored(name)).map(|name| name.as_bytes()).collect();
    if missing.is_empty() {
        return;
    }
    if let Some(merged) = joined(stored().chain(missing)) {
        headers.insert(VARY, merged);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_added_once() {
        for (stored, expected) in [
            (&[][..], "Origin, Referer, Sec-Fetch-Dest, Sec-Fetch-Site"),
            (&["Accept-Encoding"], "Accept-Encoding, Origin, Referer, Sec-Fetch-Dest, Sec-Fetch-Site"),
            (&["origin", "Accept"], "origin, Accept, Referer, Sec-Fetch-Dest, Sec-Fetch-Site"),
            (
                &["Origin, Referer, Sec-Fetch-Dest, Sec-Fetch-Site"],
                "Origin, Referer, Sec-Fetch-Dest, Sec-Fetch-Site",
            ),
            (&["*"], "*"),
        ] {
            let mut headers = HeaderMap::new();
            for line in stored {
                headers.append(VARY, HeaderValue::from_static(line));
            }
            vary_by_source(&mut headers);
            let lines: Vec<_> = headers.get_all(VARY).iter().collect();
            assert_eq!(lines, [expected], "{stored:?}");
        }
    }
}
