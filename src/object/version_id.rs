use super::decode_once;

/// The version of an object that a request names, decoded: 1 to 1024 bytes of visible ASCII.
///
/// To S3 version ids are "URL-ready, opaque strings that are no more than 1,024 bytes long"
/// ([S3 user guide, "How S3 Versioning works"](https://docs.aws.amazon.com/AmazonS3/latest/userguide/versioning-workflows.html)).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct VersionId(String);

/// The text is not a version id, so no object has such a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InvalidVersionId(());

// === impl VersionId ===

impl VersionId {
    /// Takes the value of a query parameter. Ids are opaque, and some have a plus sign, so `+` is not a space here.
    pub(crate) fn decode(value: &str) -> Result<Self, InvalidVersionId> {
        Self::parse(&decode_once(value).map_err(|_| InvalidVersionId(()))?)
    }

    /// Takes the id as S3 has it.
    pub(crate) fn parse(id: &str) -> Result<Self, InvalidVersionId> {
        let is_id = (1..=MAX_BYTES).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic());
        if is_id { Ok(Self(id.to_owned())) } else { Err(InvalidVersionId(())) }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

const MAX_BYTES: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_visible_ascii_of_a_sane_length_is_a_version_id() {
        let long = "v".repeat(MAX_BYTES + 1);
        let encoded = "%76".repeat(MAX_BYTES);
        for (value, id) in [
            ("null", Some("null")),
            ("3/L4kqt+JlcpXroDTDmJ", Some("3/L4kqt+JlcpXroDTDmJ")),
            ("a%2Bb%26%25", Some("a+b&%")),
            (&encoded, Some(&long[1..])),
            (&long, None),
            ("", None),
            ("%", None),
            ("%zz", None),
            ("%ff", None),
            ("a%20b", None),
            ("a%0d%0ab", None),
            ("a%00", None),
            ("%7f", None),
            ("%C3%BC", None),
        ] {
            let decoded = VersionId::decode(value);
            assert_eq!(decoded.as_ref().ok().map(VersionId::as_str), id, "{value}");
        }
    }
}
