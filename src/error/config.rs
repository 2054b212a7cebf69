use std::fmt;

use super::BoxError;

/// A refused configuration. The message says what is allowed instead.
pub struct ConfigError {
    kind: ConfigErrorKind,
    message: String,
    source: Option<BoxError>,
}

/// Which part of a configuration is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConfigErrorKind {
    /// A value is malformed; the message says what is allowed.
    InvalidValue,
    /// A required value is missing.
    Missing,
    /// Two values contradict each other.
    Contradiction,
    /// Two mounts have the same host and path.
    DuplicateMount,
    /// The SDK's endpoint rules have no endpoint for such a bucket.
    Endpoint,
    /// No TLS client can be set up.
    Tls,
    /// The file is not a valid configuration; the message names the line.
    File,
}

// === impl ConfigError ===

impl ConfigError {
    /// What is wrong.
    pub fn kind(&self) -> ConfigErrorKind {
        self.kind
    }

    pub(crate) fn new(kind: ConfigErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    pub(crate) fn invalid(field: &str, value: &str, why: impl fmt::Display) -> Self {
        Self::new(ConfigErrorKind::InvalidValue, format!("{field} {value:?}: {why}"))
    }

    pub(crate) fn duplicate(path: impl fmt::Display) -> Self {
        let message = format!("two mounts are at {path} for the same host: give each its own path");
        Self::new(ConfigErrorKind::DuplicateMount, message)
    }

    pub(crate) fn caused_by(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// The message, since a `main` that returns the error prints this; `{:#?}` shows the fields.
impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !f.alternate() {
            return fmt::Display::fmt(self, f);
        }
        f.debug_struct("ConfigError")
            .field("kind", &self.kind)
            .field("message", &self.message)
            .field("source", &self.source)
            .finish()
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_main_that_returns_it_prints_the_message() {
        let error = ConfigError::invalid("the mount path", "media", "must begin with a slash");
        assert_eq!(format!("{error:?}"), "the mount path \"media\": must begin with a slash");
        assert!(format!("{error:#?}").contains("kind: InvalidValue"), "{error:#?}");
    }
}
