use http::{HeaderValue, Method};

use super::ReadMethod;

/// How a mount treats a request's method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AskedMethod {
    Read(ReadMethod),
    /// Answered here, without asking S3 (RFC 9110 §9.3.7).
    Options,
    /// 405 with `Allow` (RFC 9110 §15.5.6).
    NotAllowed,
}

/// The methods of a mount, as `Allow` names them.
pub(crate) const ALLOW: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");

// === impl AskedMethod ===

impl From<&Method> for AskedMethod {
    fn from(method: &Method) -> Self {
        match *method {
            Method::GET => Self::Read(ReadMethod::Get),
            Method::HEAD => Self::Read(ReadMethod::Head),
            Method::OPTIONS => Self::Options,
            _ => Self::NotAllowed,
        }
    }
}
