use std::fmt;

use http::{HeaderMap, HeaderName};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The secret that a request shows in its field `X-Explain` to be explained. Only its digest is kept.
#[derive(Clone)]
pub struct ExplainToken([u8; 32]);

/// A text that can't be an [`ExplainToken`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct InvalidExplainToken(());

const X_EXPLAIN: HeaderName = HeaderName::from_static("x-explain");

// === impl ExplainToken ===

impl ExplainToken {
    /// Takes a token of visible ASCII, for example from `openssl rand -hex 32`.
    ///
    /// # Errors
    ///
    /// [`InvalidExplainToken`] if it is empty, which would admit everyone, or has characters that no request could show.
    pub fn new(token: impl AsRef<str>) -> Result<Self, InvalidExplainToken> {
        let token = token.as_ref().as_bytes();
        if token.is_empty() || !token.iter().all(u8::is_ascii_graphic) {
            return Err(InvalidExplainToken(()));
        }
        Ok(Self(Sha256::digest(token).into()))
    }

    /// Whether the fields of a request show the token, once. It takes the same time whatever they show.
    pub fn is_shown_by(&self, headers: &HeaderMap) -> bool {
        let mut lines = headers.get_all(X_EXPLAIN).iter();
        let (Some(shown), None) = (lines.next(), lines.next()) else { return false };
        let shown: [u8; 32] = Sha256::digest(shown.as_bytes()).into();
        self.0.ct_eq(&shown).into()
    }
}

impl fmt::Debug for ExplainToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExplainToken(..)")
    }
}

// === impl InvalidExplainToken ===

impl fmt::Display for InvalidExplainToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a token must be visible ASCII, without blanks, and not empty")
    }
}

impl fmt::Debug for InvalidExplainToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InvalidExplainToken({self})")
    }
}

impl std::error::Error for InvalidExplainToken {}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_very_token_opens_and_nothing_else() {
        let token = ExplainToken::new("5f1d0c2b").unwrap();
        for (lines, is_shown) in [
            (&[][..], false),
            (&["5f1d0c2b"], true),
            (&["5f1d0c2"], false),
            (&["5F1D0C2B"], false),
            (&[""], false),
            (&["5f1d0c2b", "5f1d0c2b"], false),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(X_EXPLAIN, HeaderValue::from_static(line));
            }
            assert_eq!(token.is_shown_by(&headers), is_shown, "{lines:?}");
        }
        for text in ["", "a b", "ü", "a\n"] {
            assert!(ExplainToken::new(text).is_err(), "{text:?}");
        }
        assert_eq!(format!("{token:?}"), "ExplainToken(..)");
    }
}
