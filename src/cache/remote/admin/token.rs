use std::fmt;

use aws_smithy_types::base64;
use http::{HeaderMap, header::AUTHORIZATION};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The secret that a request must show to a [`CacheAdmin`](crate::cache::CacheAdmin).
///
/// Use a random one, for example from `openssl rand -hex 32`. Only its digest is kept.
///
/// ```
/// use tower_s3_proxy::cache::AdminToken;
///
/// let token = AdminToken::new("5f1d0c")?;
/// assert_eq!(format!("{token:?}"), "AdminToken(..)");
/// assert!(AdminToken::new("").is_err());
/// # Ok::<(), tower_s3_proxy::cache::InvalidToken>(())
/// ```
#[derive(Clone)]
pub struct AdminToken([u8; 32]);

/// A text that can't be an [`AdminToken`].
#[derive(Clone, PartialEq, Eq)]
pub struct InvalidToken(());

/// How a request may show the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Schemes {
    /// RFC 6750 §2.1.
    Bearer,
    /// Also as the password of any user (RFC 7617), since SNS can send no other credentials.
    BearerOrBasic,
}

/// Why a request is not admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denial {
    /// It shows nothing that could be a token.
    NoToken,
    WrongToken,
}

// === impl AdminToken ===

impl AdminToken {
    /// Takes a token of visible ASCII.
    ///
    /// # Errors
    ///
    /// [`InvalidToken`] if it is empty, which would admit everyone, or has characters that no request could show:
    /// blanks, control characters (such as a line end read from a file) and others.
    pub fn new(token: impl AsRef<str>) -> Result<Self, InvalidToken> {
        let token = token.as_ref().as_bytes();
        if token.is_empty() || !token.iter().all(u8::is_ascii_graphic) {
            return Err(InvalidToken(()));
        }
        Ok(Self(digest(token)))
    }

    /// Whether the fields of a request show the token.
    pub(super) fn admit(&self, headers: &HeaderMap, schemes: Schemes) -> Result<(), Denial> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        // With two fields, a party on the way may have checked the other one.
        let (Some(value), None) = (values.next(), values.next()) else { return Err(Denial::NoToken) };
        let Some((scheme, shown)) = value.to_str().ok().and_then(|value| value.split_once(' ')) else {
            return Err(Denial::NoToken);
        };
        let shown = shown.trim_matches(' ');
        // Schemes are case-insensitive (RFC 9110 §11.1).
        let is_shown = if scheme.eq_ignore_ascii_case("Bearer") {
            self.is(shown.as_bytes())
        } else if schemes == Schemes::BearerOrBasic && scheme.eq_ignore_ascii_case("Basic") {
            password(shown).is_some_and(|password| self.is(&password))
        } else {
            return Err(Denial::NoToken);
        };
        if is_shown { Ok(()) } else { Err(Denial::WrongToken) }
    }

    /// Compares in a time that reveals nothing: neither where the texts differ nor, since it compares digests, how long
    /// the token is.
    fn is(&self, shown: &[u8]) -> bool {
        self.0.ct_eq(&digest(shown)).into()
    }
}

fn digest(token: &[u8]) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// The text after the first colon: a user's name has none.
fn password(credentials: &str) -> Option<Vec<u8>> {
    let mut decoded = base64::decode(credentials).ok()?;
    let colon = decoded.iter().position(|&b| b == b':')?;
    Some(decoded.split_off(colon + 1))
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminToken(..)")
    }
}

// === impl InvalidToken ===

impl fmt::Display for InvalidToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a token: one or more characters of visible ASCII")
    }
}

/// With the rule, since a `main` that returns the error prints this.
impl fmt::Debug for InvalidToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InvalidToken({self})")
    }
}

impl std::error::Error for InvalidToken {}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn what_no_request_could_show_is_no_token() {
        for token in ["", " ", "a b", "secret\n", "\0", "ünïcödé"] {
            assert_eq!(AdminToken::new(token).unwrap_err(), InvalidToken(()), "{token:?}");
        }
        for token in ["a", "5f1d0c", "a:b", "~!@#$%^&*()=+/"] {
            assert!(AdminToken::new(token).is_ok(), "{token:?}");
        }
    }

    #[test]
    fn the_token_opens_by_its_schemes_alone() {
        use Denial::{NoToken, WrongToken};

        let token = AdminToken::new("se:cret").unwrap();
        // Basic: "sns:se:cret", ":se:cret", "sns:secret", "se:cret", "nocolon".
        for (values, bearer, either) in [
            (&[][..], Err(NoToken), Err(NoToken)),
            (&["Bearer se:cret"], Ok(()), Ok(())),
            (&["bEARER   se:cret "], Ok(()), Ok(())),
            (&["Bearer se:cret", "Bearer se:cret"], Err(NoToken), Err(NoToken)),
            (&["Bearer"], Err(NoToken), Err(NoToken)),
            (&["Bearer "], Err(WrongToken), Err(WrongToken)),
            (&["Bearer se:cre"], Err(WrongToken), Err(WrongToken)),
            (&["Bearer se:crett"], Err(WrongToken), Err(WrongToken)),
            (&["Bearer SE:CRET"], Err(WrongToken), Err(WrongToken)),
            (&["Bearer se:cret x"], Err(WrongToken), Err(WrongToken)),
            (&["se:cret"], Err(NoToken), Err(NoToken)),
            (&["Bearerse:cret"], Err(NoToken), Err(NoToken)),
            (&["Token se:cret"], Err(NoToken), Err(NoToken)),
            (&["Basic c25zOnNlOmNyZXQ="], Err(NoToken), Ok(())),
            (&["basic OnNlOmNyZXQ="], Err(NoToken), Ok(())),
            (&["Basic c25zOnNlY3JldA=="], Err(NoToken), Err(WrongToken)),
            (&["Basic c2U6Y3JldA=="], Err(NoToken), Err(WrongToken)),
            (&["Basic bm9jb2xvbg=="], Err(NoToken), Err(WrongToken)),
            (&["Basic !"], Err(NoToken), Err(WrongToken)),
            (&["Basic se:cret"], Err(NoToken), Err(WrongToken)),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, HeaderValue::from_static(value));
            }
            assert_eq!(token.admit(&headers, Schemes::Bearer), bearer, "{values:?}");
            assert_eq!(token.admit(&headers, Schemes::BearerOrBasic), either, "{values:?}");
        }
    }
}
