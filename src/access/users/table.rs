use super::hash::Hash;
use crate::error::{ConfigError, ConfigErrorKind};

/// The users of a file.
// Invariant: by name, each once, and at least one.
pub(super) struct Table(Vec<(String, Hash)>);

/// A line of the table.
pub(super) enum Line<'t> {
    Known(&'t Hash),
    /// That of another user, for a name that there is not: to look at it takes as long.
    Decoy(&'t Hash),
}

// === impl Table ===

impl Table {
    pub(super) fn parse(text: &str) -> Result<Self, ConfigError> {
        let mut users: Vec<(String, Hash)> = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let told = |kind, what: String| ConfigError::new(kind, format!("line {}: {what}", number + 1));
            let invalid = |what| told(ConfigErrorKind::InvalidValue, what);
            // Of a line without a colon nothing is shown: it may be a password.
            let (name, hash) = line.split_once(':').ok_or_else(|| invalid("must be NAME:HASH".to_owned()))?;
            check_name(name).map_err(|why| invalid(format!("the name {name:?} {why}")))?;
            let hash = Hash::parse(hash).map_err(|why| invalid(format!("what {name:?} has {why}")))?;
            users.push((name.to_owned(), hash));
        }
        users.sort_by(|(one, _), (other, _)| one.cmp(other));
        let twice = users.array_windows().find(|[(one, _), (other, _)]| one == other);
        if let Some([(name, _), _]) = twice {
            let message = format!("two lines are for {name:?}: leave one");
            return Err(ConfigError::new(ConfigErrorKind::Contradiction, message));
        }
        if users.is_empty() {
            let message = "no user: give at least one line NAME:HASH, or leave the file out";
            return Err(ConfigError::new(ConfigErrorKind::Missing, message));
        }
        Ok(Self(users))
    }

    /// The line of a name. `any` chooses a decoy: always the same for a name, and unlike for others.
    pub(super) fn line(&self, name: &str, any: u64) -> Option<Line<'_>> {
        let found = self.0.binary_search_by(|(other, _)| other.as_str().cmp(name));
        match found.ok().and_then(|at| self.0.get(at)) {
            Some((_, hash)) => Some(Line::Known(hash)),
            None => {
                let count = u64::try_from(self.0.len()).ok()?;
                let at = usize::try_from(any.checked_rem(count)?).ok()?;
                self.0.get(at).map(|(_, hash)| Line::Decoy(hash))
            }
        }
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }
}

/// What `Basic` can carry, and a line.
pub(super) fn check_name(name: &str) -> Result<(), &'static str> {
    let is_of_name = |c: char| !c.is_control() && !c.is_whitespace() && c != ':';
    match (1..=128).contains(&name.len()) && !name.starts_with('#') && name.chars().all(is_of_name) {
        true => Ok(()),
        false => Err("must be 1 to 128 bytes without spaces and colons, and not begin with \"#\""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BCRYPT: &str = "$2y$04$abcdefghijklmnopqrstuuTA3V9q0UyHhyIcwWXz6ZtYbGFcE7k9e";
    const ARGON2: &str = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$TJvOmQ1bGe5vI/pGhQ0WfU0Rz2mP5wB1Gd4pYl3Hn2g";

    #[test]
    fn a_fault_is_told_with_its_line_and_without_the_hash() {
        for (text, expected) in [
            (format!("ada:{BCRYPT}\n"), None),
            (format!("# of the studio\r\n\r\n  ada:{BCRYPT}  \r\ngrace:{ARGON2}"), None),
            (format!("adä:{}", BCRYPT.replace("2y", "2b")), None),
            (String::new(), Some("no user: give at least one line")),
            ("# nobody\n".to_owned(), Some("no user")),
            (format!("ada:{BCRYPT}\nhunter2\n"), Some("line 2: must be NAME:HASH")),
            ("ada:hunter2\n".to_owned(), Some("line 1: what \"ada\" has is no hash of bcrypt")),
            ("ada:$apr1$hunter2$x\n".to_owned(), Some("`htpasswd -B`")),
            ("ada:{SHA}hunter2\n".to_owned(), Some("`tower-s3-proxy user NAME`")),
            ("ada:$2y$04$hunter2\n".to_owned(), Some("is no whole hash of bcrypt")),
            (format!("ada:{}", BCRYPT.replace("$04$", "$17$")), Some("between 4 and 16")),
            ("ada:$argon2id$hunter2\n".to_owned(), Some("argon2")),
            (format!("ada:{}", ARGON2.replace("m=8,", "m=2097152,")), Some("more than 1 GiB")),
            (format!("a b:{BCRYPT}"), Some("line 1: the name \"a b\" must be")),
            (format!(":{BCRYPT}"), Some("line 1: the name \"\" must be")),
            (format!("ada:{BCRYPT}\nada:{ARGON2}"), Some("two lines are for \"ada\"")),
        ] {
            let told = Table::parse(&text).map(drop).map_err(|why| why.to_string());
            match expected {
                None => assert_eq!(told, Ok(())),
                Some(expected) => {
                    let why = told.expect_err(expected);
                    assert!(why.contains(expected), "{why}");
                    assert!(!why.contains("hunter2") && !why.contains("$2y$04$abc"), "{why}");
                }
            }
        }
    }

    #[test]
    fn a_name_that_there_is_not_has_the_line_of_another() {
        let table = Table::parse(&format!("ada:{BCRYPT}\ngrace:{ARGON2}")).unwrap();
        let told = |name: &str, any| match table.line(name, any).unwrap() {
            Line::Known(hash) => ("known", hash.text()),
            Line::Decoy(hash) => ("decoy", hash.text()),
        };
        assert_eq!(told("ada", 1), ("known", BCRYPT.to_owned()));
        assert_eq!(told("grace", 0), ("known", ARGON2.to_owned()));
        assert_eq!(told("mallory", 0), ("decoy", BCRYPT.to_owned()));
        assert_eq!(told("mallory", 7), ("decoy", ARGON2.to_owned()));
    }
}
