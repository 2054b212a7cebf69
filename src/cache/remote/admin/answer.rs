use std::error::Error as _;

use http::{
    HeaderValue, Method, Response, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, WWW_AUTHENTICATE},
};
use serde_json::json;

use super::{
    AdminBody, WarmPlace, WarmRun,
    order::Misorder,
    token::{Denial, Schemes},
};
use crate::cache::InvalidEvent;

/// Every possible response.
pub(super) enum Answer {
    Purged {
        objects: usize,
        subscribe_urls: Vec<String>,
    },
    Stats(String),
    Denied(Denial, Schemes),
    Misordered(Misorder),
    InvalidEvent(InvalidEvent),
    EventTooLong,
    EventTooSlow,
    EventBroken,
    TooManyGuesses,
    Warming(WarmRun, WarmPlace),
    /// The target is none of any mount.
    NotWarmed(String),
    TooManyWarmings,
    Reloaded,
    /// Everything is as before.
    NotReloaded(String),
}

// === impl Answer ===

impl Answer {
    pub(super) fn into_response(self, method: &Method) -> Response<AdminBody> {
        let status = self.status();
        let mut response = Response::new(AdminBody::default());
        *response.status_mut() = status;
        let headers = response.headers_mut();
        match &self {
            Self::Denied(denial, schemes) => {
                // First, so that a client that reads only one challenge sees its own.
                if *schemes == Schemes::BearerOrBasic {
                    headers.append(
                        WWW_AUTHENTICATE,
                        const { HeaderValue::from_static(r#"Basic realm="cache""#) },
                    );
                }
                headers.append(WWW_AUTHENTICATE, denial.challenge());
            }
            Self::Misordered(Misorder::Method { allowed }) => {
                headers.insert(ALLOW, HeaderValue::from_static(allowed));
            }
            Self::Misordered(Misorder::NoSuchPath | Misorder::Query(_))
            | Self::Purged { .. }
            | Self::Stats(_)
            | Self::InvalidEvent(_)
            | Self::EventTooLong
            | Self::EventTooSlow
            | Self::EventBroken
            | Self::TooManyGuesses
            | Self::Warming(..)
            | Self::NotWarmed(_)
            | Self::TooManyWarmings
            | Self::Reloaded
            | Self::NotReloaded(_) => {}
        }
        let body = match self {
            Self::Warming(run, place) => {
                headers.insert(CONTENT_TYPE, const { HeaderValue::from_static("application/x-ndjson") });
                headers.insert(CACHE_CONTROL, const { HeaderValue::from_static("no-store") });
                *response.body_mut() = AdminBody::warming(run, place);
                return response;
            }
            answer => answer.into_body(),
        };
        headers.insert(CONTENT_TYPE, const { HeaderValue::from_static("application/json") });
        headers.insert(CACHE_CONTROL, const { HeaderValue::from_static("no-store") });
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        if method != Method::HEAD {
            *response.body_mut() = AdminBody::from(body);
        }
        response
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Purged { .. } | Self::Stats(_) | Self::Warming(..) | Self::Reloaded => StatusCode::OK,
            Self::Denied(..) => StatusCode::UNAUTHORIZED,
            Self::Misordered(Misorder::NoSuchPath) => StatusCode::NOT_FOUND,
            Self::Misordered(Misorder::Method { .. }) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Misordered(Misorder::Query(_))
            | Self::InvalidEvent(_)
            | Self::EventBroken
            | Self::NotWarmed(_) => StatusCode::BAD_REQUEST,
            Self::NotReloaded(_) => StatusCode::CONFLICT,
            Self::EventTooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::EventTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::TooManyGuesses | Self::TooManyWarmings => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    fn into_body(self) -> String {
        let error = match self {
            Self::Stats(json) => return json,
            Self::Reloaded => return json!({ "reloaded": true }).to_string(),
            Self::NotReloaded(why) => why,
            Self::Purged { objects, subscribe_urls } => {
                let mut body = json!({ "purged": objects });
                if let (Some(body), false) = (body.as_object_mut(), subscribe_urls.is_empty()) {
                    body.insert("subscribe_urls".to_owned(), subscribe_urls.into());
                }
                return body.to_string();
            }
            Self::Denied(Denial::NoToken, _) => "a token is needed".to_owned(),
            Self::Denied(Denial::WrongToken, _) => "the token is wrong".to_owned(),
            Self::Misordered(Misorder::NoSuchPath) => {
                "the paths are /purge, /events, /stats, /warm and /reload".to_owned()
            }
            Self::Misordered(Misorder::Method { allowed }) => format!("only {allowed} is allowed here"),
            Self::Misordered(Misorder::Query(why)) => why.to_string(),
            Self::InvalidEvent(error) => match error.source() {
                Some(source) => format!("{error}: {source}"),
                None => error.to_string(),
            },
            Self::EventTooLong => "the event is longer than 256 KiB".to_owned(),
            Self::EventTooSlow => "the event did not arrive in time".to_owned(),
            Self::EventBroken => "the event did not arrive whole".to_owned(),
            Self::TooManyGuesses => "too many wrong tokens".to_owned(),
            // It has a body of its own.
            Self::Warming(..) => String::new(),
            Self::NotWarmed(why) => why,
            Self::TooManyWarmings => "too many objects are being read already: try again later".to_owned(),
        };
        json!({ "error": error }).to_string()
    }
}

// === impl Denial ===

impl Denial {
    /// RFC 6750 §3.1: a request without a token gets no error code.
    fn challenge(self) -> HeaderValue {
        match self {
            Self::NoToken => HeaderValue::from_static(r#"Bearer realm="cache""#),
            Self::WrongToken => HeaderValue::from_static(r#"Bearer realm="cache", error="invalid_token""#),
        }
    }
}
