use super::Why;
use crate::object::{decode_once, has_dot_segment};

/// A pattern of paths, which begin with a slash and are decoded: `/news/*`, `/blog/:year/:name`, `/*.pdf`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    /// Invariant: at most one is [`Piece::Splat`], and texts stand around each [`Piece::Name`] but at the ends.
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// A whole segment, which is not empty.
    Name(String),
    /// Any run of characters.
    Splat,
}

/// The parts of a path that the names of a pattern stand for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Captures<'a>(Vec<(&'a str, &'a str)>);

/// The name of what `*` stands for.
const SPLAT: &str = "splat";

// === impl Pattern ===

impl Pattern {
    pub(super) fn parse(text: &str) -> Result<Self, Why> {
        if !text.starts_with('/') {
            return Err(Why::Form("a path must begin with a slash: rules of other hosts are not supported"));
        }
        if text.contains(['?', '#']) {
            return Err(Why::Form("rules are for paths, and have no query and no fragment"));
        }
        if has_dot_segment(text) {
            return Err(Why::Form("no request has a path with such a segment of dots"));
        }
        let mut pieces = Vec::new();
        for (n, segment) in text.split('/').enumerate() {
            if n > 0 {
                add_text(&mut pieces, "/");
            }
            match segment.strip_prefix(':') {
                Some(name) if is_name(name) => pieces.push(Piece::Name(name.to_owned())),
                _ => {
                    for (n, text) in segment.split('*').enumerate() {
                        if n > 0 {
                            pieces.push(Piece::Splat);
                        }
                        let text = decode_once(text)
                            .map_err(|_| Why::Form("the path is not encoded as in a URL"))?;
                        add_text(&mut pieces, &text);
                    }
                }
            }
        }
        let pattern = Self { pieces };
        let names: Vec<_> = pattern.names().collect();
        if names.iter().enumerate().any(|(n, name)| names.iter().take(n).any(|other| other == name)) {
            return Err(Why::Form("a path has one \"*\" at most, and each of its placeholders once"));
        }
        Ok(pattern)
    }

    /// Whether it matches one path alone.
    pub(super) fn is_static(&self) -> bool {
        self.names().next().is_none()
    }

    /// The names of what it captures.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Text(_) => None,
            Piece::Name(name) => Some(name.as_str()),
            Piece::Splat => Some(SPLAT),
        })
    }

    pub(super) fn matches<'a>(&'a self, path: &'a str) -> Option<Captures<'a>> {
        let mut found = Vec::new();
        let splat = self.pieces.iter().position(|piece| *piece == Piece::Splat);
        let (before, from_splat) = self.pieces.split_at(splat.unwrap_or(self.pieces.len()));
        let mut rest = path;
        for piece in before {
            match piece {
                Piece::Text(text) => rest = rest.strip_prefix(text.as_str())?,
                Piece::Name(name) => {
                    let (segment, behind) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                    found.push((name.as_str(), segment));
                    rest = behind;
                }
                Piece::Splat => {}
            }
        }
        for piece in from_splat.iter().skip(1).rev() {
            match piece {
                Piece::Text(text) => rest = rest.strip_suffix(text.as_str())?,
                Piece::Name(name) => {
                    let (before, segment) = rest.split_at(rest.rfind('/').map_or(0, |at| at + 1));
                    found.push((name.as_str(), segment));
                    rest = before;
                }
                Piece::Splat => {}
            }
        }
        if found.iter().any(|(_, segment)| segment.is_empty()) {
            return None;
        }
        match from_splat.is_empty() {
            true if !rest.is_empty() => return None,
            true => {}
            false => found.push((SPLAT, rest)),
        }
        Some(Captures(found))
    }
}

fn add_text(pieces: &mut Vec<Piece>, text: &str) {
    match pieces.last_mut() {
        _ if text.is_empty() => {}
        Some(Piece::Text(last)) => last.push_str(text),
        Some(Piece::Name(_) | Piece::Splat) | None => pieces.push(Piece::Text(text.to_owned())),
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

// === impl Captures ===

impl<'a> Captures<'a> {
    pub(super) fn value(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find_map(|(known, value)| (*known == name).then_some(*value))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(pattern: &str, path: &str) -> Option<String> {
        let pattern = Pattern::parse(pattern).unwrap();
        let mut found = pattern.matches(path)?.0;
        found.sort_unstable();
        Some(found.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn a_path_matches_as_a_whole() {
        for (pattern, path, expected) in [
            ("/a", "/a", Some("")),
            ("/a", "/a/", None),
            ("/a", "/ab", None),
            ("/", "/", Some("")),
            ("/*", "/", Some("splat=")),
            ("/*", "/a/b", Some("splat=a/b")),
            ("/news/*", "/news/2024/x", Some("splat=2024/x")),
            ("/news/*", "/news", None),
            ("/news/*", "/news/", Some("splat=")),
            ("/*.pdf", "/a/b.pdf", Some("splat=a/b")),
            ("/*.pdf", "/a/b.pdfx", None),
            ("/a/*/z", "/a/b/c/z", Some("splat=b/c")),
            ("/a/*/z", "/a/z", None),
            ("/blog/:year/:name", "/blog/2024/x", Some("name=x year=2024")),
            ("/blog/:year/:name", "/blog/2024/x/y", None),
            ("/blog/:year/:name", "/blog/2024/", None),
            ("/blog/:year/", "/blog/2024/", Some("year=2024")),
            ("/:lang/*/:page", "/en/a/b/c", Some("lang=en page=c splat=a/b")),
            ("/:lang/*", "//x", None),
            // What looks like a placeholder, and is none.
            ("/a:b", "/a:b", Some("")),
            ("/:1", "/:1", Some("")),
            ("/a%20b/%2A", "/a b/*", Some("")),
            ("/ünï", "/ünï", Some("")),
        ] {
            assert_eq!(told(pattern, path).as_deref(), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_told() {
        for text in
            ["a", "https://x.test/a", "/a?b", "/a#b", "/*/*", "/:a/:a", "/:splat/*", "/%", "/a/../b", "/%ff"]
        {
            assert!(matches!(Pattern::parse(text), Err(Why::Form(_))), "{text}");
        }
    }

    /// All ways to take the pieces of a pattern, one after the other.
    fn naive(pieces: &[Piece], path: &str) -> bool {
        match pieces {
            [] => path.is_empty(),
            [Piece::Text(text), behind @ ..] => {
                path.strip_prefix(text.as_str()).is_some_and(|path| naive(behind, path))
            }
            [Piece::Name(_), behind @ ..] => (1..=path.len())
                .filter(|end| path.is_char_boundary(*end) && !path[..*end].contains('/'))
                .any(|end| naive(behind, &path[end..])),
            [Piece::Splat, behind @ ..] => (0..=path.len())
                .filter(|end| path.is_char_boundary(*end))
                .any(|end| naive(behind, &path[end..])),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn matching_is_what_a_naive_search_finds(
            pattern in "(/(a|b|:x|:y|ab)){0,3}(/\\*|/a\\*b)?(/(a|:z)){0,2}/?",
            path in "(/(a|b|ab|ü)?){0,6}",
        ) {
            prop_assume!(Pattern::parse(&pattern).is_ok());
            let pattern = Pattern::parse(&pattern).unwrap();
            prop_assert_eq!(pattern.matches(&path).is_some(), naive(&pattern.pieces, &path));
        }
    }
}
