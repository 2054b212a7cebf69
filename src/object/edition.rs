use super::VersionId;

/// The edition of an object that a URL names: by default the one that its key holds now.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Edition {
    pub(crate) version: Option<VersionId>,
    pub(crate) bust: Option<CacheBust>,
}

/// A segment `--[0-9A-Za-z._-]+` of a path, without its dashes: it makes the URL new to caches, including ours.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct CacheBust(Box<str>);

// === impl Edition ===

impl Edition {
    /// Whether it is the current object under its plain name.
    pub(crate) fn is_plain(&self) -> bool {
        self.version.is_none() && self.bust.is_none()
    }

    /// Whether its URL names one state for ever. A version does, except `null`, which later writes replace (S3 user
    /// guide, "How S3 Versioning works"); with a cache-bust segment, the author of the URL says so.
    pub(crate) fn is_immutable(&self) -> bool {
        self.bust.is_some() || self.version.as_ref().is_some_and(|version| version.as_str() != "null")
    }
}

// === impl CacheBust ===

impl CacheBust {
    /// Takes the segment from the front of a raw path, if it is there and something follows.
    ///
    /// Only the first segment counts, so that keys that contain `--x/` deeper stay reachable.
    pub(crate) fn split(path: &str) -> (Option<Self>, &str) {
        let split =
            path.split_once('/').and_then(|(first, behind)| Some((first.strip_prefix("--")?, behind)));
        match split {
            Some((tag, behind)) if !tag.is_empty() && tag.bytes().all(is_of_tag) => {
                (Some(Self(tag.into())), behind)
            }
            _ => (None, path),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_of_tag(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edition_is_immutable_if_its_url_names_one_state() {
        for (path, version, is_immutable) in [
            ("a", None, false),
            ("a", Some("null"), false),
            ("a", Some("3HL4kqtJlcpXroDTDmJ"), true),
            ("--1/a", None, true),
            ("--1/a", Some("null"), true),
            ("--/a", None, false),
        ] {
            let version = version.map(|version| VersionId::decode(version).unwrap());
            let edition = Edition { version, bust: CacheBust::split(path).0 };
            assert_eq!(edition.is_immutable(), is_immutable, "{path} {edition:?}");
        }
    }
}
