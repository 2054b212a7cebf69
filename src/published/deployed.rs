use std::fmt;

/// The name of a release, and of its folder: letters, digits, `.`, `_` and `-`, which need no encoding in a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReleaseId(String);

/// The releases of a website: the current one, and those before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Deployed {
    pub(crate) current: ReleaseId,
    /// The newest first.
    pub(crate) earlier: Vec<ReleaseId>,
}

/// Why a text names no release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum InvalidCurrent {
    Empty,
    /// In this line, from 1.
    NotAnId(usize),
    TooMany,
}

const MAX_ID_BYTES: usize = 128;

/// More are of no use: each is a request for an asset that exists nowhere.
const MAX_LINES: usize = 100;

/// Reads the object that names the current release: its id in the first line, and if there are more lines, the ids of those
/// before it, the newest first.
pub(crate) fn release_ids(text: &str) -> Result<Vec<ReleaseId>, InvalidCurrent> {
    let lines = text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty());
    let ids: Vec<_> = lines
        .take(MAX_LINES + 1)
        .map(|(n, line)| ReleaseId::parse(line).ok_or(InvalidCurrent::NotAnId(n + 1)))
        .collect::<Result<_, _>>()?;
    match ids.len() {
        0 => Err(InvalidCurrent::Empty),
        1..=MAX_LINES => Ok(ids),
        _ => Err(InvalidCurrent::TooMany),
    }
}

// === impl ReleaseId ===

impl ReleaseId {
    fn parse(text: &str) -> Option<Self> {
        let is_known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        let is_id = text.len() <= MAX_ID_BYTES && !matches!(text, "." | "..") && text.bytes().all(is_known);
        is_id.then(|| Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

// === impl Deployed ===

impl Deployed {
    /// After those `before`, of which `keep` at most are remembered. `None` if there is no id.
    pub(crate) fn after(before: Option<&Self>, ids: &[ReleaseId], keep: usize) -> Option<Self> {
        let known =
            before.into_iter().flat_map(|before| [&before.current].into_iter().chain(&before.earlier));
        let mut all: Vec<ReleaseId> = Vec::new();
        for id in ids.iter().chain(known) {
            if !all.contains(id) {
                all.push(id.clone());
            }
        }
        let mut all = all.into_iter();
        Some(Self { current: all.next()?, earlier: all.take(keep).collect() })
    }

    /// The current one is 0; those before it follow.
    pub(crate) fn nth(&self, n: usize) -> Option<&ReleaseId> {
        match n.checked_sub(1) {
            None => Some(&self.current),
            Some(n) => self.earlier.get(n),
        }
    }
}

// === impl InvalidCurrent ===

impl fmt::Display for InvalidCurrent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty, and must hold the id of a release"),
            Self::NotAnId(line) => write!(
                f,
                "line {line} is no id of a release: 1 to {MAX_ID_BYTES} letters, digits, dots, underscores and hyphens, and not \".\" or \"..\""
            ),
            Self::TooMany => write!(f, "it has more than {MAX_LINES} ids"),
        }
    }
}

impl std::error::Error for InvalidCurrent {}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(text: &str) -> Result<Vec<String>, InvalidCurrent> {
        release_ids(text).map(|ids| ids.into_iter().map(|id| id.0).collect())
    }

    #[test]
    fn a_release_is_named_by_a_line() {
        let long = "a".repeat(MAX_ID_BYTES);
        for (text, expected) in [
            ("42", vec!["42"]),
            ("42\n", vec!["42"]),
            ("\n  v1.2-rc_3 \r\n", vec!["v1.2-rc_3"]),
            ("3\n2\n\n1\n", vec!["3", "2", "1"]),
            ("...", vec!["..."]),
            (&long, vec![&*long]),
        ] {
            assert_eq!(ids(text).unwrap(), expected, "{text:?}");
        }
        let many = "1\n".repeat(MAX_LINES + 1);
        for (text, why) in [
            ("", InvalidCurrent::Empty),
            (" \n\n", InvalidCurrent::Empty),
            ("..", InvalidCurrent::NotAnId(1)),
            ("1\n.", InvalidCurrent::NotAnId(2)),
            ("releases/42", InvalidCurrent::NotAnId(1)),
            ("4 2", InvalidCurrent::NotAnId(1)),
            ("%2e%2e", InvalidCurrent::NotAnId(1)),
            ("ünï", InvalidCurrent::NotAnId(1)),
            ("\u{feff}42", InvalidCurrent::NotAnId(1)),
            (&format!("{long}a"), InvalidCurrent::NotAnId(1)),
            (&many, InvalidCurrent::TooMany),
        ] {
            assert_eq!(ids(text), Err(why), "{text:?}");
        }
    }

    #[test]
    fn releases_are_remembered_as_they_are_switched() {
        let mut known: Option<Deployed> = None;
        for (text, keep, expected) in [
            ("1", 2, "1: "),
            ("2", 2, "2: 1"),
            ("3", 2, "3: 2 1"),
            // Rolled back: the assets of the withdrawn release are still asked for.
            ("2", 2, "2: 3 1"),
            ("4", 2, "4: 2 3"),
            // What the object says comes before what is remembered.
            ("5\n4\n9", 3, "5: 4 9 2"),
            ("5", 0, "5: "),
        ] {
            known = Deployed::after(known.as_ref(), &release_ids(text).unwrap(), keep);
            let now = known.as_ref().unwrap();
            let earlier: Vec<_> = now.earlier.iter().map(ReleaseId::as_str).collect();
            assert_eq!(format!("{}: {}", now.current.as_str(), earlier.join(" ")), expected);
            assert_eq!((now.nth(0), now.nth(1)), (Some(&now.current), now.earlier.first()));
        }
    }
}
