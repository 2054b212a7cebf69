use http::{HeaderMap, Version, header::HOST};

/// What is wrong with the `Host` of an HTTP/1 request, if anything is.
///
/// RFC 9112 §3.2: the answer to a request without it, with two lines, or with a malformed one must be 400, whatever the
/// target's form. HTTP/1.0 does not need it, and HTTP/2 has `:authority`.
pub(crate) fn fault(version: Version, headers: &HeaderMap) -> Option<&'static str> {
    if version > Version::HTTP_11 {
        return None;
    }
    let mut lines = headers.get_all(HOST).iter();
    match (lines.next(), lines.next()) {
        (None, _) if version == Version::HTTP_11 => Some("no Host"),
        (None, _) => None,
        (Some(_), Some(_)) => Some("more than one Host"),
        (Some(host), None) if is_host(host.as_bytes()) => None,
        (Some(_), None) => Some("malformed Host"),
    }
}

/// Whether it is a `uri-host [ ":" port ]` (RFC 9110 §7.2), which can be empty.
fn is_host(field: &[u8]) -> bool {
    let (host, port) = match field.iter().rposition(|byte| *byte == b':') {
        // The last colon of an address in brackets is inside them, if there is no port.
        Some(colon) if !field.ends_with(b"]") => field.split_at(colon),
        _ => (field, &b":"[..]),
    };
    let is_port = port.iter().skip(1).all(u8::is_ascii_digit);
    is_port
        && match host.strip_prefix(b"[").map(|host| host.strip_suffix(b"]")) {
            Some(Some(literal)) => !literal.is_empty() && literal.iter().all(|byte| is_of_literal(*byte)),
            Some(None) => false,
            None => is_name(host),
        }
}

/// An `IP-literal` (RFC 3986 §3.2.2) without its brackets, roughly.
fn is_of_literal(byte: u8) -> bool {
    byte == b':' || is_plain(byte)
}

/// A `reg-name` (RFC 3986 §3.2.2), which every IPv4 address is, too.
fn is_name(mut name: &[u8]) -> bool {
    loop {
        name = match name {
            [] => return true,
            [b'%', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => rest,
            [byte, rest @ ..] if is_plain(*byte) => rest,
            _ => return false,
        }
    }
}

/// `unreserved` and `sub-delims` (RFC 3986 §2).
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.'
                | b'_'
                | b'~'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
        )
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn an_http_1_1_request_has_one_well_formed_host() {
        let (v10, v11, v2) = (Version::HTTP_10, Version::HTTP_11, Version::HTTP_2);
        for (version, lines, expected) in [
            (v11, &["media.example"][..], None),
            (v11, &["media.example:8080"], None),
            (v11, &["media.example:"], None),
            (v11, &["127.0.0.1:80"], None),
            (v11, &["[::1]"], None),
            (v11, &["[2001:db8::1]:8080"], None),
            (v11, &["under_score.example"], None),
            (v11, &["a%2Fb"], None),
            (v11, &[""], None),
            (v11, &[], Some("no Host")),
            (v10, &[], None),
            (v11, &["a.example", "a.example"], Some("more than one Host")),
            (v10, &["a.example", "b.example"], Some("more than one Host")),
            (v11, &["a b/c"], Some("malformed Host")),
            (v11, &["a/b"], Some("malformed Host")),
            (v11, &["user@a.example"], Some("malformed Host")),
            (v11, &["a.example, b.example"], Some("malformed Host")),
            (v11, &["a.example:80x"], Some("malformed Host")),
            (v11, &["a:b:80"], Some("malformed Host")),
            (v11, &["::1"], Some("malformed Host")),
            (v11, &["[::1"], Some("malformed Host")),
            (v11, &["[]"], Some("malformed Host")),
            (v11, &["[::1]x:80"], Some("malformed Host")),
            (v11, &["a%2"], Some("malformed Host")),
            (v11, &["a%zz"], Some("malformed Host")),
            (v11, &["\u{e9}.example"], Some("malformed Host")),
            (v10, &["a b"], Some("malformed Host")),
            (v2, &[], None),
            (v2, &["a b"], None),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(HOST, HeaderValue::from_bytes(line.as_bytes()).unwrap());
            }
            assert_eq!(fault(version, &headers), expected, "{version:?} {lines:?}");
        }
    }
}
