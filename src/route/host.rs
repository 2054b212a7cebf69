use http::{HeaderMap, Uri, header::HOST};

/// The host name of a mount, in lower case, without a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct HostName(String);

// === impl HostName ===

impl HostName {
    /// `None` if the text is not a host name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let name = name.strip_suffix('.').unwrap_or(name);
        let proper = !name.is_empty()
            && name.len() <= 253
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
        proper.then(|| Self(name.to_ascii_lowercase()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the request is for this host: by its authority (HTTP/2, absolute form), else by its `Host`
    /// (RFC 9110 §7.1: the target URI's authority). Two `Host` lines name no host: something in front of the
    /// proxy can have decided by the other one (RFC 9112 §3.2).
    pub(crate) fn is_target_of(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let mut lines = headers.get_all(HOST).iter();
        let (line, None) = (lines.next(), lines.next()) else { return false };
        let host = match uri.host() {
            Some(host) => host,
            None => match line.and_then(|value| value.to_str().ok()) {
                Some(value) => without_port(value),
                None => return false,
            },
        };
        host.strip_suffix('.').unwrap_or(host).eq_ignore_ascii_case(&self.0)
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn two_host_lines_name_no_host() {
        let mut headers = HeaderMap::new();
        headers.append(HOST, HeaderValue::from_static("media.example"));
        headers.append(HOST, HeaderValue::from_static("other.example"));
        for (uri, name) in
            [("/a", "media.example"), ("/a", "other.example"), ("http://media.example/a", "media.example")]
        {
            let name = HostName::parse(name).unwrap();
            assert!(!name.is_target_of(&uri.parse().unwrap(), &headers), "{uri} {name:?}");
        }
    }

    #[test]
    fn the_authority_wins_over_the_host_header() {
        let name = HostName::parse("Media.example").unwrap();
        for (uri, host, is_target) in [
            ("/a", Some("media.example"), true),
            ("/a", Some("MEDIA.example:8080"), true),
            ("/a", Some("media.example."), true),
            ("/a", Some("other.example"), false),
            ("/a", None, false),
            ("http://media.example/a", Some("other.example"), true),
            ("http://other.example/a", Some("media.example"), false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(host) = host {
                headers.insert(HOST, HeaderValue::from_static(host));
            }
            assert_eq!(name.is_target_of(&uri.parse().unwrap(), &headers), is_target, "{uri} {host:?}");
        }
    }
}
