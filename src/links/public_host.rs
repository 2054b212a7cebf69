use std::fmt;

use http::Uri;

/// The scheme and host by which links are reached, in place of S3's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublicHost(String);

/// The text is not such a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InvalidPublicHost(());

// === impl PublicHost ===

impl PublicHost {
    /// A host name with or without a port, reached by `https` unless the text begins with `http://`.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidPublicHost> {
        let url = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
        let uri: Uri = url.parse().map_err(|_| InvalidPublicHost(()))?;
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'));
        let is_bare = matches!(uri.path_and_query().map(|rest| rest.as_str()), None | Some("/"));
        match (uri.scheme_str(), authority) {
            (Some(scheme @ ("http" | "https")), Some(authority))
                if is_bare && !authority.host().is_empty() =>
            {
                Ok(Self(format!("{scheme}://{authority}")))
            }
            _ => Err(InvalidPublicHost(())),
        }
    }

    /// Without a slash at its end.
    pub(crate) fn base(&self) -> &str {
        &self.0
    }
}

// === impl InvalidPublicHost ===

impl fmt::Display for InvalidPublicHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be a host, with or without \"https://\" and a port, and without a path")
    }
}

impl std::error::Error for InvalidPublicHost {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_host_is_a_host_and_nothing_behind_it() {
        for (text, base) in [
            ("media.studio.example", Some("https://media.studio.example")),
            ("media.studio.example:8443", Some("https://media.studio.example:8443")),
            ("https://media.studio.example/", Some("https://media.studio.example")),
            ("http://10.0.0.1:8080", Some("http://10.0.0.1:8080")),
            ("https://[2001:db8::1]:8443", Some("https://[2001:db8::1]:8443")),
            ("", None),
            ("https://", None),
            ("ftp://media.studio.example", None),
            ("https://media.studio.example/media", None),
            ("https://media.studio.example?x", None),
            ("https://user@media.studio.example", None),
            ("media studio", None),
        ] {
            let parsed = PublicHost::parse(text).ok();
            assert_eq!(parsed.as_ref().map(PublicHost::base), base, "{text:?}");
        }
    }
}
