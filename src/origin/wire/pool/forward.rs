use aws_smithy_types::body::SdkBody;
use http::{
    HeaderValue, Request,
    header::{HOST, PROXY_AUTHORIZATION},
};

use crate::origin::wire::{WireError, WireErrorKind, proxy::absolute};

/// For requests that a proxy forwards.
pub(super) struct Forward {
    pub(super) authorization: Option<HeaderValue>,
}

// === impl Forward ===

impl Forward {
    /// Addresses the request to the proxy, which takes its host from the URI (RFC 9112 §3.2.2).
    pub(super) fn address(&self, request: &mut Request<SdkBody>) -> Result<(), WireError> {
        let unwritable = || WireError::new(WireErrorKind::Broken, "the request names no host");
        let host = request.headers().get(HOST).ok_or_else(unwritable)?;
        *request.uri_mut() = absolute(request.uri(), host).ok_or_else(unwritable)?;
        if let Some(authorization) = &self.authorization {
            request.headers_mut().insert(PROXY_AUTHORIZATION, authorization.clone());
        }
        Ok(())
    }
}
