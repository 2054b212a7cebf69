use std::{fmt, str::FromStr, sync::Arc};

/// The name of a bucket or directory bucket, or an access point's alias or ARN: whatever S3's `Bucket` parameter takes.
///
/// A name is 3 to 63 of `a-z`, `0-9`, `.` and `-`, beginning and ending with a letter or digit ([S3 user guide, "Bucket
/// naming rules"](https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html)); upper-case letters
/// and `_` are allowed, for S3-compatible servers and buckets made before 2018. The SDK's endpoint rules check an ARN
/// when the mount is built.
///
/// `tenant:name` is a bucket of another tenant of Ceph's Object Gateway, for mounts with an endpoint URL ([Ceph, "RGW
/// Multi-tenancy"](https://docs.ceph.com/en/latest/radosgw/multitenancy/)). `:name` is one without a tenant.
///
/// ```
/// use tower_s3_proxy::BucketName;
///
/// let bucket: BucketName = "studio-media".parse()?;
/// assert_eq!(bucket.as_str(), "studio-media");
/// assert!("not/a/bucket".parse::<BucketName>().is_err());
/// # Ok::<(), tower_s3_proxy::bucket::InvalidBucketName>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BucketName(Arc<str>);

/// A text that can't be a [`BucketName`].
#[derive(Clone, PartialEq, Eq)]
pub struct InvalidBucketName(Box<str>);

// === impl BucketName ===

impl BucketName {
    /// Takes a bucket name, an access-point alias, or an ARN.
    ///
    /// # Errors
    ///
    /// [`InvalidBucketName`] if it is none of these.
    pub fn parse(name: impl Into<String>) -> Result<Self, InvalidBucketName> {
        let name = name.into();
        if is_arn(&name) || is_name(&name) || is_of_tenant(&name) {
            Ok(Self(name.into()))
        } else {
            Err(InvalidBucketName::new(&name))
        }
    }

    /// The name as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it names a bucket of a tenant, which only Ceph has.
    pub(crate) fn is_of_tenant(&self) -> bool {
        !self.0.starts_with("arn:") && self.0.contains(':')
    }
}

fn is_arn(name: &str) -> bool {
    name.starts_with("arn:") && name.bytes().all(|b| b.is_ascii_graphic())
}

fn is_name(name: &str) -> bool {
    let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    (3..=255).contains(&bytes.len())
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
        && !name.contains("..")
}

/// Tenants have letters, digits and underscores.
fn is_of_tenant(name: &str) -> bool {
    name.split_once(':').is_some_and(|(tenant, bucket)| {
        tenant.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') && is_name(bucket)
    })
}

impl FromStr for BucketName {
    type Err = InvalidBucketName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::parse(name)
    }
}

impl AsRef<str> for BucketName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for BucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

// === impl InvalidBucketName ===

impl InvalidBucketName {
    /// What a name must be, without the one that was refused.
    pub(crate) const RULE: &'static str = "not a bucket name: 3 to 63 letters, digits, '.', '-' and '_' (255 on servers that \
                                           allow it), beginning and ending with a letter or digit; or an access-point ARN; or TENANT:NAME on Ceph";

    fn new(name: &str) -> Self {
        // Whoever sends an event decides on the length.
        Self(name.chars().take(100).collect())
    }
}

impl fmt::Display for InvalidBucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is {}", self.0, Self::RULE)
    }
}

/// The message, since a `main` that returns the error prints this.
impl fmt::Debug for InvalidBucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InvalidBucketName({self})")
    }
}

impl std::error::Error for InvalidBucketName {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_aliases_and_arns_are_taken() {
        for name in [
            "abc",
            "my.bucket-1",
            "Legacy_Bucket",
            "my-ap-hrzrlukc5m36ft7okagglf3gmwluquse1b-s3alias",
            "arn:aws:s3:us-west-2:123456789012:accesspoint/media",
            "studio:media",
            "studio_2:my.bucket-1",
            ":media",
        ] {
            assert_eq!(BucketName::parse(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn what_could_change_the_host_or_path_is_refused() {
        for name in [
            "",
            "ab",
            "a/b",
            "a..b",
            "-abc",
            "abc.",
            "a b c",
            "a%2fb",
            "ab@c",
            "a:b:c",
            "a?b",
            "a:bc",
            "a-b:media",
            "a/b:media",
            "a:media:x",
            "media:",
        ] {
            assert!(BucketName::parse(name).is_err(), "{name:?}");
        }
        for name in ["a%:media", "..:media", "@:media"] {
            assert!(BucketName::parse(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_refusal_quotes_the_name() {
        let refusal = BucketName::parse("my bucket").unwrap_err();
        assert!(refusal.to_string().starts_with("\"my bucket\" is not a bucket name: 3 to 63"), "{refusal}");
        assert_eq!(format!("{refusal:?}"), format!("InvalidBucketName({refusal})"));
        let long = BucketName::parse("x".repeat(10_000)).unwrap_err();
        assert!(long.to_string().len() < 400, "{long}");
    }
}
