use std::{fmt, str::FromStr, sync::Arc};

use aws_smithy_types::base64;
use ring::{
    rand::SystemRandom,
    rsa::KeyPair as RsaKeyPair,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256},
};
use rustls_pki_types::{PrivateKeyDer, pem::PemObject};

/// The private key whose public key is in a key group of a CloudFront distribution: RSA with 2048 bits, or ECDSA on P-256.
///
/// `Debug` output does not show it.
#[derive(Clone)]
pub struct CloudFrontKey(Arc<Key>);

enum Key {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
}

/// A text that is no such key.
#[derive(Clone, PartialEq, Eq)]
pub struct InvalidCloudFrontKey(());

/// The key did not sign.
#[derive(Debug)]
pub(crate) struct Unsigned(());

// === impl CloudFrontKey ===

impl CloudFrontKey {
    /// Takes a key in PEM, as `openssl genrsa 2048` and `openssl ecparam -name prime256v1 -genkey -noout` write it: PKCS#1,
    /// SEC1 or PKCS#8.
    ///
    /// # Errors
    ///
    /// [`InvalidCloudFrontKey`] for anything else.
    pub fn from_pem(pem: &str) -> Result<Self, InvalidCloudFrontKey> {
        let invalid = |_| InvalidCloudFrontKey(());
        let key = match PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| InvalidCloudFrontKey(()))? {
            PrivateKeyDer::Pkcs1(der) => {
                Key::Rsa(RsaKeyPair::from_der(der.secret_pkcs1_der()).map_err(invalid)?)
            }
            PrivateKeyDer::Sec1(der) => Key::Ecdsa(ecdsa(&pkcs8_of(der.secret_sec1_der()))?),
            PrivateKeyDer::Pkcs8(der) => {
                let der = der.secret_pkcs8_der();
                match RsaKeyPair::from_pkcs8(der) {
                    Ok(key) => Key::Rsa(key),
                    Err(_) => Key::Ecdsa(ecdsa(der)?),
                }
            }
            _ => return Err(InvalidCloudFrontKey(())),
        };
        let is_long_enough = match &key {
            // CloudFront takes no others.
            Key::Rsa(key) => key.public().modulus_len() == 2048 / 8,
            Key::Ecdsa(_) => true,
        };
        if is_long_enough { Ok(Self(Arc::new(key))) } else { Err(InvalidCloudFrontKey(())) }
    }

    /// The signature by SHA-256 in CloudFront's Base64, which a URL can hold as it is.
    ///
    /// CloudFront takes SHA-1 by default, and SHA-256 with `Hash-Algorithm=SHA256` ([CloudFront developer guide, "Linux
    /// commands and OpenSSL"](https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-linux-openssl.html)).
    pub(super) fn sign(&self, message: &str) -> Result<String, Unsigned> {
        let (random, message) = (SystemRandom::new(), message.as_bytes());
        let signature = match &*self.0 {
            Key::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map_err(|_| Unsigned(()))?;
                signature
            }
            Key::Ecdsa(key) => key.sign(&random, message).map_err(|_| Unsigned(()))?.as_ref().to_vec(),
        };
        Ok(url_safe(&signature))
    }
}

/// Base64 with CloudFront's own replacements.
pub(super) fn url_safe(bytes: &[u8]) -> String {
    base64::encode(bytes).replace('+', "-").replace('=', "_").replace('/', "~")
}

fn ecdsa(pkcs8: &[u8]) -> Result<EcdsaKeyPair, InvalidCloudFrontKey> {
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8, &SystemRandom::new())
        .map_err(|_| InvalidCloudFrontKey(()))
}

/// A key in SEC1 (RFC 5915) within the PKCS#8 (RFC 5958) that `ring` reads.
fn pkcs8_of(sec1: &[u8]) -> Vec<u8> {
    let mut inner = VERSION_AND_P256.to_vec();
    inner.extend(der(OCTET_STRING, sec1));
    der(SEQUENCE, &inner)
}

/// An element of DER (X.690 §8.1.3) of up to 64 KiB.
fn der(tag: u8, contents: &[u8]) -> Vec<u8> {
    let [.., high, low] = contents.len().to_be_bytes();
    let mut element = match contents.len() {
        0..=127 => vec![tag, low],
        128..=255 => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    element.extend_from_slice(contents);
    element
}

const SEQUENCE: u8 = 0x30;
const OCTET_STRING: u8 = 0x04;

/// Version 0, and the identifiers of elliptic curves and of P-256 (RFC 5480 §2.1.1).
const VERSION_AND_P256: [u8; 24] = [
    0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07,
];

impl FromStr for CloudFrontKey {
    type Err = InvalidCloudFrontKey;

    fn from_str(pem: &str) -> Result<Self, Self::Err> {
        Self::from_pem(pem)
    }
}

impl fmt::Debug for CloudFrontKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CloudFrontKey")
    }
}

// === impl InvalidCloudFrontKey ===

impl fmt::Display for InvalidCloudFrontKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a key for CloudFront: a private key in PEM, RSA with 2048 bits or ECDSA on P-256")
    }
}

/// With the rule, since a `main` that returns the error prints this.
impl fmt::Debug for InvalidCloudFrontKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InvalidCloudFrontKey({self})")
    }
}

impl std::error::Error for InvalidCloudFrontKey {}

// === impl Unsigned ===

impl fmt::Display for Unsigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the key did not sign")
    }
}

impl std::error::Error for Unsigned {}
