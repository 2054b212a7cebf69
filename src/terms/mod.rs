//! On what terms the owner lets a bucket be used: who may do what there, who pays, how objects are encrypted.

mod account_id;
mod arn;
mod encryption;
mod encryption_context;
mod grant;
mod kms_key_arn;
mod read_terms;

pub(crate) use self::read_terms::{Payer, ReadTerms, TermFields};
pub use self::{
    account_id::{AccountId, InvalidAccountId},
    encryption::{Encryption, KmsEncryption},
    grant::Grant,
    kms_key_arn::{InvalidKmsKeyArn, KmsKeyArn},
};
