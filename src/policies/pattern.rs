//! Text as IAM's patterns, in which `*` is any run of characters, including slashes, and `?` is one.

use super::{PolicyDialect, partition::Partition};

/// The pattern that matches the text and nothing else; `None` if the server cannot express it.
///
/// IAM has variables for the characters that are a wildcard, or begin a variable, in a pattern ([IAM user guide,
/// "Variables and
/// tags"](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#policy-vars-specialchars)).
/// Compatible servers have wildcards and variables, but not these.
pub(super) fn literal(text: &str, dialect: PolicyDialect) -> Option<String> {
    match dialect {
        PolicyDialect::Aws => {
            let mut pattern = String::with_capacity(text.len());
            for char in text.chars() {
                match char {
                    special @ ('*' | '?' | '$') => pattern.extend(['$', '{', special, '}']),
                    char => pattern.push(char),
                }
            }
            Some(pattern)
        }
        PolicyDialect::Compatible => {
            let is_plain = !text.contains(['*', '?']) && !text.contains("${");
            is_plain.then(|| text.to_owned())
        }
    }
}

/// A pattern for names of buckets, and whether it matches no more than its glob does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BucketPattern {
    pub(super) pattern: String,
    pub(super) is_exact: bool,
}

/// Patterns that together match each name that the glob matches. IAM has no classes and no alternatives: a class
/// becomes `?`, and alternatives are written out.
pub(super) fn of_glob(glob: &str) -> Vec<BucketPattern> {
    let mut patterns = vec![BucketPattern { pattern: String::new(), is_exact: true }];
    let mut rest = glob.chars();
    while let Some(char) = rest.next() {
        match char {
            '{' => {
                let (alternatives, after) = split_alternatives(rest.as_str());
                rest = after.chars();
                // Empty alternatives match nothing, and neither do they in the mount.
                let alternatives = alternatives.into_iter().filter(|alternative| !alternative.is_empty());
                let ends: Vec<_> = alternatives.flat_map(of_glob).collect();
                if ends.is_empty() {
                    continue;
                }
                patterns = patterns
                    .iter()
                    .flat_map(|begin| ends.iter().map(|end| begin.clone().followed_by(end)))
                    .collect();
                if patterns.len() > MAX_PATTERNS {
                    return vec![BucketPattern { pattern: "*".to_owned(), is_exact: false }];
                }
            }
            '[' => {
                rest = after_class(rest.as_str()).chars();
                for pattern in &mut patterns {
                    pattern.pattern.push('?');
                    pattern.is_exact = false;
                }
            }
            '\\' => {
                let literal = rest.next().unwrap_or('\\');
                patterns.iter_mut().for_each(|pattern| pattern.pattern.push(literal));
            }
            '*' => {
                for pattern in patterns.iter_mut().filter(|pattern| !pattern.pattern.ends_with('*')) {
                    pattern.pattern.push('*');
                }
            }
            char => patterns.iter_mut().for_each(|pattern| pattern.pattern.push(char)),
        }
    }
    patterns
}

/// The alternatives of a group whose brace is open, and what follows it.
fn split_alternatives(group: &str) -> (Vec<&str>, &str) {
    let (mut alternatives, mut begin, mut depth) = (Vec::new(), 0, 0_usize);
    let mut chars = group.char_indices();
    while let Some((at, char)) = chars.next() {
        let upto = |begin| group.get(begin..at).unwrap_or_default();
        match char {
            '\\' => drop(chars.next()),
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' if depth == 0 => {
                alternatives.push(upto(begin));
                begin = at + 1;
            }
            '}' => {
                alternatives.push(upto(begin));
                return (alternatives, group.get(at + 1..).unwrap_or_default());
            }
            _ => {}
        }
    }
    // The mount has already refused such a glob.
    (vec![group], "")
}

/// The rest after a class whose bracket is open. A bracket in first place belongs to the class.
fn after_class(class: &str) -> &str {
    let members = class.strip_prefix(['!', '^']).unwrap_or(class);
    let first = members.chars().next().map_or(0, char::len_utf8);
    let others = members.get(first..).unwrap_or_default();
    others.split_once(']').map_or("", |(_, after)| after)
}

/// With more alternatives, a policy would have too many lines.
const MAX_PATTERNS: usize = 64;

// === impl BucketPattern ===

impl BucketPattern {
    pub(super) fn exact(name: &str) -> Self {
        Self { pattern: name.to_owned(), is_exact: true }
    }

    /// The ARN of the buckets that it matches. Ceph has the tenant in the place of the account (`rgw_arn.cc`), which AWS leaves
    /// empty.
    pub(super) fn arn(&self, partition: &Partition) -> String {
        let (tenant, name) = self.pattern.split_once(':').unwrap_or(("", &self.pattern));
        format!("arn:{}:s3::{tenant}:{name}", partition.name)
    }

    fn followed_by(mut self, end: &Self) -> Self {
        self.pattern.push_str(&end.pattern);
        self.is_exact &= end.is_exact;
        self
    }
}

/// IAM's matcher, naively: variables that stand for a character, wildcards, and nothing else.
#[cfg(test)]
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    enum Piece {
        Run,
        One,
        Char(char),
    }

    fn pieces(pattern: &str) -> Vec<Piece> {
        let (mut pieces, mut rest) = (Vec::new(), pattern);
        while let Some(char) = rest.chars().next() {
            let variable = ["*", "?", "$"].into_iter().find(|name| rest.starts_with(&format!("${{{name}}}")));
            if let Some(name) = variable {
                pieces.push(Piece::Char(name.chars().next().unwrap()));
                rest = &rest[4..];
                continue;
            }
            pieces.push(match char {
                '*' => Piece::Run,
                '?' => Piece::One,
                char => Piece::Char(char),
            });
            rest = &rest[char.len_utf8()..];
        }
        pieces
    }

    fn all(pieces: &[Piece], text: &[char]) -> bool {
        match pieces.split_first() {
            None => text.is_empty(),
            Some((Piece::Run, rest)) => (0..=text.len()).any(|run| all(rest, &text[run..])),
            Some((Piece::One, rest)) => !text.is_empty() && all(rest, &text[1..]),
            Some((Piece::Char(char), rest)) => text.first() == Some(char) && all(rest, &text[1..]),
        }
    }

    all(&pieces(pattern), &text.chars().collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use globset::GlobBuilder;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn wildcards_and_variables_of_a_prefix_are_taken_literally_or_not_at_all() {
        for (text, aws, compatible) in [
            ("web/", Some("web/"), Some("web/")),
            ("we*b?/", Some("we${*}b${?}/"), None),
            ("a$b/", Some("a${$}b/"), Some("a$b/")),
            ("${aws:username}/", Some("${$}{aws:username}/"), None),
            ("ü €/", Some("ü €/"), Some("ü €/")),
        ] {
            assert_eq!(literal(text, PolicyDialect::Aws).as_deref(), aws, "{text}");
            assert_eq!(literal(text, PolicyDialect::Compatible).as_deref(), compatible, "{text}");
        }
    }

    #[test]
    fn globs_become_patterns_that_iam_knows() {
        for (glob, patterns, is_exact) in [
            ("media", &["media"][..], true),
            ("media-*", &["media-*"], true),
            ("media-**", &["media-*"], true),
            ("m?", &["m?"], true),
            ("{a,b}-x", &["a-x", "b-x"], true),
            ("{a,b{1,2}}-*", &["a-*", "b1-*", "b2-*"], true),
            ("m{,s}x{}", &["msx"], true),
            ("m[0-9]x", &["m?x"], false),
            ("m[]x]y", &["m?y"], false),
            ("m[!a]*", &["m?*"], false),
            (r"m\-x", &["m-x"], true),
            ("{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}", &["*"], false),
        ] {
            let found = of_glob(glob);
            assert_eq!(found.iter().map(|p| p.pattern.as_str()).collect::<Vec<_>>(), patterns, "{glob}");
            assert_eq!(found.iter().all(|p| p.is_exact), is_exact, "{glob}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn a_literal_matches_itself_alone(text in "[a*?${}:/ü]{0,8}", other in "[a*?${}:/ü]{0,8}") {
            let pattern = literal(&text, PolicyDialect::Aws).unwrap();
            prop_assert!(matches(&pattern, &text), "{pattern}");
            prop_assert_eq!(matches(&pattern, &other), text == other);
        }

        #[test]
        fn patterns_match_what_the_glob_does(
            pieces in prop::collection::vec(
                prop::sample::select(vec!["a", "b", "-", "*", "?", "{a,b-}", "{,a{b,?}}", "[ab]", "[!a]"]), 1..6,
            ),
            name in "[ab-]{1,6}",
        ) {
            let glob = pieces.concat();
            let matcher = GlobBuilder::new(&glob).literal_separator(true).build().unwrap().compile_matcher();
            let patterns = of_glob(&glob);
            let is_matched = patterns.iter().any(|p| matches(&p.pattern, &name));
            if matcher.is_match(&name) {
                prop_assert!(is_matched, "{glob} {patterns:?}");
            } else if patterns.iter().all(|p| p.is_exact) {
                prop_assert!(!is_matched, "{glob} {patterns:?}");
            }
        }
    }
}
