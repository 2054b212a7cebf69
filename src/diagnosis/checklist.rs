use std::time::Duration;

use super::{Check, CheckName, Options, Outcome};

/// The steps taken so far, and which of the next ones can be tried.
#[derive(Debug)]
pub(super) struct Checklist<'o> {
    pub(super) options: &'o Options,
    checks: Vec<Check>,
    /// The vital step that failed.
    blocked: Option<CheckName>,
}

// === impl Checklist ===

impl<'o> Checklist<'o> {
    pub(super) fn new(options: &'o Options) -> Self {
        Self { options, checks: Vec::new(), blocked: None }
    }

    pub(super) fn note(&mut self, check: Check) {
        if check.outcome() == Outcome::Fail && check.name().is_vital() {
            self.blocked.get_or_insert(check.name());
        }
        self.checks.push(check);
    }

    /// Whether the step can be tried. If not, this notes its line.
    pub(super) fn may(&mut self, name: CheckName) -> bool {
        let why = if self.options.skipped.contains(&name) {
            "not tried: skipped, as the options say".to_owned()
        } else if let Some(failed) = self.blocked {
            format!("not tried, since {failed} failed")
        } else {
            return true;
        };
        self.checks.push(Check::unknown(name, why));
        false
    }

    pub(super) fn is_blocked(&self) -> bool {
        self.blocked.is_some()
    }

    /// Whether the step failed or could not be tried.
    pub(super) fn outcome(&self, name: CheckName) -> Option<Outcome> {
        self.checks.iter().find(|check| check.name() == name).map(Check::outcome)
    }

    pub(super) fn finish(self) -> Vec<Check> {
        self.checks
    }

    /// The output of a request, unless it takes too long.
    pub(super) async fn in_time<T>(&self, question: impl Future<Output = T>) -> Result<T, TooLate> {
        let limit = self.options.time_limit;
        tokio::time::timeout(limit, question).await.map_err(|_| TooLate(limit))
    }
}

/// There was no response within that time.
#[derive(Debug, Clone, Copy)]
pub(super) struct TooLate(Duration);

impl std::fmt::Display for TooLate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "no response within {:?}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_behind_a_failure_is_not_tried() {
        let options = Options::new().skip(CheckName::Cors);
        let mut course = Checklist::new(&options);
        assert!(course.may(CheckName::Dns));
        course.note(Check::fail(CheckName::Dns, "no such host"));
        assert!(!course.may(CheckName::Connect));
        assert!(!course.may(CheckName::Cors));
        let checks = course.finish();
        assert_eq!(checks[1].seen(), "not tried, since dns failed");
        assert_eq!(checks[2].seen(), "not tried: skipped, as the options say");
        assert_eq!(checks[1].outcome(), Outcome::Unknown);
    }

    #[test]
    fn a_permission_that_is_missing_blocks_no_other() {
        let options = Options::new();
        let mut course = Checklist::new(&options);
        course.note(Check::fail(CheckName::List, "403"));
        assert!(course.may(CheckName::Read));
    }
}
