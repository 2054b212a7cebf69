use super::{CredentialCache, S3Origin};
use crate::object::BucketName;

/// Texts that must not be shown, wherever they come from: a server's message may repeat what it received.
pub(crate) struct Secrets(Vec<String>);

// === impl Secrets ===

impl Secrets {
    pub(crate) fn new(secrets: Vec<String>) -> Self {
        Self(secrets.into_iter().filter(|secret| secret.chars().count() >= SHORTEST).collect())
    }

    pub(crate) fn hide_in(&self, text: &mut String) {
        for secret in &self.0 {
            if text.contains(secret.as_str()) {
                *text = text.replace(secret.as_str(), REDACTED);
            }
        }
        hide_signatures(text);
    }
}

/// A signature is new in each request. It has 64 hexadecimal digits, as have digests, which are not missed.
fn hide_signatures(text: &mut String) {
    let mut begin = 0;
    while let Some((from, to)) = digits(text, begin) {
        begin = to;
        if to - from >= SIGNATURE {
            text.replace_range(from..to, REDACTED);
            begin = from + REDACTED.len();
        }
    }
}

/// The next run of hexadecimal digits.
fn digits(text: &str, begin: usize) -> Option<(usize, usize)> {
    let rest = text.get(begin..)?;
    let from = begin + rest.find(|c: char| c.is_ascii_hexdigit())?;
    let length = text.get(from..)?.find(|c: char| !c.is_ascii_hexdigit());
    Some((from, length.map_or(text.len(), |length| from + length)))
}

const REDACTED: &str = "[redacted]";

const SIGNATURE: usize = 64;

/// Characters. A shorter one, as test servers have, is a word that stands anywhere: "test" in the name of a bucket.
const SHORTEST: usize = 8;

// === impl S3Origin ===

impl S3Origin {
    /// The secrets in the bucket's requests.
    pub(crate) fn secrets(&self, bucket: Option<&BucketName>) -> Secrets {
        let place = bucket.and_then(|bucket| self.place(bucket).ok());
        let session = place.as_ref().and_then(|place| place.credentials.as_ref());
        let identities = self.credentials.iter().chain(session).filter_map(CredentialCache::at_hand);
        let mut secrets: Vec<String> = identities
            .flat_map(|identity| {
                let keys = identity.credentials();
                let token = keys.session_token().map(str::to_owned);
                std::iter::once(keys.secret_access_key().to_owned()).chain(token)
            })
            .collect();
        let fields = self.terms.fields();
        let fields = fields.after_token().iter().filter(|(_, value)| value.is_sensitive());
        secrets.extend(fields.filter_map(|(_, value)| value.to_str().ok().map(str::to_owned)));
        Secrets::new(secrets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_wherever_they_stand() {
        let secrets = Secrets::new(["s3cret-key", "t0ken-of-it", "minio12", ""].map(str::to_owned).into());
        let signature = "0123456789abcdef".repeat(4);
        for (text, shown) in [
            ("x s3cret-key y", "x [redacted] y"),
            ("t0ken-of-it, s3cret-key, minio123", "[redacted], [redacted], minio123"),
            (&format!("Signature={signature}, é{signature}"), "Signature=[redacted], é[redacted]"),
            (
                &format!("a digest's half: {}", &signature[..63]),
                &format!("a digest's half: {}", &signature[..63]),
            ),
            ("", ""),
        ] {
            let mut text = text.to_owned();
            secrets.hide_in(&mut text);
            assert_eq!(text, shown);
        }
    }
}
