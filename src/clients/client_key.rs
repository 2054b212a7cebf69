use std::fmt;

use crate::{
    error::{ConfigError, ConfigErrorKind},
    object::{MAX_KEY_BYTES, has_dot_segment},
};

/// A key of one S3 client, and what it can do on a mount. By default it reads every object.
///
/// ```
/// use tower_s3_proxy::clients::{ClientAccess, ClientKey, ClientKeys};
///
/// let reader = ClientKey::new("training", "not-a-secret-1");
/// let ingest = ClientKey::new("ingest", "not-a-secret-2").prefix("raw/").access(ClientAccess::ReadWrite);
/// let keys = ClientKeys::new([reader, ingest])?;
/// # let _ = keys;
/// # Ok::<(), tower_s3_proxy::ConfigError>(())
/// ```
#[must_use = "a key opens nothing outside of `ClientKeys`"]
#[derive(Clone)]
pub struct ClientKey {
    access_key: String,
    secret_key: String,
    /// Of the keys below the mount; none means every key.
    prefixes: Vec<String>,
    access: ClientAccess,
}

/// What an S3 client can do with the objects of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ClientAccess {
    /// Read and list them.
    #[default]
    Read,
    /// Store, copy and delete them, too.
    ReadWrite,
}

/// The access key of the S3 client that a request is from, whose signature was checked: an extension of the head that an
/// [`Authorizer`](crate::access::Authorizer) sees.
///
/// ```
/// use tower_s3_proxy::{access::{Access, Authorizer, Denial}, clients::ClientAccessKey};
///
/// let s3_clients_only = Authorizer::new(|request| async move {
///     Ok(match request.head().extensions.get::<ClientAccessKey>() {
///         Some(_) => Access::Allow,
///         None => Access::Deny(Denial::forbidden()),
///     })
/// });
/// # let _ = s3_clients_only;
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClientAccessKey(String);

// === impl ClientKey ===

impl ClientKey {
    /// A key by its two parts, which the client knows as `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`.
    pub fn new(access_key: impl Into<String>, secret_key: impl Into<String>) -> Self {
        Self {
            access_key: access_key.into(),
            secret_key: secret_key.into(),
            prefixes: Vec::new(),
            access: ClientAccess::default(),
        }
    }

    /// Restricts it to the objects whose keys below the mount begin with this text, or with another one that is given. End it
    /// with a slash to mean a folder: `"raw"` is also the beginning of `raw-2/a`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefixes.push(prefix.into());
        self
    }

    /// What it can do.
    pub fn access(mut self, access: ClientAccess) -> Self {
        self.access = access;
        self
    }

    pub(crate) fn access_key(&self) -> &str {
        &self.access_key
    }

    pub(crate) fn secret_key(&self) -> &str {
        &self.secret_key
    }

    pub(crate) fn prefixes(&self) -> &[String] {
        &self.prefixes
    }

    pub(crate) fn can_write(&self) -> bool {
        match self.access {
            ClientAccess::Read => false,
            ClientAccess::ReadWrite => true,
        }
    }

    /// Whether an object is its, by the key below the mount.
    pub(crate) fn covers(&self, name: &str) -> bool {
        self.prefixes.is_empty() || self.prefixes.iter().any(|prefix| name.starts_with(prefix))
    }

    /// No message shows the secret.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let invalid = |message: String| Err(ConfigError::new(ConfigErrorKind::InvalidValue, message));
        let name = &self.access_key;
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        if !(3..=128).contains(&name.len()) || !name.bytes().all(is_plain) {
            return invalid(format!(
                "the access key {name:?}: give 3 to 128 ASCII letters, digits, \"-\", \"_\" and \".\""
            ));
        }
        let secret = &self.secret_key;
        if secret.len() < SHORTEST_SECRET || secret.trim() != secret {
            return invalid(format!(
                "the secret key of {name:?}: give at least {SHORTEST_SECRET} bytes, without spaces around them"
            ));
        }
        for prefix in &self.prefixes {
            let proper = !prefix.is_empty()
                && !prefix.starts_with('/')
                && !prefix.contains('\0')
                && !has_dot_segment(prefix)
                && prefix.len() < MAX_KEY_BYTES;
            if !proper {
                return invalid(format!(
                    "the prefix {prefix:?} of {name:?}: must be 1 to 1023 bytes, not begin with \"/\", and have no dot segment and no NUL; without prefixes a key is for every object"
                ));
            }
        }
        Ok(())
    }
}

const SHORTEST_SECRET: usize = 8;

/// Without the secret.
impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientKey")
            .field("access_key", &self.access_key)
            .field("prefixes", &self.prefixes)
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}

// === impl ClientAccessKey ===

impl ClientAccessKey {
    pub(crate) fn of(key: &ClientKey) -> Self {
        Self(key.access_key.clone())
    }

    /// As the table has it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientAccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_no_client_could_use_is_refused_and_its_secret_is_not_shown() {
        for (key, wrong) in [
            (ClientKey::new("reader", "12345678"), None),
            (ClientKey::new("AKIAIOSFODNN7EXAMPLE", "12345678").prefix("a/").prefix("b"), None),
            (ClientKey::new("ab", "hush-hush"), Some("the access key \"ab\"")),
            (ClientKey::new("a/bc", "hush-hush"), Some("the access key")),
            (ClientKey::new("a b", "hush-hush"), Some("the access key")),
            (ClientKey::new("reader", "hush"), Some("the secret key of \"reader\"")),
            (ClientKey::new("reader", " hush-hush"), Some("without spaces")),
            (ClientKey::new("reader", "hush-hush").prefix(""), Some("the prefix \"\" of \"reader\"")),
            (ClientKey::new("reader", "hush-hush").prefix("/a"), Some("the prefix")),
            (ClientKey::new("reader", "hush-hush").prefix("a/../b"), Some("the prefix")),
        ] {
            let told = key.check().map_err(|why| why.to_string());
            match wrong {
                None => assert_eq!(told, Ok(()), "{key:?}"),
                Some(wrong) => {
                    assert!(told.clone().is_err_and(|why| why.contains(wrong)), "{key:?}: {told:?}");
                }
            }
            assert!(!format!("{key:?}{told:?}").contains("hush"), "{key:?}");
        }
    }

    #[test]
    fn a_key_covers_what_begins_with_one_of_its_prefixes() {
        let all = ClientKey::new("reader", "12345678");
        let some = all.clone().prefix("raw/").prefix("out");
        for (name, covered) in
            [("raw/a", true), ("raw/", true), ("raw", false), ("out", true), ("outer/a", true), ("", false)]
        {
            assert_eq!(some.covers(name), covered, "{name}");
            assert!(all.covers(name));
        }
    }
}
