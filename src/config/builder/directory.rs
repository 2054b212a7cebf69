//! What directory buckets (S3 Express One Zone) do not have.

use super::MountBuilder;
use crate::{
    credentials::{CredentialsSource, Signing},
    error::{ConfigError, ConfigErrorKind},
    object::BucketName,
    origin::AuthScheme,
    request::VersionPolicy,
    terms::{Encryption, Payer},
};

impl MountBuilder {
    /// ([S3 user guide, "Differences for directory buckets"](https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-express-differences.html)).
    pub(super) fn check_directory_bucket(
        &self,
        bucket: &BucketName,
        auth: AuthScheme,
        own: &CredentialsSource,
    ) -> Result<(), ConfigError> {
        let why = match auth {
            AuthScheme::Credentials => None,
            AuthScheme::Session => self.lacking(own),
        };
        match why {
            Some(why) => {
                let message = format!("{bucket} is a directory bucket: {why}");
                Err(ConfigError::new(ConfigErrorKind::Contradiction, message))
            }
            None => Ok(()),
        }
    }

    fn lacking(&self, own: &CredentialsSource) -> Option<&'static str> {
        let mut sources = self.credential_sets.iter().map(|set| &set.source).chain([own]);
        if sources.any(|source| matches!(source.signing(), Signing::Anonymous)) {
            return Some("anonymous requests cannot open a session with it, so give credentials");
        }
        if self.addressing.path_style {
            return Some("it has no path style");
        }
        if self.query.versions == VersionPolicy::Honoured {
            return Some("it keeps no versions");
        }
        if self.terms.of_bucket.payer == Payer::Requester {
            return Some("requesters do not pay there");
        }
        if self.terms.of_bucket.customer_key.is_some() {
            return Some("it does not support customer keys (SSE-C)");
        }
        #[cfg(feature = "listing")]
        if self.listing.is_some() {
            return Some(
                "it does not list keys in their order, by which a listing has pages, so leave out the listing",
            );
        }
        self.terms.of_bucket.encryption.as_ref().and_then(Encryption::not_for_directory_buckets)
    }
}

#[cfg(test)]
mod tests {
    use aws_credential_types::Credentials;

    use super::*;
    use crate::{
        Mount,
        encryption::{CustomerKey, KmsKeyArn},
    };

    fn mount(bucket: &str) -> MountBuilder {
        let keys = Credentials::new("AKIDEXAMPLE", "not-a-secret", None, None, "test");
        Mount::builder(BucketName::parse(bucket).unwrap()).region("us-west-2").credentials(keys)
    }

    fn kms(name: &str) -> KmsKeyArn {
        KmsKeyArn::parse(format!("arn:aws:kms:us-west-2:123456789012:{name}")).unwrap()
    }

    #[test]
    fn what_directory_buckets_do_not_have_is_refused() {
        type Row = (fn(MountBuilder) -> MountBuilder, &'static str);
        let rows: [Row; 9] = [
            (|m| m.anonymous(), "anonymous requests"),
            (|m| m.path_style(true), "no path style"),
            (|m| m.allow_versions(true), "no versions"),
            (|m| m.requester_pays(true), "do not pay"),
            (|m| m.customer_key(CustomerKey::from([7; 32])), "SSE-C"),
            (|m| m.encryption(Encryption::kms(kms("alias/films"))), "an alias"),
            (|m| m.encryption(Encryption::kms(kms("key/1")).context([("a", "b")])), "context"),
            (|m| m.encryption(Encryption::kms(kms("key/1")).bucket_key(false)), "bucket key"),
            (|m| m.accelerate(true), "Accelerate"),
        ];
        for (change, hint) in rows {
            let error = change(mount("films--usw2-az1--x-s3")).build().unwrap_err();
            assert!(error.to_string().contains(hint), "{hint}: {error}");
            if hint != "anonymous requests" {
                assert!(change(mount("studio-films")).build().is_ok(), "{hint}: fine for other buckets");
            }
        }
        let all = mount("films--usw2-az1--x-s3").encryption(Encryption::kms(kms("key/1")).bucket_key(true));
        assert!(all.build().is_ok());
        assert!(mount("films--usw2-az1--x-s3").encryption(Encryption::s3_managed()).build().is_ok());
    }
}
