use std::fmt;

use http::{Uri, uri::Scheme};

use super::wire::bare;
use crate::error::{ConfigError, ConfigErrorKind};

/// The URL of a server: `http` or `https`, a host, and perhaps a port and a path.
// Invariant: `uri` is parsed from `text`, and has one of these schemes, a host, no user name and no query.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct EndpointUrl {
    text: String,
    uri: Uri,
}

// === impl EndpointUrl ===

impl EndpointUrl {
    /// `field` is its name in errors. A user name is refused before any message can show a password.
    pub(crate) fn parse(field: &str, url: impl Into<String>) -> Result<Self, ConfigError> {
        let text = url.into();
        if text.contains('@') {
            let message = format!("{field} must not carry a user name: give the credentials separately");
            return Err(ConfigError::new(ConfigErrorKind::InvalidValue, message));
        }
        let invalid = |why| Err(ConfigError::invalid(field, &text, why));
        match text.parse::<Uri>() {
            Ok(uri) if uri.query().is_some() => invalid("must not have a query"),
            Ok(uri) if matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some() => {
                Ok(Self { text, uri })
            }
            _ => invalid("must begin with \"http://\" or \"https://\" and name a host"),
        }
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.uri.scheme() == Some(&Scheme::HTTPS)
    }

    /// A name or an address, without brackets.
    pub(crate) fn host(&self) -> &str {
        bare(self.uri.host().unwrap_or_default())
    }

    /// Whether the host belongs to AWS, including VPC endpoints.
    #[cfg(feature = "policies")]
    pub(crate) fn is_of_aws(&self) -> bool {
        let host = self.host().to_ascii_lowercase();
        [".amazonaws.com", ".amazonaws.com.cn"].into_iter().any(|domain| host.ends_with(domain))
    }

    /// The SDK's rules append the bucket to the path as it is: `/s3` would become `/s3media`.
    pub(super) fn with_final_slash(&self) -> String {
        format!("{}/", self.text.trim_end_matches('/'))
    }
}

impl fmt::Display for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_how_and_where_a_server_is_reached() {
        for (text, host, is_tls) in [
            ("https://store.test", "store.test", true),
            ("HTTPS://store.test:8443/s3/", "store.test", true),
            ("http://10.0.0.1:9000", "10.0.0.1", false),
            ("HTTP://localhost", "localhost", false),
            ("http://[::1]:9000", "::1", false),
        ] {
            let url = EndpointUrl::parse("the endpoint URL", text).unwrap();
            assert_eq!((url.host(), url.is_tls()), (host, is_tls), "{text}");
            assert_eq!(url.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_url_of_a_server_is_refused_and_a_password_not_shown() {
        let refusal = |text| EndpointUrl::parse("the endpoint URL", text).unwrap_err();
        for (text, why) in [
            ("", "must begin with"),
            ("store.test", "must begin with"),
            ("ftp://store.test", "must begin with"),
            ("http://", "must begin with"),
            ("//store.test", "must begin with"),
            ("https://store.test?a=b", "must not have a query"),
            ("https://user:secret@store.test", "must not carry a user name"),
            ("user:secret@store.test", "must not carry a user name"),
        ] {
            let error = refusal(text);
            assert_eq!(error.kind(), ConfigErrorKind::InvalidValue);
            let message = error.to_string();
            assert!(message.starts_with("the endpoint URL") && message.contains(why), "{text}: {message}");
            assert!(!message.contains("secret"), "{message}");
        }
    }

    #[test]
    fn a_path_ends_in_one_slash() {
        for (text, expected) in [
            ("https://store.test", "https://store.test/"),
            ("https://store.test//", "https://store.test/"),
            ("https://store.test/s3", "https://store.test/s3/"),
        ] {
            let url = EndpointUrl::parse("the endpoint URL", text).unwrap();
            assert_eq!(url.with_final_slash(), expected);
        }
    }

    #[cfg(feature = "policies")]
    #[test]
    fn hosts_of_aws_are_told_by_their_domain() {
        for (text, is_of_aws) in [
            ("https://bucket.vpce-0a1b.s3.us-west-2.vpce.amazonaws.com", true),
            ("https://S3.CN-NORTH-1.AMAZONAWS.COM.CN", true),
            ("https://s3.amazonaws.com.store.test", false),
            ("https://amazonaws.com", false),
            ("https://store.test/.amazonaws.com", false),
        ] {
            let url = EndpointUrl::parse("the endpoint URL", text).unwrap();
            assert_eq!(url.is_of_aws(), is_of_aws, "{text}");
        }
    }
}
