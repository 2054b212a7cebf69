use std::ops::Range;

use toml::Spanned;

use super::{
    source::Source,
    table::{EncryptionTable, MountTable, Text},
};
use crate::{
    config::MountBuilder,
    error::{ConfigError, ConfigErrorKind},
    terms::{AccountId, CustomerKey, Encryption, Grant, KmsKeyArn},
};

/// The terms on which a mount uses its bucket.
pub(super) fn of_mount(
    source: &Source<'_>,
    table: &MountTable,
    mut builder: MountBuilder,
) -> Result<MountBuilder, ConfigError> {
    let grants = [("read", Grant::Read), ("read-write", Grant::ReadWrite)];
    if let Some(grant) = source.choice("grant", table.grant.as_ref(), grants)? {
        builder = builder.grant(grant);
    }
    if let Some(table) = &table.encryption {
        builder = builder.encryption(encryption(source, table)?);
    }
    if let Some(text) = &table.expected_bucket_owner {
        builder = builder.expected_bucket_owner(account(source, text)?);
    }
    if let Some(text) = &table.customer_key {
        builder = builder.customer_key(customer_key(source, text)?);
    }
    Ok(builder.require_encryption(table.require_encryption).requester_pays(table.requester_pays))
}

#[derive(Clone, Copy)]
enum Type {
    S3Managed,
    Kms,
}

fn encryption(source: &Source<'_>, table: &Spanned<EncryptionTable>) -> Result<Encryption, ConfigError> {
    let missing = |message| source.error(ConfigErrorKind::Missing, table.span(), message);
    let EncryptionTable { r#type, key, bucket_key, context } = table.get_ref();
    let types = [("s3-managed", Type::S3Managed), ("kms", Type::Kms)];
    match source.choice("type", r#type.as_ref(), types)? {
        None => Err(missing("encryption needs a type: \"s3-managed\" or \"kms\"")),
        Some(Type::S3Managed) => {
            let of_kms = [
                key.as_ref().map(|key| ("key", key.span())),
                bucket_key.as_ref().map(|on| ("bucket_key", on.span())),
                context.as_ref().map(|context| ("context", context.span())),
            ];
            match of_kms.into_iter().flatten().next() {
                Some((name, span)) => Err(only_for_kms(source, name, span)),
                None => Ok(Encryption::s3_managed()),
            }
        }
        Some(Type::Kms) => {
            let Some(key) = key else {
                return Err(missing(
                    "encryption with a key of KMS needs the key's ARN: key = \"arn:aws:kms:…\"",
                ));
            };
            let mut kms = Encryption::kms(kms_key(source, key)?);
            if let Some(on) = bucket_key {
                kms = kms.bucket_key(*on.get_ref());
            }
            if let Some(pairs) = context {
                let pairs = pairs.get_ref().iter();
                let pairs = pairs.map(|(name, value)| Ok((name, source.value("context", value)?)));
                kms = kms.context(pairs.collect::<Result<Vec<_>, ConfigError>>()?);
            }
            Ok(kms.into())
        }
    }
}

fn account(source: &Source<'_>, text: &Text) -> Result<AccountId, ConfigError> {
    AccountId::parse(&source.value("expected_bucket_owner", text)?).map_err(|why| {
        // As written, without the values of variables, which the cause would quote.
        let message = format!("expected_bucket_owner {:?}: {why}", text.get_ref().0);
        source.error(ConfigErrorKind::InvalidValue, text.span(), message)
    })
}

/// Never shown in the error, not even as written: it is a secret.
fn customer_key(source: &Source<'_>, text: &Text) -> Result<CustomerKey, ConfigError> {
    CustomerKey::parse(&source.value("customer_key", text)?).map_err(|why| {
        let message = format!("customer_key: {why}");
        source.error(ConfigErrorKind::InvalidValue, text.span(), message).caused_by(why)
    })
}

fn kms_key(source: &Source<'_>, text: &Text) -> Result<KmsKeyArn, ConfigError> {
    KmsKeyArn::parse(source.value("key", text)?).map_err(|why| {
        // As written, without the values of variables, which the cause would quote.
        let message = format!("key {:?}: {why}", text.get_ref().0);
        source.error(ConfigErrorKind::InvalidValue, text.span(), message)
    })
}

fn only_for_kms(source: &Source<'_>, name: &str, span: Range<usize>) -> ConfigError {
    let message = format!("{name} is for type = \"kms\" only: keys of S3 have no options");
    source.error(ConfigErrorKind::Contradiction, span, message)
}
