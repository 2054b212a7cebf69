//! Errors of the SDK's own client.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::error::{ProxyErrorKind, in_one_line};

/// Why S3 refused a call of the SDK's client, in one line; the SDK's own message is the whole response. `permission` is
/// the one that the call needs.
pub(super) fn call_refusal<E>(error: &SdkError<E>, permission: &str) -> String
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let Some(code) = error.code() else { return in_one_line(error) };
    let needed = match code {
        "AccessDenied" => format!(" (it needs {permission})"),
        _ => String::new(),
    };
    format!("{code}: {}{needed}", error.message().unwrap_or("no reason given"))
}

/// What it means that a call got no answer of S3.
pub(crate) fn kind_without_answer<E, R>(error: &SdkError<E, R>) -> ProxyErrorKind
where
    SdkError<E, R>: Error,
{
    let mut source = Error::source(error);
    while let Some(why) = source {
        if why.is::<CredentialsError>() {
            return ProxyErrorKind::Credentials;
        }
        source = why.source();
    }
    match error {
        SdkError::TimeoutError(_) => ProxyErrorKind::OriginTimeout,
        SdkError::DispatchFailure(why) if why.is_timeout() => ProxyErrorKind::OriginTimeout,
        _ => ProxyErrorKind::OriginBroken,
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Error;
    use aws_smithy_runtime_api::{
        client::result::ConnectorError,
        http::{Response, StatusCode},
    };
    use aws_smithy_types::{body::SdkBody, error::ErrorMetadata};

    use super::*;

    fn refused(metadata: ErrorMetadata) -> String {
        let raw = Response::new(StatusCode::try_from(403).unwrap(), SdkBody::empty());
        let error = SdkError::service_error(ListObjectsV2Error::generic(metadata), raw);
        call_refusal(&error, "s3:ListBucket")
    }

    #[test]
    fn a_line_has_code_reason_and_the_permission_that_is_missing() {
        let said = |code: &str| ErrorMetadata::builder().code(code).message("No way").build();
        assert_eq!(refused(said("AccessDenied")), "AccessDenied: No way (it needs s3:ListBucket)");
        assert_eq!(refused(said("SlowDown")), "SlowDown: No way");
        let silent = ErrorMetadata::builder().code("SlowDown").build();
        assert_eq!(refused(silent), "SlowDown: no reason given");
        let late: SdkError<ListObjectsV2Error> = SdkError::timeout_error("no answer in time");
        assert!(call_refusal(&late, "s3:ListBucket").ends_with("no answer in time"));
    }

    #[test]
    fn a_call_without_an_answer_lacked_credentials_or_was_late_or_broke_off() {
        let dispatched = |why: ConnectorError| SdkError::dispatch_failure(why);
        let no_keys = || CredentialsError::not_loaded("no keys");
        for (error, kind) in [
            (SdkError::construction_failure(no_keys()), ProxyErrorKind::Credentials),
            (dispatched(ConnectorError::other(Box::new(no_keys()), None)), ProxyErrorKind::Credentials),
            (SdkError::timeout_error("late"), ProxyErrorKind::OriginTimeout),
            (dispatched(ConnectorError::timeout("late".into())), ProxyErrorKind::OriginTimeout),
            (dispatched(ConnectorError::io("reset".into())), ProxyErrorKind::OriginBroken),
        ] {
            let error: SdkError<ListObjectsV2Error> = error;
            assert_eq!(kind_without_answer(&error), kind, "{error:?}");
        }
    }
}
