use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use http::{
    HeaderMap, HeaderName, HeaderValue, Uri,
    header::{HOST, ORIGIN, REFERER},
};

/// The sites whose pages may embed the objects of a mount. Pages of others get 403, so that they do not spend the mount's
/// traffic.
///
/// A browser says where a request is from: in `Sec-Fetch-Site` ([Fetch metadata](https://www.w3.org/TR/fetch-metadata/)),
/// `Origin` and `Referer` (RFC 9110 §10.1.3). Any other client can say what it likes: this is no protection of what is secret.
/// The mount's own host is always allowed, and so is a visit: a link that leads to the object itself.
///
/// ```
/// use tower_s3_proxy::{BucketName, Mount, access::Hotlinks};
///
/// let hotlinks = Hotlinks::allow(["studio.example", "*.studio.example"]);
/// let bucket = BucketName::parse("studio-media")?;
/// let mount = Mount::builder(bucket).region("us-west-2").anonymous().hotlinks(hotlinks).build()?;
/// # let _ = mount;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "it does nothing before `MountBuilder::hotlinks`"]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hotlinks {
    allow: Vec<String>,
    none_given: NoneGiven,
}

/// What becomes of requests that do not say where they are from: those of programs, of addresses that people type, and of
/// browsers that hide it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum NoneGiven {
    /// They are answered.
    #[default]
    Allowed,
    /// They get 403.
    Refused,
}

/// The rule of a mount.
#[derive(Debug, Clone)]
pub(crate) struct HotlinkRule {
    hosts: GlobSet,
    opaque: Opaque,
    none_given: NoneGiven,
}

/// Pages that have no origin: files, and frames in a sandbox (HTML, "origin").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opaque {
    Allowed,
    Refused,
}

/// Where a request is from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum From {
    /// The mount's own site, or a visit.
    Here,
    Host(String),
    Opaque,
    /// Another site, which does not say its name.
    Elsewhere,
    Unknown,
}

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

// === impl Hotlinks ===

impl Hotlinks {
    /// Pages of these hosts may embed objects: names without scheme and port, or globs, in which `*` is any run of characters:
    /// `*.studio.example` is every host below `studio.example`. `null` stands for pages that have no origin.
    pub fn allow<H: Into<String>>(hosts: impl IntoIterator<Item = H>) -> Self {
        Self { allow: hosts.into_iter().map(Into::into).collect(), none_given: NoneGiven::default() }
    }

    /// What becomes of requests that do not say where they are from; allowed by default.
    pub fn none_given(self, none_given: NoneGiven) -> Self {
        Self { none_given, ..self }
    }

    /// # Errors
    ///
    /// The host that is none, and why.
    pub(crate) fn parse(&self) -> Result<HotlinkRule, String> {
        let mut hosts = GlobSetBuilder::new();
        let mut opaque = Opaque::Refused;
        for host in &self.allow {
            if host == OPAQUE {
                opaque = Opaque::Allowed;
                continue;
            }
            if host.is_empty() || host.contains(['/', ':', ' ']) {
                return Err(format!(
                    "{host:?} must be a host name or a glob, like \"*.studio.example\", without scheme, port and path"
                ));
            }
            let glob = GlobBuilder::new(host).case_insensitive(true).build();
            hosts.add(glob.map_err(|why| format!("{host:?}: {}", why.kind()))?);
        }
        let hosts = hosts.build().map_err(|why| why.to_string())?;
        Ok(HotlinkRule { hosts, opaque, none_given: self.none_given })
    }
}

const OPAQUE: &str = "null";

// === impl HotlinkRule ===

impl HotlinkRule {
    /// Whether a read may be answered.
    pub(crate) fn allows(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        match From::of(uri, headers) {
            From::Here => true,
            From::Host(host) => self.hosts.is_match(host),
            From::Opaque => self.opaque == Opaque::Allowed,
            From::Elsewhere => false,
            From::Unknown => self.none_given == NoneGiven::Allowed,
        }
    }
}

// === impl From ===

impl From {
    /// `Sec-Fetch-Site` first, which no page can leave out or forge; else `Origin`, which not every request has; else
    /// `Referer`, which pages can hide.
    fn of(uri: &Uri, headers: &HeaderMap) -> Self {
        let site = only(headers, &SEC_FETCH_SITE).map(HeaderValue::as_bytes);
        let is_elsewhere = match site {
            Some(b"same-origin" | b"same-site") => return Self::Here,
            // Somebody typed the address, or has a bookmark (Fetch metadata §2.3).
            Some(b"none") => return Self::Unknown,
            Some(b"cross-site") => true,
            // A value of the future says nothing.
            Some(_) | None => false,
        };
        // The browser shows the object itself: nobody embeds it.
        if is_elsewhere && only(headers, &SEC_FETCH_DEST).is_some_and(|dest| dest == "document") {
            return Self::Here;
        }
        match (Self::told(headers), own_host(uri, headers)) {
            (Self::Unknown, _) if is_elsewhere => Self::Elsewhere,
            (Self::Host(host), Some(own)) if host.eq_ignore_ascii_case(own) => Self::Here,
            (from, _) => from,
        }
    }

    fn told(headers: &HeaderMap) -> Self {
        if headers.contains_key(ORIGIN) {
            return match only(headers, &ORIGIN) {
                Some(origin) if origin == OPAQUE => Self::Opaque,
                // No browser sends a malformed one, or two.
                origin => origin.and_then(host_of).map_or(Self::Elsewhere, Self::Host),
            };
        }
        // One that is no URL names no page: "about:blank" stands for none (RFC 9110 §10.1.3).
        only(headers, &REFERER).and_then(host_of).map_or(Self::Unknown, Self::Host)
    }
}

/// The value of a field that has one line.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h HeaderValue> {
    let mut lines = headers.get_all(name).iter();
    lines.next().filter(|_| lines.next().is_none())
}

/// The host of a URL, in lower case.
fn host_of(url: &HeaderValue) -> Option<String> {
    let uri = Uri::try_from(url.as_bytes()).ok()?;
    uri.scheme()?;
    let host = uri.host()?;
    Some(host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase())
}

/// The host that the request is for, without the port (RFC 9110 §7.1).
fn own_host<'r>(uri: &'r Uri, headers: &'r HeaderMap) -> Option<&'r str> {
    let host = uri.host().or_else(|| {
        let value = only(headers, &HOST)?.to_str().ok()?;
        let port = value.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
        Some(port.map_or(value, |(name, _)| name))
    })?;
    Some(host.strip_suffix('.').unwrap_or(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [("host", "media.studio.example:8080")].iter().chain(fields) {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers
    }

    /// Each row: the fields, and whether it is allowed where requests that say nothing are, and where they are not.
    #[test]
    fn where_a_request_is_from_decides() {
        const SITE: &str = "sec-fetch-site";
        const DEST: &str = "sec-fetch-dest";
        let allow = ["studio.example", "*.partner.example"];
        for (fields, lenient, strict) in [
            // Nothing at all.
            (&[][..], true, false),
            // Fetch metadata.
            (&[(SITE, "same-origin")], true, true),
            (&[(SITE, "same-site")], true, true),
            (&[(SITE, "none"), (DEST, "document")], true, false),
            (&[(SITE, "cross-site"), (DEST, "image")], false, false),
            (&[(SITE, "cross-site"), (DEST, "image"), ("referer", "https://evil.example/")], false, false),
            (&[(SITE, "cross-site"), (DEST, "image"), ("referer", "https://studio.example/")], true, true),
            (&[(SITE, "cross-site"), (DEST, "video"), ("origin", "https://a.partner.example")], true, true),
            (&[(SITE, "cross-site"), (DEST, "iframe"), ("referer", "https://evil.example/")], false, false),
            // A link that leads here is a visit.
            (&[(SITE, "cross-site"), (DEST, "document"), ("referer", "https://evil.example/")], true, true),
            // A value of the future, and two lines.
            (&[(SITE, "next-door")], true, false),
            (&[(SITE, "same-origin"), (SITE, "cross-site")], true, false),
            // What a page says of itself does not outdo what the browser says.
            (&[(SITE, "same-origin"), ("referer", "https://evil.example/")], true, true),
            // Origin.
            (&[("origin", "https://studio.example")], true, true),
            (&[("origin", "https://STUDIO.example:8443")], true, true),
            (&[("origin", "https://media.studio.example")], true, true),
            (&[("origin", "https://www.studio.example")], false, false),
            (&[("origin", "https://evil.example"), ("referer", "https://studio.example/")], false, false),
            (&[("origin", "null")], false, false),
            (&[("origin", "studio.example")], false, false),
            (&[("origin", "https://studio.example"), ("origin", "https://evil.example")], false, false),
            // Referer.
            (&[("referer", "https://studio.example/a/b?c#d")], true, true),
            (&[("referer", "http://media.studio.example:8080/page")], true, true),
            (&[("referer", "https://x.partner.example/")], true, true),
            (&[("referer", "https://partner.example/")], false, false),
            (&[("referer", "https://studio.example.evil.example/")], false, false),
            (&[("referer", "https://evil.example/studio.example")], false, false),
            (&[("referer", "https://studio.example@evil.example/")], false, false),
            // Malformed, as good as none.
            (&[("referer", "about:blank")], true, false),
            (&[("referer", "/page")], true, false),
            (&[("referer", "studio.example")], true, false),
            (&[("referer", "")], true, false),
            (&[("referer", "https://[")], true, false),
        ] {
            let uri = Uri::from_static("/a.jpg");
            for (none_given, expected) in [(NoneGiven::Allowed, lenient), (NoneGiven::Refused, strict)] {
                let rule = Hotlinks::allow(allow).none_given(none_given).parse().unwrap();
                assert_eq!(rule.allows(&uri, &headers(fields)), expected, "{fields:?} {none_given:?}");
            }
        }
    }

    #[test]
    fn pages_without_an_origin_are_allowed_by_name_and_the_target_is_the_own_host() {
        let rule = Hotlinks::allow(["null"]).parse().unwrap();
        assert!(rule.allows(&Uri::from_static("/a"), &headers(&[("origin", "null")])));
        let absolute = Uri::from_static("http://files.example/a");
        assert!(rule.allows(&absolute, &headers(&[("referer", "https://files.example/")])));
        assert!(!rule.allows(&absolute, &headers(&[("referer", "https://media.studio.example/")])));
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for host in ["", "https://studio.example", "studio.example:443", "studio.example/", "{a", "a b"] {
            assert!(Hotlinks::allow([host]).parse().is_err(), "{host:?}");
        }
        assert!(Hotlinks::allow([""; 0]).parse().is_ok(), "the own host alone");
    }
}
