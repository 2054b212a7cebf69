use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use http::HeaderValue;

use super::InvalidCors;

/// The origins that may read: all, or those of a list.
#[derive(Debug, Clone)]
pub(super) enum AllowedOrigins {
    Any,
    Listed(OriginList),
}

#[derive(Debug, Clone, Default)]
pub(super) struct OriginList {
    exact: Vec<String>,
    globs: GlobSet,
}

/// The notation for every origin.
pub(super) const ANY: &str = "*";

/// The value that browsers send for a page whose origin they do not reveal: a file, a sandboxed frame (HTML, "origin").
const OPAQUE: &str = "null";

// === impl AllowedOrigins ===

impl AllowedOrigins {
    pub(super) fn parse(origins: &[String]) -> Result<Self, InvalidCors> {
        match origins {
            [] => {
                let message = "no origin is allowed: list origins like \"https://app.example.com\", or allow any (\"*\")";
                Err(InvalidCors::Value(message.to_owned()))
            }
            [only] if only == ANY => Ok(Self::Any),
            list if list.iter().any(|origin| origin == ANY) => Err(InvalidCors::Contradiction(
                "the origin \"*\" is every origin: leave it out, or leave out all others".to_owned(),
            )),
            list => OriginList::parse(list).map(Self::Listed),
        }
    }

    /// Whether pages with an opaque origin may read.
    pub(super) fn has_opaque(&self) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(list) => list.exact.iter().any(|origin| origin == OPAQUE),
        }
    }
}

// === impl OriginList ===

impl OriginList {
    fn parse(origins: &[String]) -> Result<Self, InvalidCors> {
        let mut exact = Vec::new();
        let mut globs = GlobSetBuilder::new();
        for origin in origins {
            let invalid = |why: &str| InvalidCors::Value(format!("the origin {origin:?}: {why}"));
            check(origin).map_err(invalid)?;
            if !origin.contains(['*', '?', '{']) {
                exact.push(origin.clone());
                continue;
            }
            // Brackets belong to an IPv6 address, not to a character class.
            let mut glob = origin.replace('[', "\\[").replace(']', "\\]");
            // Two of them would match slashes.
            while glob.contains("**") {
                glob = glob.replace("**", "*");
            }
            let glob = GlobBuilder::new(&glob)
                .literal_separator(true)
                .backslash_escape(true)
                .case_insensitive(true)
                .build()
                .map_err(|why| invalid(&why.kind().to_string()))?;
            globs.add(glob);
        }
        let globs = globs.build().map_err(|why| InvalidCors::Value(format!("the origins: {why}")))?;
        Ok(Self { exact, globs })
    }

    /// Whether the value of an `Origin` is in the list. Scheme and host are compared case-insensitively.
    pub(super) fn contains(&self, origin: &HeaderValue) -> bool {
        let Ok(origin) = origin.to_str() else { return false };
        self.exact.iter().any(|exact| exact.eq_ignore_ascii_case(origin))
            || (!self.globs.is_empty() && self.globs.is_match(origin))
    }
}

/// Refuses what a browser could never send as an origin (RFC 6454 §6.2), wildcards aside.
fn check(origin: &str) -> Result<(), &'static str> {
    if origin == OPAQUE {
        return Ok(());
    }
    let Some((scheme, authority)) = origin.split_once("://").filter(|(a, b)| !a.is_empty() && !b.is_empty())
    else {
        return Err("must be a scheme and a host, like \"https://app.example.com\"");
    };
    if authority.contains('/') {
        return Err("must end with the host or the port: browsers send no path and no slash at the end");
    }
    if !origin.bytes().all(|byte| byte.is_ascii_graphic()) || origin.contains(['@', '#', '\\']) {
        return Err("must be a scheme, a host and a port in ASCII (punycode), as browsers send it");
    }
    match (scheme.to_ascii_lowercase().as_str(), authority.rsplit_once(':')) {
        ("http", Some((_, "80"))) | ("https", Some((_, "443"))) => {
            Err("must leave out the port, as browsers do if it is the scheme's default")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn list(origins: &[&str]) -> OriginList {
        let origins: Vec<_> = origins.iter().map(|origin| (*origin).to_owned()).collect();
        match AllowedOrigins::parse(&origins) {
            Ok(AllowedOrigins::Listed(list)) => list,
            other => panic!("{origins:?}: {other:?}"),
        }
    }

    #[test]
    fn an_origin_is_matched_as_a_whole() {
        for (listed, origin, is_allowed) in [
            ("https://app.test", "https://app.test", true),
            ("https://App.TEST", "https://app.test", true),
            ("https://app.test", "HTTPS://APP.test", true),
            ("https://app.test", "http://app.test", false),
            ("https://app.test", "https://app.test:8443", false),
            ("https://app.test", "https://app.test.evil.test", false),
            ("https://app.test", "https://evil-app.test", false),
            ("https://app.test", "https://app.test/", false),
            ("https://app.test", "null", false),
            ("https://app.test", "", false),
            ("https://app.test:8443", "https://app.test:8443", true),
            ("app://localhost", "app://localhost", true),
            ("null", "null", true),
            ("null", "https://app.test", false),
            // Globs.
            ("https://*.app.test", "https://a.app.test", true),
            ("https://*.app.test", "https://a.b.app.test", true),
            ("https://*.App.test", "HTTPS://A.app.TEST", true),
            ("https://*.app.test", "https://app.test", false),
            ("https://*.app.test", "https://evilapp.test", false),
            ("https://*.app.test", "https://a.app.test:8443", false),
            ("https://*.app.test", "https://a.app.test.evil.test", false),
            ("https://*.app.test", "https://evil.test/.app.test", false),
            ("https://*.app.test", "https://evil.test/?.app.test", false),
            ("https://*.app.test", "http://a.app.test", false),
            ("https://*.app.test", "null", false),
            ("http://localhost:*", "http://localhost:3000", true),
            ("http://localhost:*", "http://localhost", false),
            ("http://localhost:*", "http://localhost.evil.test", false),
            ("http://[::1]:*", "http://[::1]:3000", true),
            ("http://[::1]:*", "http://::3000", false),
            ("http{,s}://app?.test", "https://app1.test", true),
            ("http{,s}://app?.test", "http://app12.test", false),
            ("*://*", "https://app.test", true),
            ("https://**", "https://app.test", true),
            ("https://**", "https://app.test/", false),
            ("*://*", "null", false),
        ] {
            let is_in_list = list(&[listed]).contains(&HeaderValue::from_static(origin));
            assert_eq!(is_in_list, is_allowed, "{origin} in {listed}");
        }
        let many = list(&["https://a.test", "null", "http://localhost:*", "https://*.b.test"]);
        for origin in ["https://a.test", "null", "http://localhost:1", "https://b.b.test"] {
            assert!(many.contains(&HeaderValue::from_static(origin)), "{origin}");
        }
        assert!(!many.contains(&HeaderValue::from_bytes(b"https://\xfc.b.test").unwrap()));
    }

    #[test]
    fn what_no_browser_sends_is_refused_with_what_is_allowed() {
        for (origin, hint) in [
            ("", "like \"https://app.example.com\""),
            ("app.test", "like \"https://app.example.com\""),
            ("https://", "like \"https://app.example.com\""),
            ("://app.test", "like \"https://app.example.com\""),
            ("*.app.test", "like \"https://app.example.com\""),
            ("NULL", "like \"https://app.example.com\""),
            ("https://app.test/", "no slash at the end"),
            ("https://app.test/page", "no path"),
            ("https://*/page", "no path"),
            ("https://a:b@app.test", "a scheme, a host and a port"),
            ("\\https://app.test", "a scheme, a host and a port"),
            ("https://bücher.test", "punycode"),
            ("https://a.test https://b.test", "no path"),
            ("https://a.test,\tb.test", "a scheme, a host and a port"),
            ("https://app.test:443", "leave out the port"),
            ("HTTP://app.test:80", "leave out the port"),
            ("https://{a.test", "missing '}'"),
        ] {
            let Err(InvalidCors::Value(message)) = AllowedOrigins::parse(&[origin.to_owned()]) else {
                panic!("{origin:?} is refused");
            };
            assert!(message.contains(hint), "{message:?} contains {hint:?}");
        }
    }

    #[test]
    fn any_origin_stands_alone() {
        let parse = |origins: &[&str]| {
            AllowedOrigins::parse(&origins.iter().map(|origin| (*origin).to_owned()).collect::<Vec<_>>())
        };
        assert!(matches!(parse(&["*"]), Ok(AllowedOrigins::Any)));
        assert!(matches!(parse(&["*", "https://a.test"]), Err(InvalidCors::Contradiction(_))));
        assert!(matches!(parse(&[]), Err(InvalidCors::Value(_))));
    }

    /// Matches a pattern whose only wildcard is `*`.
    fn naive(pattern: &[u8], text: &[u8]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((b'*', rest)) => {
                let run = text.iter().take_while(|byte| **byte != b'/').count();
                (0..=run).any(|length| naive(rest, &text[length..]))
            }
            Some((literal, rest)) => text
                .split_first()
                .is_some_and(|(byte, text)| byte.eq_ignore_ascii_case(literal) && naive(rest, text)),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn lists_match_what_a_naive_matcher_does(
            pattern in "[aB]{1,2}://[aB*.:\\[\\]]{1,8}",
            origin in "[Ab]{1,2}://[Ab.:/\\[\\]]{0,10}",
        ) {
            let expected = naive(pattern.as_bytes(), origin.as_bytes());
            let origin = HeaderValue::try_from(&origin).unwrap();
            prop_assert_eq!(list(&[&pattern]).contains(&origin), expected);
        }
    }
}
