//! What the answer of a log-in service means. Pure but for the reading of its body.

use std::sync::Arc;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{RETRY_AFTER, SET_COOKIE},
    response,
};
use http_body_util::{BodyExt, Limited};

use crate::origin::{WireBody, WireError};

/// The outcome of a question.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    /// With the cookies for the client: those of a session that was prolonged.
    Pass(Vec<HeaderValue>),
    Deny(Arc<Refusal>),
    Failed(AuthFailure),
}

/// An answer for the client.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Why a service gave no verdict.
#[derive(Debug, Clone)]
pub(super) enum AuthFailure {
    Unreached(Arc<WireError>),
    Status(StatusCode),
    Late,
    /// The answer broke off.
    Broken,
    /// The task that asked ended.
    Dropped,
}

/// Whether others with an equal request get the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sharing {
    /// And those who come within the time that verdicts are remembered.
    Kept,
    /// Those who wait for it alone.
    Now,
    Never,
}

/// In bytes, of the body of a refusal: a page that says where to log in. What is longer is left out.
const MOST: usize = 64 * 1024;

// === impl Outcome ===

impl Outcome {
    pub(super) async fn of(answered: Result<Response<WireBody>, WireError>, pass_on: &[HeaderName]) -> Self {
        let (head, body) = match answered {
            Ok(response) => response.into_parts(),
            Err(why) => return Self::Failed(AuthFailure::Unreached(Arc::new(why))),
        };
        // Read, so that the connection can be kept.
        let body = Limited::new(body, MOST).collect().await;
        match meaning(head.status) {
            Meaning::Pass => Self::Pass(head.headers.get_all(SET_COOKIE).iter().cloned().collect()),
            Meaning::Failure => Self::Failed(AuthFailure::Status(head.status)),
            Meaning::Deny => match body {
                Ok(body) => Self::Deny(Arc::new(Refusal::new(&head, body.to_bytes(), pass_on))),
                Err(why) if why.is::<http_body_util::LengthLimitError>() => {
                    Self::Deny(Arc::new(Refusal::new(&head, Bytes::new(), pass_on)))
                }
                Err(_) => Self::Failed(AuthFailure::Broken),
            },
        }
    }

    pub(super) fn sharing(&self) -> Sharing {
        match self {
            Self::Pass(_) => Sharing::Kept,
            // A cookie is for one client: that of a log-in which has begun, say.
            Self::Deny(refusal) if refusal.headers.contains_key(SET_COOKIE) => Sharing::Never,
            Self::Deny(refusal) => match refusal.status {
                StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Sharing::Now,
                _ if refusal.headers.contains_key(RETRY_AFTER) => Sharing::Now,
                _ => Sharing::Kept,
            },
            Self::Failed(_) => Sharing::Now,
        }
    }

    /// For another client with an equal request.
    pub(super) fn for_others(&self) -> Self {
        match self {
            Self::Pass(_) => Self::Pass(Vec::new()),
            Self::Deny(_) | Self::Failed(_) => self.clone(),
        }
    }

    /// In bytes, while it is remembered.
    pub(super) fn weight(&self) -> u64 {
        let more = match self {
            Self::Pass(_) | Self::Failed(_) => 0,
            Self::Deny(refusal) => {
                let fields =
                    refusal.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 64);
                refusal.body.len() + fields.sum::<usize>()
            }
        };
        u64::try_from(more).unwrap_or(u64::MAX).saturating_add(ENTRY)
    }
}

/// About what an entry of the memory takes by itself.
const ENTRY: u64 = 160;

enum Meaning {
    Pass,
    Deny,
    Failure,
}

/// A 304 is no answer to a question without conditions.
fn meaning(status: StatusCode) -> Meaning {
    match status.as_u16() {
        200..=299 => Meaning::Pass,
        304 => Meaning::Failure,
        300..=499 => Meaning::Deny,
        _ => Meaning::Failure,
    }
}

// === impl Refusal ===

impl Refusal {
    fn new(head: &response::Parts, body: Bytes, pass_on: &[HeaderName]) -> Self {
        let mut headers = HeaderMap::new();
        for name in pass_on {
            for value in head.headers.get_all(name) {
                headers.append(name, value.clone());
            }
        }
        Self { status: head.status, headers, body }
    }
}

// === impl AuthFailure ===

impl std::fmt::Display for AuthFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreached(_) => f.write_str("the log-in service gave no answer"),
            Self::Status(status) => write!(f, "the log-in service answered {status}"),
            Self::Late => f.write_str("the log-in service did not answer in time"),
            Self::Broken => f.write_str("the answer of the log-in service broke off"),
            Self::Dropped => f.write_str("the question to the log-in service was given up"),
        }
    }
}

impl std::error::Error for AuthFailure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreached(why) => Some(why.as_ref()),
            Self::Status(_) | Self::Late | Self::Broken | Self::Dropped => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::body::SdkBody;

    use super::*;

    async fn outcome(status: u16, fields: &[(&'static str, &'static str)], body: &str) -> Outcome {
        let response = Response::builder().status(status);
        let response = fields.iter().fold(response, |response, (name, value)| response.header(*name, *value));
        let response = response.body(WireBody::from(SdkBody::from(body.to_owned()))).unwrap();
        let pass_on = ["location", "set-cookie", "x-why"].map(HeaderName::from_static);
        Outcome::of(Ok(response), &pass_on).await
    }

    #[tokio::test]
    async fn each_status_means_one_thing() {
        let cookie = &[("set-cookie", "a=1"), ("set-cookie", "b=2")][..];
        for (status, fields, expected, sharing) in [
            (200, &[][..], "pass 0", Sharing::Kept),
            (202, cookie, "pass 2", Sharing::Kept),
            (204, &[], "pass 0", Sharing::Kept),
            (301, &[("location", "/in")], "301 1 hello", Sharing::Kept),
            (302, cookie, "302 2 hello", Sharing::Never),
            (304, &[], "failed", Sharing::Now),
            (401, &[("x-other", "1"), ("x-why", "no")], "401 1 hello", Sharing::Kept),
            (403, &[], "403 0 hello", Sharing::Kept),
            (404, &[], "404 0 hello", Sharing::Kept),
            (429, &[], "429 0 hello", Sharing::Now),
            (500, &[], "failed", Sharing::Now),
            (503, cookie, "failed", Sharing::Now),
        ] {
            let outcome = outcome(status, fields, "hello").await;
            assert_eq!(outcome.sharing(), sharing, "{status}");
            let told = match &outcome {
                Outcome::Pass(cookies) => format!("pass {}", cookies.len()),
                Outcome::Deny(refusal) => {
                    let Refusal { status, headers, body } = &**refusal;
                    format!("{} {} {}", status.as_u16(), headers.len(), String::from_utf8_lossy(body))
                }
                Outcome::Failed(_) => "failed".to_owned(),
            };
            assert_eq!(told, expected, "{status}");
            if let Outcome::Pass(cookies) = outcome.for_others() {
                assert!(cookies.is_empty(), "a cookie is for one client");
            }
        }
    }

    #[tokio::test]
    async fn a_page_that_is_too_long_is_left_out() {
        for (length, kept) in [(MOST, MOST), (MOST + 1, 0)] {
            let Outcome::Deny(refusal) = outcome(403, &[], &"x".repeat(length)).await else {
                panic!("it denies")
            };
            assert_eq!(refusal.body.len(), kept);
        }
    }
}
