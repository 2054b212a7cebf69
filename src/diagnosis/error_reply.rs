use std::{error::Error, fmt};

use aws_smithy_runtime_api::{
    client::{orchestrator::HttpResponse, result::SdkError},
    http::Headers,
};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use http::StatusCode;

use crate::{
    error::in_one_line,
    origin::{Refusal, S3ErrorCode},
};

/// The contents of an error response of S3 or STS.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub(super) status: StatusCode,
    pub(super) code: S3ErrorCode,
    /// The code as received; empty if there was none.
    pub(super) name: String,
    pub(super) message: String,
    pub(super) request_id: Option<String>,
    /// The bucket's region, as S3 names it.
    pub(super) region: Option<String>,
}

/// Why a request has no usable response.
#[derive(Debug)]
pub(super) enum Problem {
    Said(Box<Said>),
    /// There was no response, for this reason.
    Silence(String),
}

// === impl Said ===

impl Said {
    pub(super) fn new(refusal: Refusal) -> Self {
        let Refusal { status, code, body, request_id, .. } = refusal;
        let request_id = request_id.and_then(|id| id.to_str().ok().map(str::to_owned));
        Self { status, code, name: body.code, message: body.message, request_id, region: refusal.region }
    }

    fn of_sdk(name: Option<&str>, message: Option<&str>, status: u16, headers: &Headers) -> Self {
        let name = name.unwrap_or_default();
        let field = |field| headers.get(field).map(str::to_owned);
        Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            code: S3ErrorCode::parse(name),
            name: name.to_owned(),
            message: message.unwrap_or_default().to_owned(),
            request_id: field("x-amz-request-id").or_else(|| field("x-amzn-requestid")),
            region: field("x-amz-bucket-region"),
        }
    }

    /// Whether a permission is missing.
    pub(super) fn is_denied(&self) -> bool {
        self.code == S3ErrorCode::AccessDenied
    }

    /// Whether the server does not support the request at all.
    pub(super) fn is_not_implemented(&self) -> bool {
        self.status == StatusCode::NOT_IMPLEMENTED
            || self.status == StatusCode::METHOD_NOT_ALLOWED
            || self.name == "NotImplemented"
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status.as_u16())?;
        match (self.name.as_str(), self.message.as_str()) {
            ("", "") => f.write_str(" without an error code")?,
            (name, "") => write!(f, " {name}")?,
            (name, message) => write!(f, " {name}: {}", message.trim_end_matches('.'))?,
        }
        match &self.request_id {
            Some(id) => write!(f, " (request {id})"),
            None => Ok(()),
        }
    }
}

// === impl Problem ===

impl Problem {
    pub(super) fn of_sdk<E: ProvideErrorMetadata + Error + 'static>(
        error: &SdkError<E, HttpResponse>,
    ) -> Self {
        match error.raw_response() {
            // A success that can't be parsed.
            Some(raw) if raw.status().is_success() => {
                Self::Silence(format!("a response that can't be read: {}", in_one_line(error)))
            }
            Some(raw) => {
                let (status, headers) = (raw.status().as_u16(), raw.headers());
                Self::Said(Box::new(Said::of_sdk(error.code(), error.message(), status, headers)))
            }
            None => Self::Silence(in_one_line(error)),
        }
    }
}
