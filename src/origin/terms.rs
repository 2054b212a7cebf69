//! Adds the terms of a bucket to the SDK's calls. The read lane adds them in
//! [`Endpoint::request`](super::endpoint::Endpoint).

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{Intercept, context::BeforeTransmitInterceptorContextMut, dyn_dispatch_hint},
        orchestrator::Metadata,
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::config_bag::ConfigBag;
use http::{HeaderName, HeaderValue};

use crate::terms::{BucketTerms, Encryption, TermFields};

/// Adds the terms to every call of a client, so that no call can omit them.
#[derive(Debug)]
pub(super) struct TellTerms {
    fields: TermFields,
    /// The fields for writes.
    encryption: Vec<(HeaderName, HeaderValue)>,
}

/// The operations that carry an object's bytes, and need the key that encrypts them (S3 user guide, "SSE-C").
const WITH_CUSTOMER_KEY: [&str; 9] = [
    "GetObject",
    "HeadObject",
    "GetObjectAttributes",
    "PutObject",
    "CopyObject",
    "CreateMultipartUpload",
    "UploadPart",
    "UploadPartCopy",
    "SelectObjectContent",
];

/// The operations that specify the encryption of what they write (S3 user guide, "Specifying server-side encryption").
const WITH_ENCRYPTION: [&str; 3] = ["PutObject", "CopyObject", "CreateMultipartUpload"];

/// It takes no terms: the calls in the session name the owner and the payer (S3 API, CreateSession).
const SESSION: &str = "CreateSession";

// === impl TellTerms ===

impl TellTerms {
    pub(super) fn new(terms: &BucketTerms) -> Self {
        let encryption = terms.encryption.as_ref().map(Encryption::request_fields).unwrap_or_default();
        Self { fields: terms.fields(), encryption }
    }

    /// The fields of a call, by the name of its operation.
    pub(super) fn of(&self, operation: &str) -> impl Iterator<Item = &(HeaderName, HeaderValue)> {
        let when = |is_so: bool, fields| if is_so { fields } else { [].as_slice() };
        when(operation != SESSION, self.fields.before_token())
            .iter()
            .chain(when(WITH_CUSTOMER_KEY.contains(&operation), self.fields.after_token()))
            .chain(when(WITH_ENCRYPTION.contains(&operation), &self.encryption))
    }
}

#[dyn_dispatch_hint]
impl Intercept for TellTerms {
    fn name(&self) -> &'static str {
        "TellTerms"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let operation = config.load::<Metadata>().map(|call| call.name().to_owned()).unwrap_or_default();
        let headers = context.request_mut().headers_mut();
        for (name, value) in self.of(&operation) {
            headers.try_insert(name.as_str().to_owned(), value.to_str()?.to_owned())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::{AccountId, CustomerKey, KmsKeyArn, Payer};

    #[test]
    fn each_call_has_the_terms_that_it_takes() {
        let key = KmsKeyArn::parse("arn:aws:kms:us-west-2:123456789012:key/1").unwrap();
        let encrypted = BucketTerms {
            payer: Payer::Requester,
            expected_owner: Some(AccountId::parse("123456789012").unwrap()),
            encryption: Some(Encryption::kms(key).into()),
            ..BucketTerms::default()
        };
        let keyed = BucketTerms { customer_key: Some(CustomerKey::from([7; 32])), ..BucketTerms::default() };
        let names = |terms: &BucketTerms, operation: &str| -> Vec<String> {
            TellTerms::new(terms).of(operation).map(|(name, _)| name.as_str().replace("x-amz-", "")).collect()
        };
        let both = ["expected-bucket-owner", "request-payer"];
        let by_kms = ["server-side-encryption", "server-side-encryption-aws-kms-key-id"];
        let by_key =
            ["algorithm", "key", "key-md5"].map(|name| format!("server-side-encryption-customer-{name}"));
        for operation in ["ListObjectsV2", "DeleteObject", "GetBucketVersioning", "GetObject", "UploadPart"] {
            assert_eq!(names(&encrypted, operation), both, "{operation}");
        }
        for operation in WITH_ENCRYPTION {
            assert_eq!(names(&encrypted, operation), [&both[..], &by_kms].concat(), "{operation}");
            assert_eq!(names(&keyed, operation), by_key, "{operation}");
        }
        for operation in ["GetObject", "HeadObject", "UploadPart", "UploadPartCopy"] {
            assert_eq!(names(&keyed, operation), by_key, "{operation}");
        }
        for operation in ["ListObjectsV2", "DeleteObject", "CompleteMultipartUpload"] {
            assert!(names(&keyed, operation).is_empty(), "{operation}");
        }
        assert!(names(&encrypted, SESSION).is_empty());
    }
}
