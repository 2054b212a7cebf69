use std::error::Error;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::error::in_one_line;

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

#[cfg(test)]
mod tests {
    use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Error;
    use aws_smithy_runtime_api::http::{Response, StatusCode};
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
}
