use http::{HeaderMap, HeaderName, header::CACHE_CONTROL};

use super::list::joined;
use crate::cache::Directives;

/// Keeps a response out of shared caches (RFC 9111 §5.2.2.7).
pub(crate) fn keep_private(headers: &mut HeaderMap) {
    // A cache that knows one of these ignores `Cache-Control` (RFC 9213 §2.2).
    let targeted: Vec<HeaderName> = headers.keys().filter(|name| is_targeted(name)).cloned().collect();
    for name in targeted {
        headers.remove(name);
    }
    let mut kept: Vec<&[u8]> = vec![b"private"];
    for directive in headers.get_all(CACHE_CONTROL).iter().flat_map(Directives::of) {
        let name = directive.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii();
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        if is("no-store") {
            return;
        }
        // `private="field"` would let others keep the rest.
        let is_for_shared = is("public") || is("s-maxage") || is("proxy-revalidate") || is("private");
        if !is_for_shared && !directive.is_empty() {
            kept.push(directive);
        }
    }
    if let Some(value) = joined(kept.into_iter()) {
        headers.insert(CACHE_CONTROL, value);
    }
}

/// Whether a field is for caches in front alone. By convention, the names of targeted fields have the same ending (RFC
/// 9213 §2.1); the other fields are older.
fn is_targeted(name: &HeaderName) -> bool {
    name.as_str().ends_with("-cache-control") || OLDER.contains(&name.as_str())
}

/// From Edge Architecture, nginx and Akamai.
const OLDER: [&str; 3] = ["surrogate-control", "x-accel-expires", "edge-control"];

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn shared_caches_keep_nothing() {
        for (stored, sent) in [
            (&[][..], "private"),
            (&["public, max-age=60"], "private, max-age=60"),
            (&["max-age=60, s-maxage=600, immutable"], "private, max-age=60, immutable"),
            (&["Public", "S-MaxAge=5, must-revalidate"], "private, must-revalidate"),
            (&["private, max-age=5"], "private, max-age=5"),
            (&["private=\"x-a, x-b\", max-age=5"], "private, max-age=5"),
            (&["no-cache=\"no-store, x\", public"], "private, no-cache=\"no-store, x\""),
            (&["no-store"], "no-store"),
            (&["max-age=5, no-store, public"], "max-age=5, no-store, public"),
            (&[" , "], "private"),
        ] {
            let mut headers = HeaderMap::new();
            for value in stored {
                headers.append(CACHE_CONTROL, HeaderValue::from_static(value));
            }
            keep_private(&mut headers);
            assert_eq!(headers[CACHE_CONTROL], sent, "{stored:?}");
            assert_eq!(headers.get_all(CACHE_CONTROL).iter().count(), 1);
        }
    }

    #[test]
    fn what_is_said_to_shared_caches_alone_is_left_out() {
        for stored in ["no-store", "max-age=60"] {
            let mut headers = HeaderMap::new();
            headers.insert(CACHE_CONTROL, HeaderValue::from_static(stored));
            for name in [
                "cdn-cache-control",
                "cloudflare-cdn-cache-control",
                "s3-proxy-cache-control",
                "surrogate-control",
                "x-accel-expires",
                "edge-control",
            ] {
                headers.append(name, HeaderValue::from_static("max-age=600"));
                headers.append(name, HeaderValue::from_static("max-age=900"));
            }
            keep_private(&mut headers);
            assert_eq!(headers.keys().collect::<Vec<_>>(), [CACHE_CONTROL], "{stored}");
        }
    }
}
