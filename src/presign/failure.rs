use http::StatusCode;

use crate::{
    error::{Failure, ProxyError, ProxyErrorKind},
    links::{PresignError, PresignErrorKind},
};

/// The client's error for a link that there is not.
pub(crate) fn failure_of(error: PresignError) -> Failure {
    let kind = match error.kind() {
        PresignErrorKind::Expiry | PresignErrorKind::Field => ProxyErrorKind::BadQuery,
        PresignErrorKind::Key | PresignErrorKind::Bucket => ProxyErrorKind::NotFound,
        PresignErrorKind::NotGranted => return ProxyError::denied(StatusCode::FORBIDDEN).into(),
        PresignErrorKind::Credentials => ProxyErrorKind::Credentials,
        PresignErrorKind::Unsigned | PresignErrorKind::CustomerKey | PresignErrorKind::Endpoint => {
            ProxyErrorKind::OriginMisconfigured
        }
    };
    ProxyError::from_source(kind, error).into()
}
