use quick_xml::{Reader, events::Event};

/// S3's error codes that we treat separately ([S3 API, "Error
/// responses"](https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum S3ErrorCode {
    NoSuchKey,
    NoSuchVersion,
    NoSuchBucket,
    AccessDenied,
    InvalidObjectState,
    /// Our credentials or our signature are refused.
    Credentials,
    /// Our clock and S3's differ by more than a signature may be old.
    ClockSkewed,
    /// The bucket is in another region than the request assumed.
    WrongRegion,
    /// The object's encryption key can't be used.
    Encryption,
    /// The requested version is a delete marker: S3 has no separate code for that.
    DeleteMarker,
    /// S3 can't accept our requests for this bucket or object: a customer key (SSE-C) is missing or unexpected, or the
    /// bucket has no acceleration.
    InvalidRequest,
    /// An argument is invalid for this object: in a read, that is `versionId` or the key.
    InvalidArgument,
    /// S3, or a server with narrower rules, allows no such key.
    UnusableKey,
    /// The account, the bucket's access point, or how requests are signed: nothing that another key would mend.
    SetUp,
    PreconditionFailed,
    InvalidRange,
    /// S3 asks us to come back later.
    Busy,
    /// A code that we don't know: the list is open, and every server has its own.
    Unknown,
    /// No code at all.
    Other,
}

/// The contents of S3's error document. It goes to the log, never to a client: it names buckets and keys.
#[derive(Debug, Default)]
pub(crate) struct S3ErrorBody {
    pub(crate) code: String,
    pub(crate) message: String,
    /// The bucket's region, if the request assumed another one.
    pub(crate) region: String,
    /// The object's length, for `InvalidRange`.
    pub(crate) actual_object_size: String,
}

// === impl S3ErrorCode ===

impl S3ErrorCode {
    pub(crate) fn parse(code: &str) -> Self {
        match code {
            "NoSuchKey" => Self::NoSuchKey,
            "NoSuchVersion" => Self::NoSuchVersion,
            "" => Self::Other,
            "NoSuchBucket" | "InvalidBucketName" | "NoSuchAccessPoint" => Self::NoSuchBucket,
            "AccessDenied" | "AllAccessDisabled" => Self::AccessDenied,
            "InvalidObjectState" => Self::InvalidObjectState,
            "InvalidRequest" => Self::InvalidRequest,
            "InvalidArgument" => Self::InvalidArgument,
            // The last three are MinIO's, whose keys are names of files.
            "KeyTooLongError"
            | "KeyTooLong"
            | "InvalidURI"
            | "InvalidObjectName"
            | "XMinioInvalidObjectName"
            | "XMinioInvalidResourceName" => Self::UnusableKey,
            "PreconditionFailed" => Self::PreconditionFailed,
            "InvalidRange" => Self::InvalidRange,
            "RequestTimeTooSkewed" => Self::ClockSkewed,
            "ExpiredToken"
            | "InvalidToken"
            | "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "InvalidSecurity"
            | "InvalidClientTokenId"
            | "UnrecognizedClientException"
            | "RequestExpired"
            | "NotSignedUp"
            | "TokenRefreshRequired" => Self::Credentials,
            "PermanentRedirect"
            | "TemporaryRedirect"
            | "IncorrectEndpoint"
            | "AuthorizationHeaderMalformed"
            | "IllegalLocationConstraint"
            | "IllegalLocationConstraintException" => Self::WrongRegion,
            "AccountProblem"
            | "AuthorizationQueryParametersError"
            | "CredentialsNotSupported"
            | "EndpointNotFound"
            | "InvalidAccessPoint"
            | "InvalidAccessPointAliasError"
            | "InvalidAddressingHeader"
            | "InvalidBucketOwnerAWSAccountID"
            | "InvalidBucketState"
            | "InvalidEncryptionAlgorithmError"
            | "InvalidHost"
            | "InvalidPayer"
            | "MissingAuthenticationToken"
            | "MissingSecurityElement"
            | "MissingSecurityHeader"
            | "UnauthorizedAccess"
            | "UserSuspended"
            | "XAmzContentSHA256Mismatch" => Self::SetUp,
            // Google's: whom to bill.
            code if code.starts_with("UserProject") => Self::SetUp,
            "SlowDown"
            | "ServiceUnavailable"
            | "Busy"
            | "InternalError"
            | "RequestTimeout"
            | "OperationAborted"
            | "RequestLimitExceeded"
            | "Throttling"
            | "ThrottlingException"
            | "TooManyRequests" => Self::Busy,
            code if code.starts_with("KMS") => Self::Encryption,
            _ => Self::Unknown,
        }
    }
}

// === impl S3ErrorBody ===

impl S3ErrorBody {
    /// Reads `<Error><Code>…</Code><Message>…</Message>…</Error>`; whatever is not that is left empty.
    pub(crate) fn parse(xml: &[u8]) -> Self {
        let mut error = Self::default();
        let text = String::from_utf8_lossy(xml);
        let mut reader = Reader::from_str(&text);
        let mut path: Vec<String> = Vec::new();
        loop {
            match reader.read_event() {
                Ok(Event::Start(start)) if path.len() < MAX_DEPTH => {
                    path.push(start.name().as_ref().to_owned());
                }
                Ok(Event::End(_)) => {
                    path.pop();
                }
                Ok(Event::Text(text)) => {
                    let field = match path.as_slice() {
                        [root, name] if root == "Error" && name == "Code" => &mut error.code,
                        [root, name] if root == "Error" && name == "Message" => &mut error.message,
                        [root, name] if root == "Error" && name == "Region" => &mut error.region,
                        [root, name] if root == "Error" && name == "ActualObjectSize" => {
                            &mut error.actual_object_size
                        }
                        _ => continue,
                    };
                    field.push_str(&text);
                }
                Ok(Event::Start(_) | Event::Eof) | Err(_) => return error,
                Ok(_) => {}
            }
        }
    }
}

/// S3's error documents are two levels deep.
const MAX_DEPTH: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_and_message_are_found() {
        let xml = br#"<?xml version="1.0" encoding="UTF-8"?>
            <Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message>
            <Key>a/b</Key><RequestId>1</RequestId></Error>"#;
        let error = S3ErrorBody::parse(xml);
        assert_eq!(
            (error.code.as_str(), error.message.as_str()),
            ("NoSuchKey", "The specified key does not exist.")
        );
        assert_eq!(S3ErrorCode::parse(&error.code), S3ErrorCode::NoSuchKey);
    }

    #[test]
    fn what_is_no_error_document_is_nothing() {
        let deep = "<a>".repeat(100_000);
        for xml in ["", "<html><body>403</body></html>", "<Error><Co", "{\"Code\":\"x\"}", &deep] {
            assert_eq!(S3ErrorBody::parse(xml.as_bytes()).code, "", "{xml:.20}");
        }
    }

    #[test]
    fn a_code_deeper_down_does_not_count() {
        let xml = b"<Error><Extra><Code>NoSuchKey</Code></Extra></Error>";
        assert_eq!(S3ErrorBody::parse(xml).code, "");
    }
}
