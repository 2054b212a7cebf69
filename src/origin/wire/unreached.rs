use std::fmt;

use super::WireError;

/// A service that the SDK could not ask, STS or a metadata service: where it was asked, and why there was no response.
#[derive(Debug)]
pub(crate) struct Unreached {
    authority: String,
    why: WireError,
}

// === impl Unreached ===

impl Unreached {
    pub(super) fn new(authority: &http::uri::Authority, why: WireError) -> Self {
        // Never with a user name.
        let host = authority.host();
        let authority = match authority.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        Self { authority, why }
    }

    /// The host, and the port if the URL has one.
    #[cfg(feature = "aws-config")]
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }
}

impl fmt::Display for Unreached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.authority)
    }
}

impl std::error::Error for Unreached {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.why)
    }
}
