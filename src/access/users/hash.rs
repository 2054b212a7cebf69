//! Hashes of passwords: bcrypt's, and argon2's in PHC strings.

use std::str::FromStr;

use argon2::{Argon2, Params, PasswordHasher, PasswordVerifier, password_hash::phc::PasswordHash};

use crate::error::{ConfigError, ConfigErrorKind};

/// The hash of a password.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Hash {
    Bcrypt(String),
    Argon2(Box<PasswordHash>),
}

// === impl Hash ===

impl Hash {
    /// # Errors
    ///
    /// What is wrong with the text, which is not in it.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        if ["$2y$", "$2b$", "$2a$"].iter().any(|begin| text.starts_with(begin)) {
            let parts = bcrypt::HashParts::from_str(text).map_err(|_| "is no whole hash of bcrypt")?;
            return match parts.get_cost() {
                4..=MOST_COST => Ok(Self::Bcrypt(text.to_owned())),
                _ => Err(
                    "is a hash of bcrypt whose cost is not between 4 and 16: each log-in would take seconds",
                ),
            };
        }
        if text.starts_with("$argon2") {
            let hash = PasswordHash::new(text).map_err(|_| "is no PHC string of argon2")?;
            let params = Params::try_from(&hash).map_err(|_| "has parameters that argon2 does not have")?;
            if hash.salt.is_none() || hash.hash.is_none() {
                return Err("is a PHC string without a salt or a hash");
            }
            return match params.m_cost() <= MOST_MEMORY && params.t_cost() <= MOST_PASSES {
                true => Ok(Self::Argon2(Box::new(hash))),
                false => {
                    Err("is a hash of argon2 of more than 1 GiB or 64 passes: each log-in would take seconds")
                }
            };
        }
        Err(
            "is no hash of bcrypt ($2y$, $2b$) or argon2 ($argon2id$): make the line with `tower-s3-proxy user NAME` or `htpasswd -B`",
        )
    }

    /// Whether the password is the one. Takes from milliseconds to seconds.
    pub(super) fn verify(&self, password: &[u8]) -> bool {
        match self {
            Self::Bcrypt(hash) => bcrypt::verify(password, hash).unwrap_or(false),
            Self::Argon2(hash) => Argon2::default().verify_password(password, &**hash).is_ok(),
        }
    }

    /// What tells it from others.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Bcrypt(hash) => hash.clone(),
            Self::Argon2(hash) => hash.to_string(),
        }
    }
}

const MOST_COST: u32 = 16;
/// In KiB.
const MOST_MEMORY: u32 = 1024 * 1024;
const MOST_PASSES: u32 = 64;

/// With argon2id and the parameters that OWASP recommends.
pub(super) fn make(password: &str) -> Result<String, ConfigError> {
    let hash = Argon2::default().hash_password(password.as_bytes());
    let hash =
        hash.map_err(|why| ConfigError::new(ConfigErrorKind::InvalidValue, format!("no hash: {why}")))?;
    Ok(hash.to_string())
}
