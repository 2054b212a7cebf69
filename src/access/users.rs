//! Users with passwords, from a file.

mod asker;
mod credentials;
mod file;
mod hash;
mod table;

use std::{fmt, sync::Arc};

use arc_swap::ArcSwap;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use http::HeaderValue;

pub(crate) use self::asker::UsersGuard;
use self::table::Table;
use super::{random::random, watched_file::WatchedFile};
use crate::error::{ConfigError, ConfigErrorKind};

/// Users with the hashes of their passwords, who log in by HTTP's own means: `Basic` in browsers, `Bearer` in programs.
///
/// A line of the file is `NAME:HASH`, as `htpasswd -B` and `tower-s3-proxy user` write it, with a hash of bcrypt or argon2. The
/// bearer token of a user is `NAME.PASSWORD`. Clones are the same users, who can be [read again](Self::reload) while requests
/// are served.
///
/// ```
/// use tower_s3_proxy::{BucketName, Mount, access::Users};
///
/// let users = Users::parse("ada:$2y$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy\n")?;
/// let mount = Mount::builder(BucketName::parse("studio-media")?)
///     .region("us-west-2")
///     .anonymous()
///     .users(&users, "Studio")
///     .build()?;
/// # let _ = mount;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// See the [guide](crate::guide::log_in).
#[derive(Clone)]
pub struct Users(Arc<Shared>);

struct Shared {
    table: ArcSwap<Table>,
    file: Option<WatchedFile>,
}

/// The name of the user that a request is from, whose password was checked: an extension of the head that an
/// [`Authorizer`](crate::access::Authorizer) sees.
///
/// ```
/// use tower_s3_proxy::access::{Access, Authorizer, Denial, User};
///
/// let own_folder = Authorizer::new(|request| async move {
///     let user = request.head().extensions.get::<User>();
///     let own = user.map(|user| format!("users/{}/", user.as_str()));
///     Ok(match own.is_some_and(|own| request.key().as_str().starts_with(&own)) {
///         true => Access::Allow,
///         false => Access::Deny(Denial::not_found()),
///     })
/// });
/// # let _ = own_folder;
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct User(Arc<str>);

// === impl Users ===

impl Users {
    /// The users of a text with the lines of a file. Empty lines, and those that begin with `#`, mean nothing.
    ///
    /// # Errors
    ///
    /// [`ConfigErrorKind::InvalidValue`] for a line that is none, [`ConfigErrorKind::Contradiction`] if two have the same
    /// name, and [`ConfigErrorKind::Missing`] if there are none. The message has the number of the line, and no hash.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        Ok(Self::with(Table::parse(text)?, None))
    }

    /// A line for the file: the hash is argon2id's, with a salt of its own. Takes tenths of a second.
    ///
    /// # Errors
    ///
    /// [`ConfigErrorKind::InvalidValue`] if no user can have the name or the password.
    pub fn line(name: &str, password: &str) -> Result<String, ConfigError> {
        table::check_name(name).map_err(|why| ConfigError::invalid("the name", name, why))?;
        if password.is_empty() || password.contains(['\0', '\n', '\r']) {
            let message = "the password must not be empty, and have no line break";
            return Err(ConfigError::new(ConfigErrorKind::InvalidValue, message));
        }
        Ok(format!("{name}:{}", hash::make(password)?))
    }

    /// A line for the file, and the bearer token for it: with a secret of 192 bits that is made up.
    ///
    /// # Errors
    ///
    /// [`ConfigErrorKind::InvalidValue`] if no user can have the name, or no token: one with a dot.
    pub fn token(name: &str) -> Result<(String, String), ConfigError> {
        if name.contains('.') {
            let why = "must have no dot: the first dot of a token is behind the name";
            return Err(ConfigError::invalid("the name", name, why));
        }
        let secret = BASE64_URL_SAFE_NO_PAD.encode(random::<24>()?);
        Ok((Self::line(name, &secret)?, format!("{name}.{secret}")))
    }

    fn with(table: Table, file: Option<WatchedFile>) -> Self {
        Self(Arc::new(Shared { table: ArcSwap::from_pointee(table), file }))
    }

    /// What asks them on a mount.
    pub(crate) fn guard(&self, realm: &str) -> Result<UsersGuard, ConfigError> {
        UsersGuard::new(self.clone(), Realm::parse(realm)?)
    }
}

/// Names, and no hashes.
impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.table.load().names()).finish()
    }
}

// === impl User ===

impl User {
    pub(crate) fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// As the file has it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// === Realm ===

/// The challenges of a mount (RFC 9110 §11.5).
#[derive(Debug, Clone)]
struct Realm {
    basic: HeaderValue,
    bearer: HeaderValue,
}

impl Realm {
    fn parse(realm: &str) -> Result<Self, ConfigError> {
        let is_plain = |c: char| (c.is_ascii_graphic() || c == ' ') && c != '"' && c != '\\';
        if realm.is_empty() || realm.len() > 100 || !realm.chars().all(is_plain) {
            let why = "must be 1 to 100 visible ASCII characters and spaces, without quotes and backslashes";
            return Err(ConfigError::invalid("the realm of users", realm, why));
        }
        // Browsers send UTF-8 then (RFC 7617 §2.1).
        let basic = format!("Basic realm=\"{realm}\", charset=\"UTF-8\"");
        let bearer = format!("Bearer realm=\"{realm}\", error=\"invalid_token\"");
        let value = |text: String| HeaderValue::try_from(text).expect("visible ASCII");
        Ok(Self { basic: value(basic), bearer: value(bearer) })
    }
}
