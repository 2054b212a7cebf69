use quick_xml::{Reader, events::Event};

/// S3's error code, as far as we treat it apart
/// ([S3 API, "Error responses"](https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html)).
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
    /// The bucket lives elsewhere than where it was asked for.
    WrongRegion,
    /// The key that the object is encrypted with can't be used.
    Encryption,
    /// What is asked for is a delete marker: S3 has no code of its own for that.
    DeleteMarker,
    /// S3 can't take our requests for this bucket or object: a key for it that S3 wants, or does not want (SSE-C), or
    /// acceleration that the bucket does not have.
    InvalidRequest,
    /// What was asked is no question to this object; of a read, only `versionId` can bring that about.
    InvalidArgument,
    PreconditionFailed,
    InvalidRange,
    /// S3 asks to come back later.
    Busy,
    /// A code without a meaning of its own here, or none at all.
    Other,
}

/// What an error answer of S3 says. Goes to the log, never to a client: it names buckets and keys.
#[derive(Debug, Default)]
pub(crate) struct S3ErrorBody {
    pub(crate) code: String,
    pub(crate) message: String,
    /// Where the bucket is, if it is not where it was asked for.
    pub(crate) region: String,
    /// The object's length, of `InvalidRange`.
    pub(crate) actual_object_size: String,
}

// === impl S3ErrorCode ===

impl S3ErrorCode {
    pub(crate) fn parse(code: &str) -> Self {
        match code {
            "NoSuchKey" => Self::NoSuchKey,
            "NoSuchVersion" => Self::NoSuchVersion,
            "NoSuchBucket" | "InvalidBucketName" => Self::NoSuchBucket,
            "AccessDenied" | "AllAccessDisabled" => Self::AccessDenied,
            "InvalidObjectState" => Self::InvalidObjectState,
            "InvalidRequest" => Self::InvalidRequest,
            "InvalidArgument" => Self::InvalidArgument,
            "PreconditionFailed" => Self::PreconditionFailed,
            "InvalidRange" => Self::InvalidRange,
            "RequestTimeTooSkewed" => Self::ClockSkewed,
            "ExpiredToken"
            | "InvalidToken"
            | "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "InvalidSecurity"
            | "RequestExpired"
            | "NotSignedUp"
            | "TokenRefreshRequired" => Self::Credentials,
            "PermanentRedirect"
            | "TemporaryRedirect"
            | "AuthorizationHeaderMalformed"
            | "IllegalLocationConstraint"
            | "IllegalLocationConstraintException" => Self::WrongRegion,
            "SlowDown" | "ServiceUnavailable" | "Busy" | "InternalError" | "RequestTimeout" => Self::Busy,
            code if code.starts_with("KMS.") => Self::Encryption,
            _ => Self::Other,
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
