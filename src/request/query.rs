use percent_encoding::percent_decode_str;

/// Whether `?versionId=` of a request is understood.
///
/// Off by default: reading versions needs `s3:GetObjectVersion`, and an old version may hold what was removed
/// on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum VersionPolicy {
    #[default]
    Ignored,
    Honoured,
}

/// The version of an object that a request names, decoded.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct VersionId(String);

// === impl VersionId ===

impl VersionId {
    /// The first `versionId` of the query that is not empty. Every other parameter is ignored.
    pub(crate) fn from_query(query: Option<&str>) -> Option<Self> {
        query?.split('&').find_map(|pair| {
            let value = pair.strip_prefix("versionId=")?;
            let decoded = percent_decode_str(value).decode_utf8().ok()?;
            (!decoded.is_empty()).then(|| Self(decoded.into_owned()))
        })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_version_is_taken_from_a_query() {
        for (query, expected) in [
            (None, None),
            (Some(""), None),
            (Some("versionId"), None),
            (Some("versionId="), None),
            (Some("acl&versionId=a%2Bb"), Some("a+b")),
            (Some("versionId=1&versionId=2"), Some("1")),
            (Some("versionid=1"), None),
            (Some("versionId=%ff"), None),
        ] {
            let version = VersionId::from_query(query);
            assert_eq!(version.as_ref().map(VersionId::as_str), expected, "{query:?}");
        }
    }
}
