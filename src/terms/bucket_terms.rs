use http::{HeaderName, HeaderValue};

use super::{AccountId, CustomerKey, Encryption, Grant};

/// The terms on which a mount uses its bucket.
#[derive(Debug, Clone, Default)]
pub(crate) struct BucketTerms {
    /// Decides the mode of a directory bucket's sessions.
    pub(crate) grant: Grant,
    pub(crate) payer: Payer,
    pub(crate) expected_owner: Option<AccountId>,
    /// How S3 encrypts new objects.
    pub(crate) encryption: Option<Encryption>,
    /// The key of the objects, where S3 keeps none.
    pub(crate) customer_key: Option<CustomerKey>,
}

/// Who pays for requests and traffic
/// ([S3 user guide, "Requester Pays"](https://docs.aws.amazon.com/AmazonS3/latest/userguide/RequesterPaysBuckets.html)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Payer {
    /// The bucket decides.
    #[default]
    AsTheBucketSays,
    Requester,
}

/// The fields that a read needs under these terms, made once.
#[derive(Debug, Clone, Default)]
pub(crate) struct TermFields {
    /// Invariant: sorted by name, all before the field of the credentials' token.
    before_token: Vec<(HeaderName, HeaderValue)>,
    /// Invariant: sorted by name, all after it.
    after_token: Vec<(HeaderName, HeaderValue)>,
}

// === impl BucketTerms ===

impl BucketTerms {
    pub(crate) fn fields(&self) -> TermFields {
        let owner = self.expected_owner.as_ref().map(|owner| (EXPECTED_BUCKET_OWNER, owner.header_value()));
        let payer = match self.payer {
            Payer::AsTheBucketSays => None,
            Payer::Requester => Some((REQUEST_PAYER, const { HeaderValue::from_static("requester") })),
        };
        let key = self.customer_key.iter().flat_map(CustomerKey::fields);
        TermFields { before_token: owner.into_iter().chain(payer).collect(), after_token: key.collect() }
    }

    /// A likely reason for a denial, for the log: S3 does not say which one it was.
    pub(crate) fn why_denied(&self) -> Option<&'static str> {
        match (&self.expected_owner, &self.customer_key, self.payer) {
            (Some(_), _, _) => Some("the bucket may be of another account than expected_bucket_owner says"),
            (None, Some(_), _) => Some("the object may be encrypted by another customer_key"),
            (None, None, Payer::Requester) => {
                Some("a requester who pays also needs a policy in its own account")
            }
            (None, None, Payer::AsTheBucketSays) => None,
        }
    }
}

const EXPECTED_BUCKET_OWNER: HeaderName = HeaderName::from_static("x-amz-expected-bucket-owner");
const REQUEST_PAYER: HeaderName = HeaderName::from_static("x-amz-request-payer");

// === impl TermFields ===

impl TermFields {
    pub(crate) fn before_token(&self) -> &[(HeaderName, HeaderValue)] {
        &self.before_token
    }

    pub(crate) fn after_token(&self) -> &[(HeaderName, HeaderValue)] {
        &self.after_token
    }

    pub(crate) fn len(&self) -> usize {
        self.before_token.len() + self.after_token.len()
    }
}
