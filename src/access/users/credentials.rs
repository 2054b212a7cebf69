//! The name and the password in a request. Pure.

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, header::AUTHORIZATION};

/// What a client says who it is.
#[derive(PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) name: String,
    pub(super) password: Vec<u8>,
}

/// Why a request has no claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoClaim {
    /// It has no credentials, or some of another scheme.
    Absent,
    /// They are not what the scheme wants.
    Malformed(Scheme),
}

/// A scheme of `Authorization`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Basic,
    Bearer,
}

/// In bytes: longer than any password should be, and cheap to hash.
const LONGEST: usize = 1024;

// === impl Claim ===

impl Claim {
    /// Of two lines of `Authorization` none counts.
    pub(super) fn find(headers: &HeaderMap) -> Result<(Scheme, Self), NoClaim> {
        let mut lines = headers.get_all(AUTHORIZATION).iter();
        let (Some(line), None) = (lines.next(), lines.next()) else { return Err(NoClaim::Absent) };
        let line = line.to_str().map_err(|_| NoClaim::Absent)?;
        let (scheme, credentials) = line.split_once(' ').ok_or(NoClaim::Absent)?;
        let credentials = credentials.trim_matches(' ');
        // The names of schemes have no case (RFC 9110 §11.1).
        let (scheme, claim) = match () {
            () if scheme.eq_ignore_ascii_case("basic") => (Scheme::Basic, basic(credentials)),
            () if scheme.eq_ignore_ascii_case("bearer") => (Scheme::Bearer, bearer(credentials)),
            () => return Err(NoClaim::Absent),
        };
        let claim = claim.filter(|claim| claim.password.len() <= LONGEST && !claim.password.is_empty());
        Ok((scheme, claim.ok_or(NoClaim::Malformed(scheme))?))
    }
}

/// RFC 7617 §2: a name has no colon, and a password can have some.
fn basic(credentials: &str) -> Option<Claim> {
    let decoded = BASE64_STANDARD.decode(credentials).ok()?;
    let colon = decoded.iter().position(|b| *b == b':')?;
    let (name, password) = decoded.split_at_checked(colon)?;
    let password = password.strip_prefix(b":")?.to_vec();
    Some(Claim { name: String::from_utf8(name.to_vec()).ok()?, password })
}

/// `NAME.PASSWORD`: one line of the file is looked at, and not all.
fn bearer(token: &str) -> Option<Claim> {
    let (name, password) = token.split_once('.')?;
    Some(Claim { name: name.to_owned(), password: password.as_bytes().to_vec() })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn found(lines: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(AUTHORIZATION, HeaderValue::try_from(*line).unwrap());
        }
        match Claim::find(&headers) {
            Ok((scheme, claim)) => {
                format!("{scheme:?} {} {}", claim.name, String::from_utf8_lossy(&claim.password))
            }
            Err(why) => format!("{why:?}"),
        }
    }

    #[test]
    fn names_and_passwords_are_read_as_the_schemes_have_them() {
        let basic = |text: &str| format!("Basic {}", BASE64_STANDARD.encode(text));
        for (line, expected) in [
            (basic("ada:secret"), "Basic ada secret"),
            (basic("ada:a:b:c"), "Basic ada a:b:c"),
            (basic("adä:gehéim"), "Basic adä gehéim"),
            ("bAsIc  YTpi ".to_owned(), "Basic a b"),
            (basic("ada:"), "Malformed(Basic)"),
            (basic("ada"), "Malformed(Basic)"),
            ("Basic ???".to_owned(), "Malformed(Basic)"),
            (basic(&format!("ada:{}", "x".repeat(1025))), "Malformed(Basic)"),
            ("Bearer ci.s3cr3t.x".to_owned(), "Bearer ci s3cr3t.x"),
            ("bearer ci.s".to_owned(), "Bearer ci s"),
            ("Bearer secret".to_owned(), "Malformed(Bearer)"),
            ("Bearer ci.".to_owned(), "Malformed(Bearer)"),
            ("AWS4-HMAC-SHA256 Credential=x".to_owned(), "Absent"),
            ("Basic".to_owned(), "Absent"),
        ] {
            assert_eq!(found(&[&line]), expected, "{line}");
        }
        assert_eq!(found(&[]), "Absent");
        assert_eq!(found(&[&basic("a:b"), &basic("c:d")]), "Absent", "which of them counts?");
    }
}
