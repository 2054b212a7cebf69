use std::borrow::Cow;

use http::{HeaderMap, header::AUTHORIZATION};
use percent_encoding::percent_decode_str;

/// The key that a request says it is signed by. Nothing is checked yet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Signed {
    pub(crate) access_key: String,
    pub(crate) mechanism: Mechanism,
}

/// Where a signature is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mechanism {
    /// In `Authorization`.
    Field,
    /// In the query, as presigned links have it.
    Query,
    /// In the query, of version 2.
    QueryV2,
    /// In both, which S3 refuses.
    Both,
    /// In `Authorization`, of version 2, which S3 refuses in the regions that are younger than it.
    FieldV2,
}

// === impl Signed ===

impl Signed {
    /// `None` if the request has no signature of S3's.
    pub(crate) fn find(headers: &HeaderMap, query: Option<&str>) -> Option<Self> {
        let by_field = by_field(headers);
        let by_query = query.and_then(by_query);
        match (by_field, by_query) {
            (Some(field), Some(_)) => Some(Self { mechanism: Mechanism::Both, ..field }),
            (Some(signed), None) | (None, Some(signed)) => Some(signed),
            (None, None) => None,
        }
    }
}

fn by_field(headers: &HeaderMap) -> Option<Signed> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    if let Some(rest) = value.strip_prefix("AWS4-HMAC-SHA256") {
        let credential = rest.split([' ', ',']).find_map(|part| part.strip_prefix("Credential="))?;
        return Some(Signed { access_key: key_of(credential).to_owned(), mechanism: Mechanism::Field });
    }
    let (access_key, _) = value.strip_prefix("AWS ")?.split_once(':')?;
    Some(Signed { access_key: access_key.trim().to_owned(), mechanism: Mechanism::FieldV2 })
}

fn by_query(query: &str) -> Option<Signed> {
    let mut found = None;
    for (name, value) in parameters(query) {
        let mechanism = match &*name {
            "X-Amz-Credential" => Mechanism::Query,
            "AWSAccessKeyId" => Mechanism::QueryV2,
            _ => continue,
        };
        if found.is_some() {
            // Twice, or of two versions.
            return found.map(|found| Signed { mechanism: Mechanism::Both, ..found });
        }
        found = Some(Signed { access_key: key_of(&value).to_owned(), mechanism });
    }
    found
}

/// Without the scope, `DATE/REGION/SERVICE/aws4_request`.
fn key_of(credential: &str) -> &str {
    credential.split('/').next().unwrap_or_default()
}

/// The parameters of a query, decoded.
fn parameters(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    query.split('&').map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decoded = |text| percent_decode_str(text).decode_utf8_lossy();
        (decoded(name), decoded(value))
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_signature_is_found_wherever_it_is() {
        const V4: &str = "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";
        const TIGHT: &str =
            "AWS4-HMAC-SHA256 SignedHeaders=host,Credential=AKID/1/r/s3/aws4_request,Signature=0";
        const LINK: &str =
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F20260101%2Fr%2Fs3%2Faws4_request";
        for (field, query, expected) in [
            (Some(V4), None, Some(("AKID", Mechanism::Field))),
            (Some(V4), Some("versionId=1"), Some(("AKID", Mechanism::Field))),
            (Some(TIGHT), None, Some(("AKID", Mechanism::Field))),
            (Some("AWS AKID:c2ln"), None, Some(("AKID", Mechanism::FieldV2))),
            (Some("Bearer AKID"), None, None),
            (Some("AWS4-HMAC-SHA256 nothing"), None, None),
            (None, Some(LINK), Some(("AKID", Mechanism::Query))),
            (None, Some("x%2damz-credential=AKID"), None),
            (None, Some("%58-Amz-Credential=AKID"), Some(("AKID", Mechanism::Query))),
            (None, Some("AWSAccessKeyId=AKID&Signature=x&Expires=1"), Some(("AKID", Mechanism::QueryV2))),
            (None, Some("X-Amz-Credential=AKID%2F1&X-Amz-Credential=OTHER"), Some(("AKID", Mechanism::Both))),
            (None, Some("AWSAccessKeyId=AKID&X-Amz-Credential=OTHER"), Some(("AKID", Mechanism::Both))),
            (Some(V4), Some(LINK), Some(("AKID", Mechanism::Both))),
            (None, Some("download=1"), None),
            (None, None, None),
        ] {
            let field = field.map(|value| (AUTHORIZATION, HeaderValue::from_static(value)));
            let found = Signed::find(&field.into_iter().collect(), query);
            let found = found.as_ref().map(|signed| (signed.access_key.as_str(), signed.mechanism));
            assert_eq!(found, expected, "{query:?}");
        }
    }
}
