//! The owner's terms for a bucket: the permissions, the payer, the encryption.

mod account_id;
mod arn;
mod customer_key;
mod encryption;
mod encryption_context;
mod grant;
mod kms_key_arn;
mod bucket_terms;

pub use self::{
    account_id::{AccountId, InvalidAccountId},
    customer_key::{CustomerKey, InvalidCustomerKey},
    encryption::{Encryption, KmsEncryption},
    grant::Grant,
    kms_key_arn::{InvalidKmsKeyArn, KmsKeyArn},
};
pub(crate) use self::{
    arn::Arn,
    bucket_terms::{BucketTerms, Payer, TermFields},
    customer_key::CUSTOMER_KEY,
};
