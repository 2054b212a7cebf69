//! A report as a table for people.

use std::fmt;

use super::{Check, MountReport, Outcome, Report};

/// In characters. Statements are not broken.
const WIDTH: usize = 110;
/// The indentation of texts.
const INDENT: usize = 24;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, mount) in self.mounts.iter().enumerate() {
            if n > 0 {
                writeln!(f)?;
            }
            fmt::Display::fmt(mount, f)?;
        }
        Ok(())
    }
}

impl fmt::Display for MountReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.mount)?;
        if let Some(bucket) = &self.bucket {
            write!(f, "  bucket {bucket}")?;
        }
        if let Some(set) = &self.credential_set {
            write!(f, "  credential set {set}")?;
        }
        writeln!(f, "  (credentials: {})", self.credentials)?;
        for alike in self.checks.chunk_by(is_alike) {
            match alike {
                [_, _, _, ..] => {
                    let names: Vec<_> = alike.iter().map(|check| check.name().as_str()).collect();
                    let seen = alike.first().map(Check::seen).unwrap_or_default();
                    line(f, Outcome::Unknown, "…", &format!("{}: {seen}", names.join(", ")))?;
                }
                few => few.iter().try_for_each(|check| fmt::Display::fmt(check, f))?,
            }
        }
        Ok(())
    }
}

/// Whether both were not tried for the same reason: one such line is enough.
fn is_alike(one: &Check, other: &Check) -> bool {
    let is_bare = |check: &Check| check.outcome() == Outcome::Unknown && check.advice().is_none();
    is_bare(one) && is_bare(other) && one.seen() == other.seen()
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        line(f, self.outcome(), self.name().as_str(), self.seen())?;
        for line in self.advice().into_iter().flat_map(|advice| wrap(advice, WIDTH - INDENT)) {
            writeln!(f, "{:INDENT$}{line}", "")?;
        }
        self.statement().unwrap_or_default().lines().try_for_each(|line| writeln!(f, "{:INDENT$}{line}", ""))
    }
}

fn line(f: &mut fmt::Formatter<'_>, outcome: Outcome, name: &str, seen: &str) -> fmt::Result {
    let outcome = match outcome {
        Outcome::Pass => "pass",
        // Upper case, to stand out.
        Outcome::Fail => "FAIL",
        Outcome::Unknown => "unknown",
    };
    let mut lines = wrap(seen, WIDTH - INDENT).into_iter();
    writeln!(f, "  {outcome:<8} {name:<12} {}", lines.next().unwrap_or_default())?;
    lines.try_for_each(|line| writeln!(f, "{:INDENT$}{line}", ""))
}

/// Lines of whole words; a word longer than a line gets its own line.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::CheckName;

    #[test]
    fn words_stay_whole() {
        assert_eq!(wrap("a bb  ccc\ndddddd e", 5), ["a bb", "ccc", "dddddd", "e"]);
        assert_eq!(wrap("", 5), [] as [&str; 0]);
    }

    #[test]
    fn many_lines_that_say_the_same_are_one() {
        let unknown = |name| Check::unknown(name, "not tried");
        let mut report = MountReport {
            mount: "/".to_owned(),
            bucket: None,
            credential_set: None,
            credentials: "none".to_owned(),
            checks: vec![unknown(CheckName::Dns), unknown(CheckName::Tls)],
        };
        assert_eq!(report.to_string().lines().count(), 3);
        report.checks.push(unknown(CheckName::Http));
        report.checks.push(Check::unknown(CheckName::Cors, "other"));
        let lines: Vec<_> = report.to_string().lines().map(str::to_owned).collect();
        assert_eq!(lines[1], "  unknown  …            dns, tls, http: not tried");
        assert_eq!(lines[2], "  unknown  cors         other");
    }

    #[test]
    fn a_line_says_outcome_name_and_what_was_seen() {
        let statement = Some("{\n  \"Effect\": \"Allow\"\n}".to_owned());
        let check = Check::fail(CheckName::List, "403 AccessDenied").advise("do this").grant(statement);
        let lines: Vec<_> = check.to_string().lines().map(str::to_owned).collect();
        assert_eq!(lines[0], "  FAIL     list         403 AccessDenied");
        assert_eq!(lines[1], format!("{:24}do this", ""));
        assert_eq!(lines[2..].join("").replace(' ', ""), r#"{"Effect":"Allow"}"#);
    }
}
