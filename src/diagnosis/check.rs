use std::fmt;

use serde_json::{Value, json};

use super::error_reply::Said;

/// One line of a report: a step on the way to the bucket.
#[derive(Debug, Clone)]
pub struct Check {
    name: CheckName,
    outcome: Outcome,
    seen: String,
    advice: Option<String>,
    statement: Option<String>,
    said: Option<Said>,
}

/// Whether a step works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// It does.
    Pass,
    /// It does not.
    Fail,
    /// It was not tried, or the response does not show it; [`Check::seen`] says why.
    Unknown,
}

/// The step of a [`Check`], in the order of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum CheckName {
    /// The prefix of the objects' URLs, by region, endpoint and style. Sends nothing.
    Endpoint,
    /// The host has an address.
    Dns,
    /// The address accepts connections.
    Connect,
    /// The host's certificate is trusted, and has its name.
    Tls,
    /// The server responds to HTTP, for an unsigned request.
    Http,
    /// The clock of this machine against S3's. S3 refuses signatures that are more than 15 minutes off.
    Clock,
    /// The source has credentials.
    Credentials,
    /// The identity of the credentials, by STS.
    Identity,
    /// The bucket exists.
    Bucket,
    /// The bucket is in the configured region.
    Region,
    /// S3 accepts the signature.
    Signature,
    /// `s3:ListBucket` below the prefix.
    List,
    /// Whether S3 tells keys that do not exist from denied ones.
    AbsentKeys,
    /// `s3:GetObject` below the prefix.
    Read,
    /// The object's encryption key can be used.
    Decrypt,
    /// `s3:GetObjectVersion`, for mounts that allow versions.
    Versions,
    /// `s3:PutObject` below the prefix.
    Put,
    /// `s3:DeleteObject` below the prefix.
    Delete,
    /// `s3:GetBucketWebsite`, for mounts that serve the bucket's own website configuration.
    Website,
    /// Whether the bucket keeps versions. For information.
    Versioning,
    /// The bucket's own CORS rules, which the proxy does not use. For information.
    Cors,
    /// The owner of objects that other accounts upload. For information.
    Ownership,
}

// === impl CheckName ===

impl CheckName {
    /// All steps, in the order of a report.
    pub const ALL: [Self; 22] = [
        Self::Endpoint,
        Self::Dns,
        Self::Connect,
        Self::Tls,
        Self::Http,
        Self::Clock,
        Self::Credentials,
        Self::Identity,
        Self::Bucket,
        Self::Region,
        Self::Signature,
        Self::List,
        Self::AbsentKeys,
        Self::Read,
        Self::Decrypt,
        Self::Versions,
        Self::Put,
        Self::Delete,
        Self::Website,
        Self::Versioning,
        Self::Cors,
        Self::Ownership,
    ];

    /// The name in reports and on the command line: `absent-keys`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Endpoint => "endpoint",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Http => "http",
            Self::Clock => "clock",
            Self::Credentials => "credentials",
            Self::Identity => "identity",
            Self::Bucket => "bucket",
            Self::Region => "region",
            Self::Signature => "signature",
            Self::List => "list",
            Self::AbsentKeys => "absent-keys",
            Self::Read => "read",
            Self::Decrypt => "decrypt",
            Self::Versions => "versions",
            Self::Put => "put",
            Self::Delete => "delete",
            Self::Versioning => "versioning",
            Self::Website => "website",
            Self::Cors => "cors",
            Self::Ownership => "ownership",
        }
    }

    /// Whether no later step can work without it.
    pub(super) fn is_vital(self) -> bool {
        self <= Self::Signature
    }
}

impl fmt::Display for CheckName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

// === impl Outcome ===

impl Outcome {
    /// `pass`, `fail` or `unknown`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

// === impl Check ===

impl Check {
    /// The step.
    pub fn name(&self) -> CheckName {
        self.name
    }

    /// Whether it works.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// The observation, or why the step was not tried: a phrase for people.
    pub fn seen(&self) -> &str {
        &self.seen
    }

    /// What is missing and what to do about it, for people.
    pub fn advice(&self) -> Option<&str> {
        self.advice.as_deref()
    }

    /// The policy statement that grants the missing permission, as JSON.
    pub fn statement(&self) -> Option<&str> {
        self.statement.as_deref()
    }

    /// The status of the response that decided it, if that was an error.
    pub fn status(&self) -> Option<u16> {
        self.said.as_ref().map(|said| said.status.as_u16())
    }

    /// S3's or STS's own code for that error.
    pub fn code(&self) -> Option<&str> {
        self.said.as_ref().map(|said| said.name.as_str()).filter(|name| !name.is_empty())
    }

    /// The request id that AWS support asks for with that error.
    pub fn request_id(&self) -> Option<&str> {
        self.said.as_ref()?.request_id.as_deref()
    }

    pub(super) fn pass(name: CheckName, seen: impl Into<String>) -> Self {
        Self::new(name, Outcome::Pass, seen)
    }

    pub(super) fn fail(name: CheckName, seen: impl Into<String>) -> Self {
        Self::new(name, Outcome::Fail, seen)
    }

    pub(super) fn unknown(name: CheckName, why: impl Into<String>) -> Self {
        Self::new(name, Outcome::Unknown, why)
    }

    /// The line of a step for an error response.
    pub(super) fn answered(name: CheckName, outcome: Outcome, said: &Said) -> Self {
        Self { said: Some(said.clone()), ..Self::new(name, outcome, said.to_string()) }
    }

    fn new(name: CheckName, outcome: Outcome, seen: impl Into<String>) -> Self {
        Self { name, outcome, seen: seen.into(), advice: None, statement: None, said: None }
    }

    /// An empty text adds nothing.
    pub(super) fn advise(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()).filter(|advice| !advice.is_empty()), ..self }
    }

    pub(super) fn grant(self, statement: Option<String>) -> Self {
        Self { statement, ..self }
    }

    /// Applies a function to every text.
    pub(super) fn rewrite(&mut self, rewrite: impl Fn(&mut String)) {
        rewrite(&mut self.seen);
        self.advice.iter_mut().for_each(&rewrite);
        if let Some(said) = &mut self.said {
            rewrite(&mut said.name);
            rewrite(&mut said.message);
            said.request_id.iter_mut().for_each(&rewrite);
        }
    }

    pub(super) fn to_json(&self) -> Value {
        let answer = self.said.as_ref().map(|said| {
            json!({ "status": said.status.as_u16(), "code": self.code(), "request_id": said.request_id })
        });
        let statement: Option<Value> = self.statement().and_then(|text| serde_json::from_str(text).ok());
        json!({
            "name": self.name.as_str(),
            "outcome": self.outcome.as_str(),
            "seen": self.seen,
            "advice": self.advice,
            "statement": statement,
            "answer": answer,
        })
    }
}
