use std::time::SystemTime;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    CloudFrontKey,
    key::{Unsigned, url_safe},
    policy::{Covered, seconds, statement},
};
use crate::{
    error::{ConfigError, ConfigErrorKind},
    links::PublicHost,
    object::ObjectKey,
};

/// The CloudFront distribution whose links stand in for those of S3, for GET and HEAD.
///
/// ```no_run
/// use tower_s3_proxy::links::{CloudFront, CloudFrontKey, LinkPolicy};
///
/// let key = CloudFrontKey::from_pem(&std::fs::read_to_string("cloudfront.pem")?)?;
/// let policy = LinkPolicy::new().cloudfront(CloudFront::new("d111111abcdef8.cloudfront.net", "K2JCJMDEHXQW5F", key));
/// # let _ = policy;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "it has no effect before `LinkPolicy::cloudfront`"]
#[derive(Debug, Clone)]
pub struct CloudFront {
    host: String,
    key_pair_id: String,
    key: CloudFrontKey,
    origin_path: String,
}

/// A distribution, parsed.
#[derive(Debug, Clone)]
pub(crate) struct Distribution {
    host: PublicHost,
    key_pair_id: String,
    key: CloudFrontKey,
    /// Empty, or with a slash at its end and none before it.
    origin_path: String,
}

// === impl CloudFront ===

impl CloudFront {
    /// The distribution at this host, its own or an alternate one, with or without `https://`; the id of the public key, and the
    /// private key. The distribution must have the bucket for its origin, and a trusted key group with the public key.
    pub fn new(host: impl Into<String>, key_pair_id: impl Into<String>, key: CloudFrontKey) -> Self {
        Self { host: host.into(), key_pair_id: key_pair_id.into(), key, origin_path: String::new() }
    }

    /// The origin path of the distribution, which CloudFront puts before the path of a URL; none by default. With `website`,
    /// the key `website/a.jpg` is `/a.jpg` there, and other keys are not there.
    pub fn origin_path(mut self, path: impl Into<String>) -> Self {
        self.origin_path = path.into();
        self
    }

    pub(crate) fn parse(&self) -> Result<Distribution, ConfigError> {
        let host = PublicHost::parse(&self.host)
            .map_err(|why| ConfigError::invalid("the host of CloudFront", &self.host, why))?;
        let is_id =
            !self.key_pair_id.is_empty() && self.key_pair_id.bytes().all(|b| b.is_ascii_alphanumeric());
        if !is_id {
            let message = "must be the id of a public key, like K2JCJMDEHXQW5F";
            return Err(ConfigError::invalid("the key pair of CloudFront", &self.key_pair_id, message));
        }
        let path = self.origin_path.trim_matches('/');
        let origin_path = match path {
            "" => String::new(),
            path if ObjectKey::new(path).is_ok() => format!("{path}/"),
            _ => {
                let message =
                    format!("the origin path of CloudFront {path:?}: must be the beginning of a key");
                return Err(ConfigError::new(ConfigErrorKind::InvalidValue, message));
            }
        };
        Ok(Distribution { host, key_pair_id: self.key_pair_id.clone(), key: self.key.clone(), origin_path })
    }
}

// === impl Distribution ===

impl Distribution {
    /// The part of a key, or of a glob of keys, that is in the path of a URL. `None` if it is not of the distribution.
    pub(crate) fn path_of<'k>(&self, key: &'k str) -> Option<&'k str> {
        key.strip_prefix(self.origin_path.as_str()).filter(|path| !path.is_empty())
    }

    /// A link to the object at a path, with these parameters, not encoded, for the origin.
    pub(crate) fn sign(
        &self,
        path: &str,
        parameters: &[(&str, &str)],
        ends: SystemTime,
        covered: &Covered,
    ) -> Result<String, Unsigned> {
        let url = format!("{}/{}", self.host.base(), utf8_percent_encode(path, PATH));
        let parameters: Vec<_> = parameters
            .iter()
            .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, QUERY)))
            .collect();
        let query = parameters.join("&");
        let own = if query.is_empty() { url } else { format!("{url}?{query}") };
        let separator = if query.is_empty() { '?' } else { '&' };
        let (signed, said) = if covered.is_canned() {
            (statement(&own, ends, covered), format!("Expires={}", seconds(ends)))
        } else {
            let several = covered.keys.as_ref();
            let several =
                several.map(|glob| format!("{}/{}", self.host.base(), utf8_percent_encode(glob, GLOB)));
            let policy = statement(several.as_deref().unwrap_or(&own), ends, covered);
            let said = format!("Policy={}", url_safe(policy.as_bytes()));
            (policy, said)
        };
        let (signature, id) = (self.key.sign(&signed)?, &self.key_pair_id);
        Ok(format!("{own}{separator}{said}&Signature={signature}&Key-Pair-Id={id}&Hash-Algorithm=SHA256"))
    }
}

const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');
const QUERY: &AsciiSet = &PATH.add(b'/');

/// The wildcards of a policy's resource.
const GLOB: &AsciiSet = &PATH.remove(b'*').remove(b'?');

#[cfg(test)]
mod tests;
