use serde_json::{Value, json};

use super::{Check, CheckName, Outcome};

/// The result of a diagnosis. Its `Display` is a table for people.
#[derive(Debug, Clone)]
pub struct Report {
    pub(super) mounts: Vec<MountReport>,
}

/// The result for one mount with one of its sets of credentials.
#[derive(Debug, Clone)]
pub struct MountReport {
    pub(super) mount: String,
    pub(super) bucket: Option<String>,
    pub(super) credential_set: Option<String>,
    pub(super) credentials: String,
    pub(super) checks: Vec<Check>,
}

// === impl Report ===

impl Report {
    /// A part for each mount and set of credentials, the mount's own first.
    pub fn mounts(&self) -> &[MountReport] {
        &self.mounts
    }

    /// [`Outcome::Fail`] if any step fails, else [`Outcome::Pass`]: some steps are always unknown.
    pub fn outcome(&self) -> Outcome {
        match self.mounts.iter().any(|mount| mount.first_failure().is_some()) {
            true => Outcome::Fail,
            false => Outcome::Pass,
        }
    }

    /// The report for machines: an object with `outcome` and `mounts`. Each mount has `mount`, `bucket`,
    /// `credential_set`, `credentials` and `checks`; each check has `name`, `outcome`, `seen`, `advice`, `statement`
    /// and `answer`, which has `status`, `code` and `request_id`. Absent values are `null`.
    pub fn to_json(&self) -> String {
        let mounts: Vec<_> = self.mounts.iter().map(MountReport::to_json).collect();
        format!("{:#}", json!({ "outcome": self.outcome().as_str(), "mounts": mounts }))
    }
}

// === impl MountReport ===

impl MountReport {
    /// The mount's host and path.
    pub fn mount(&self) -> &str {
        &self.mount
    }

    /// The bucket that was checked; `None` if the mount has no fixed one, and none was named.
    pub fn bucket(&self) -> Option<&str> {
        self.bucket.as_deref()
    }

    /// The name of the set of credentials; `None` for the mount's own.
    pub fn credential_set(&self) -> Option<&str> {
        self.credential_set.as_deref()
    }

    /// The source of the credentials.
    pub fn credentials(&self) -> &str {
        &self.credentials
    }

    /// The steps, in the order in which they can fail.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// The line of this step.
    pub fn check(&self, name: CheckName) -> Option<&Check> {
        self.checks.iter().find(|check| check.name() == name)
    }

    /// The first step that fails: the cause of the rest.
    pub fn first_failure(&self) -> Option<&Check> {
        self.checks.iter().find(|check| check.outcome() == Outcome::Fail)
    }

    fn to_json(&self) -> Value {
        let checks: Vec<_> = self.checks.iter().map(Check::to_json).collect();
        json!({
            "mount": self.mount,
            "bucket": self.bucket,
            "credential_set": self.credential_set,
            "credentials": self.credentials,
            "checks": checks,
        })
    }
}
