//! Links: requests that are signed in the query of their URL, for others to send ([S3 API, "Authenticating requests: using
//! query parameters"](https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html)).

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use http::{HeaderName, HeaderValue, header::HOST};
use percent_encoding::utf8_percent_encode;

use super::{
    Identity, OriginError, S3Origin, Signable, Timestamp,
    endpoint::{Endpoint, QUERY},
    s3::BucketEndpoint,
    sigv4::ALGORITHM,
};
use crate::{
    object::{BucketName, ObjectKey, VersionId},
    terms::TermFields,
};

/// Signs links to the objects of one bucket.
pub(crate) struct LinkSigner {
    place: Arc<BucketEndpoint>,
    identity: Arc<Identity>,
    terms: TermFields,
    now: SystemTime,
}

/// The request that a link stands for, as far as the signature covers it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LinkTo<'r> {
    pub(crate) method: &'static str,
    pub(crate) key: &'r ObjectKey,
    pub(crate) version: Option<&'r VersionId>,
    /// Further parameters, not encoded.
    pub(crate) parameters: &'r [(&'r str, &'r str)],
    /// The fields that the request must have.
    pub(crate) fields: &'r [(HeaderName, HeaderValue)],
    /// How long the link is valid, in whole seconds.
    pub(crate) life: Duration,
}

/// A signed URL, in two parts: the signature covers the host, but not the scheme.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SignedLink {
    /// Scheme and host, with the port if it is not the scheme's.
    pub(crate) base: String,
    pub(crate) path_and_query: String,
}

// === impl S3Origin ===

impl S3Origin {
    /// The signer for a bucket, with credentials that are valid for this long if there are such; `None` if nothing is
    /// signed.
    pub(crate) async fn link_signer(
        &self,
        bucket: &BucketName,
        at_least: Duration,
    ) -> Result<Option<LinkSigner>, OriginError> {
        let place = self.place(bucket).map_err(OriginError::Endpoint)?;
        let Some(cache) = &place.credentials else { return Ok(None) };
        let now = self.now();
        let lasts = |identity: &Identity| identity.life_left(now).is_none_or(|left| left > at_least);
        let identity = match cache.current(now) {
            Some(identity) if lasts(&identity) => identity,
            Some(identity) => cache.fetch().await.unwrap_or(identity),
            None => cache.fetch().await.map_err(OriginError::Credentials)?,
        };
        Ok(Some(LinkSigner { place, identity, terms: self.terms.fields(), now }))
    }
}

// === impl LinkSigner ===

impl LinkSigner {
    /// The time by S3's clock.
    pub(crate) fn now(&self) -> SystemTime {
        self.now
    }

    /// The same in whole seconds, as the signature has it.
    pub(crate) fn signed_at(&self) -> SystemTime {
        let since = self.now.duration_since(UNIX_EPOCH).unwrap_or_default();
        UNIX_EPOCH + Duration::from_secs(since.as_secs())
    }

    /// Tells its credentials from their predecessors and successors.
    pub(crate) fn generation(&self) -> u64 {
        self.identity.generation()
    }

    /// How long the credentials are valid; `None` without end. A link is never valid for longer.
    pub(crate) fn life_left(&self) -> Option<Duration> {
        self.identity.life_left(self.now)
    }

    pub(crate) fn sign(&self, link: LinkTo<'_>) -> SignedLink {
        self.place.endpoint.presign(link, &self.identity, &self.terms, &Timestamp::new(self.now))
    }
}

// === impl Endpoint ===

impl Endpoint {
    fn presign(
        &self,
        link: LinkTo<'_>,
        identity: &Identity,
        terms: &TermFields,
        at: &Timestamp,
    ) -> SignedLink {
        let key = self.signing_key(identity, at);
        let mut fields = vec![(HOST, self.host_header.clone())];
        fields.extend_from_slice(link.fields);
        fields.sort_by(|(one, _), (other, _)| one.as_str().cmp(other.as_str()));
        let names: Vec<_> = fields.iter().map(|(name, _)| name.as_str()).collect();
        let (names, life) = (names.join(";"), link.life.as_secs().to_string());

        let mut parameters = vec![
            ("X-Amz-Algorithm", ALGORITHM),
            ("X-Amz-Credential", key.credential()),
            ("X-Amz-Date", at.as_str()),
            ("X-Amz-Expires", &life),
            ("X-Amz-SignedHeaders", &names),
        ];
        parameters
            .extend(identity.credentials().session_token().map(|token| (self.auth.token_parameter(), token)));
        parameters.extend(link.version.map(|version| ("versionId", version.as_str())));
        parameters.extend_from_slice(link.parameters);
        // As parameters, so that whoever has the link need not know of them.
        let terms = terms.before_token().iter();
        parameters.extend(terms.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))));
        let query = canonical_query(&parameters);

        let path = self.path_and_query(link.key, None);
        let signable = Signable { method: link.method, path: &path, query: &query, headers: &fields };
        let signature = key.signature(at, &signable);
        // Visible ASCII, since it is made of a parsed URL.
        let host = self.host_header.to_str().unwrap_or(&self.host);
        SignedLink {
            base: format!("{}://{host}", self.scheme),
            path_and_query: format!("{path}?{query}&X-Amz-Signature={signature}"),
        }
    }
}

/// Encoded, and sorted by name as SigV4 wants it.
fn canonical_query(parameters: &[(&str, &str)]) -> String {
    let encoded = |text| utf8_percent_encode(text, QUERY).to_string();
    let mut pairs: Vec<_> = parameters.iter().map(|(name, value)| (encoded(name), encoded(value))).collect();
    pairs.sort_unstable();
    let pairs: Vec<_> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

#[cfg(test)]
mod tests;
