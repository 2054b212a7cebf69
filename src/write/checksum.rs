use aws_smithy_checksums::{ChecksumAlgorithm, http::HttpChecksum};
use aws_smithy_types::base64;
use http::HeaderValue;
use md5::{Digest, Md5};

use crate::links::Checksum;

/// Compares a body with the checksums that its client gave: where it goes to S3 in parts, S3 can't.
#[derive(Default)]
pub(super) struct Comparison(Vec<(Hasher, HeaderValue)>);

enum Hasher {
    Md5(Md5),
    OfS3(Box<dyn HttpChecksum>),
}

// === impl Comparison ===

impl Comparison {
    pub(super) fn with(given: &[(Checksum, HeaderValue)]) -> Self {
        Self(
            given
                .iter()
                .filter_map(|(checksum, value)| Some((Hasher::new(*checksum)?, value.clone())))
                .collect(),
        )
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        for (hasher, _) in &mut self.0 {
            match hasher {
                Hasher::Md5(md5) => md5.update(bytes),
                Hasher::OfS3(other) => other.update(bytes),
            }
        }
    }

    /// Whether all of them are those of what came.
    pub(super) fn holds(self) -> bool {
        self.0.into_iter().all(|(hasher, given)| {
            let seen = match hasher {
                Hasher::Md5(md5) => base64::encode(md5.finalize()),
                Hasher::OfS3(other) => base64::encode(other.finalize()),
            };
            given == seen
        })
    }
}

// === impl Hasher ===

impl Hasher {
    fn new(checksum: Checksum) -> Option<Self> {
        let algorithm = match checksum {
            Checksum::Md5 => return Some(Self::Md5(Md5::new())),
            Checksum::Crc32 => ChecksumAlgorithm::Crc32,
            Checksum::Crc32c => ChecksumAlgorithm::Crc32c,
            Checksum::Crc64Nvme => ChecksumAlgorithm::Crc64Nvme,
            Checksum::Sha1 => ChecksumAlgorithm::Sha1,
            Checksum::Sha256 => ChecksumAlgorithm::Sha256,
        };
        Some(Self::OfS3(algorithm.into_impl()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_checksum_is_compared() {
        // The check values of the CRCs, and the digests of the standards' tools, of `123456789`.
        let all = [
            (Checksum::Md5, "JfnnlDI7RTiF9RgfG2JNCw=="),
            (Checksum::Crc32, "y/Q5Jg=="),
            (Checksum::Crc32c, "4waSgw=="),
            (Checksum::Crc64Nvme, "rosUhgp5mIg="),
            (Checksum::Sha1, "98O8HYCOBHMq32eZZczDTKeuNEE="),
            (Checksum::Sha256, "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="),
        ];
        let compare = |given: &[(Checksum, &'static str)], bytes: &[u8]| {
            let given: Vec<_> =
                given.iter().map(|(checksum, text)| (*checksum, HeaderValue::from_static(text))).collect();
            let mut comparison = Comparison::with(&given);
            let (one, other) = bytes.split_at(bytes.len() / 2);
            comparison.update(one);
            comparison.update(other);
            comparison.holds()
        };
        for one in all {
            assert!(compare(&[one], b"123456789"), "{one:?}");
            assert!(!compare(&[one], b"123456780"), "{one:?}");
        }
        assert!(compare(&[], b"x"));
        assert!(!compare(&[all[0], (Checksum::Crc32, "AAAAAA==")], b"123456789"), "one of two");
    }
}
