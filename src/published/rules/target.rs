use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    Why,
    pattern::{Captures, Pattern},
};
use crate::object::has_dot_segment;

/// Where a rule leads, with places for parts of the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    kind: Kind,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Path,
    Url,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// As it stands in a URL.
    Text(String),
    InPath(String),
    InQuery(String),
}

/// Where a request leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A path of the site, encoded and without the slash in front, with a query and a fragment if it has them.
    Site(String),
    Url(String),
}

// === impl Target ===

impl Target {
    pub(super) fn parse(text: &str, from: &Pattern) -> Result<Self, Why> {
        let scheme = ["https://", "http://"].iter().find(|scheme| text.starts_with(**scheme));
        let (kind, fixed) = match scheme {
            Some(scheme) => {
                (Kind::Url, scheme.len() + authority(text.get(scheme.len()..).unwrap_or_default())?)
            }
            None if is_path(text) => (Kind::Path, 1),
            None => return Err(Why::Form("a rule leads to a path with one slash in front, or to a URL")),
        };
        let (front, rest) = text.split_at(fixed);
        let path = rest.split(['?', '#']).next().unwrap_or_default();
        if has_dot_segment(path) {
            return Err(Why::Form("a rule leads to no path with segments of dots"));
        }
        let mut parts = vec![Part::Text(front.to_owned())];
        let mut is_path = true;
        let mut rest = rest;
        while let Some(at) = rest.find([':', '?', '#']) {
            let (text, marked) = rest.split_at(at);
            parts.push(literal(text));
            let (mark, behind) = marked.split_at(1);
            let end = behind.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(behind.len());
            let (name, after) = behind.split_at(end);
            if mark == ":" && from.names().any(|known| known == name) {
                let name = name.to_owned();
                parts.push(if is_path { Part::InPath(name) } else { Part::InQuery(name) });
                rest = after;
            } else {
                is_path &= mark == ":";
                parts.push(Part::Text(mark.to_owned()));
                rest = behind;
            }
        }
        parts.push(literal(rest));
        Ok(Self { kind, parts })
    }

    /// Whether it is a path, and nothing else.
    pub(super) fn is_page(&self) -> bool {
        let is_mark = |part: &Part| matches!(part, Part::Text(text) if text.contains(['?', '#']));
        self.kind == Kind::Path && !self.parts.iter().any(is_mark)
    }

    /// What stands for a part of the path is encoded: it can't begin another part of the URL. The host is the rule's.
    pub(super) fn fill(&self, captures: &Captures<'_>) -> Place {
        let value = |name: &str| captures.value(name).unwrap_or_default();
        let mut filled = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::InPath(name) => filled.extend(utf8_percent_encode(value(name), IN_PATH)),
                Part::InQuery(name) => filled.extend(utf8_percent_encode(value(name), IN_QUERY)),
            }
        }
        match self.kind {
            Kind::Url => Place::Url(filled),
            Kind::Path => Place::Site(filled.split_off(1)),
        }
    }
}

/// One slash: two begin a host, and browsers take a backslash for a slash.
fn is_path(text: &str) -> bool {
    text.starts_with('/') && !text.get(1..).is_some_and(|rest| rest.starts_with(['/', '\\']))
}

/// The length of the host and the port, which are fixed.
fn authority(text: &str) -> Result<usize, Why> {
    let length = text.find(['/', '?', '#']).unwrap_or(text.len());
    let (authority, _) = text.split_at(length);
    let (host, port) = authority.split_once(':').unwrap_or((authority, "443"));
    let is_host = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    let is_fixed = !host.is_empty() && host.bytes().all(is_host) && port.parse::<u16>().is_ok();
    if is_fixed { Ok(length) } else { Err(Why::Form("the host of a URL is a name, without placeholders")) }
}

fn literal(text: &str) -> Part {
    Part::Text(utf8_percent_encode(text, AS_WRITTEN).to_string())
}

/// Of what is encoded already, only what can't stand in a field.
const AS_WRITTEN: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'\\');
const IN_QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
pub(crate) const IN_PATH: &AsciiSet = &IN_QUERY.remove(b'/');

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(from: &str, to: &str, path: &str) -> String {
        let pattern = Pattern::parse(from).unwrap();
        let target = Target::parse(to, &pattern).unwrap();
        match target.fill(&pattern.matches(path).unwrap()) {
            Place::Site(rest) => format!("site {rest}"),
            Place::Url(url) => url,
        }
    }

    #[test]
    fn a_target_takes_parts_of_the_path_and_keeps_its_host() {
        for (from, to, path, expected) in [
            ("/a", "/b", "/a", "site b"),
            ("/a", "/", "/a", "site "),
            ("/a", "/b?x=1#y", "/a", "site b?x=1#y"),
            ("/news/*", "/blog/:splat", "/news/2024/x y", "site blog/2024/x%20y"),
            ("/b/:y/:n", "/blog-:y-:n.html", "/b/2024/x", "site blog-2024-x.html"),
            ("/*", "/q?path=:splat", "/a/b&c=d", "site q?path=a%2Fb%26c%3Dd"),
            ("/*", "https://x.test/:splat", "/a?#b", "https://x.test/a%3F%23b"),
            ("/*", "https://x.test:8080/:splat/:other", "/a", "https://x.test:8080/a/:other"),
            ("/*", "https://x.test/:splat", "//evil.test", "https://x.test//evil.test"),
            ("/*", "/:splat", "//evil.test", "site /evil.test"),
            ("/*", "/:splat", "/\\evil.test\r\nx: y", "site %5Cevil.test%0D%0Ax%3A%20y"),
            ("/a", "/ünï%20x", "/a", "site %C3%BCn%C3%AF%20x"),
        ] {
            assert_eq!(filled(from, to, path), expected, "{from} {to} {path}");
        }
    }

    #[test]
    fn what_leads_nowhere_or_anywhere_is_refused() {
        let from = Pattern::parse("/*").unwrap();
        for to in [
            "b",
            "//evil.test",
            "/\\evil.test",
            "ftp://x.test/",
            "javascript:alert(1)",
            "https://",
            "https://:splat/",
            "https://x.:splat",
            "https://x.test:splat/",
            "https://a@x.test/",
            "https://x.test\\@y.test/",
            "/../a",
        ] {
            assert!(Target::parse(to, &from).is_err(), "{to}");
        }
    }
}
