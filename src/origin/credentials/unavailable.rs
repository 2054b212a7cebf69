use std::{
    error::Error,
    fmt::{self, Write as _},
    iter::successors,
    sync::Arc,
};

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_types::error::metadata::ErrorMetadata;
use tokio::task::JoinError;

/// Why there are no credentials, in one line. The message is the provider's; providers do not put secrets into it.
#[derive(Debug, Clone)]
pub(crate) struct CredentialsUnavailable(Arc<str>);

// === impl CredentialsUnavailable ===

impl CredentialsUnavailable {
    pub(super) fn failed(error: &CredentialsError) -> Self {
        Self(reason(error).into())
    }

    pub(super) fn late(secs: u64) -> Self {
        Self(format!("the provider did not answer within {secs} s").into())
    }

    /// The provider's task ended without a result.
    pub(super) fn ended(error: JoinError) -> Self {
        let Ok(panic) = error.try_into_panic() else { return Self::interrupted() };
        let message = panic.downcast_ref::<&str>().copied();
        let message = message.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        Self(shortened(format!("the provider panicked: {}", message.unwrap_or("no message"))).into())
    }

    pub(super) fn interrupted() -> Self {
        Self("the refresh was interrupted".into())
    }
}

/// The causes of an error, without the requests and responses of the SDK's `Debug` output, which take kilobytes.
fn reason(error: &CredentialsError) -> String {
    let mut text = String::new();
    for cause in successors(Some(error as &dyn Error), |cause| (**cause).source()) {
        let words = match cause.downcast_ref::<ErrorMetadata>() {
            // The message of STS.
            Some(meta) => {
                let (code, message) = (meta.code().unwrap_or("no code"), meta.message().unwrap_or_default());
                format!("{code}: {message}")
            }
            None => cause.to_string(),
        };
        if cause.source().is_some() && says_nothing(&words) {
            continue;
        }
        let separator = if text.is_empty() { "" } else { ": " };
        let _ = write!(text, "{separator}{words}");
    }
    shortened(text)
}

fn shortened(mut text: String) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => {
            text.truncate(end);
            text + "…"
        }
        None => text,
    }
}

/// Whether an error of the SDK only names its layer, and the reason is behind it.
fn says_nothing(words: &str) -> bool {
    ["an error occurred while loading credentials", "dispatch failure", "io error", "service error"]
        .contains(&words)
        || words.starts_with("unhandled error")
}

/// In characters. A process may write pages to its standard error.
const LONGEST: usize = 500;

impl fmt::Display for CredentialsUnavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for CredentialsUnavailable {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_the_chain_of_causes_and_what_sts_says() {
        let meta = ErrorMetadata::builder()
            .code("AccessDenied")
            .message("User: arn:aws:iam::123456789012:user/proxy is not authorized")
            .custom("aws_request_id", "0af5")
            .build();
        let told = CredentialsUnavailable::failed(&CredentialsError::provider_error(meta)).to_string();
        assert_eq!(told, "AccessDenied: User: arn:aws:iam::123456789012:user/proxy is not authorized");
        let told = CredentialsUnavailable::failed(&CredentialsError::not_loaded("no variables")).to_string();
        assert!(told.ends_with(": no variables"), "{told}");
    }

    #[test]
    fn a_reason_is_short() {
        let long = CredentialsError::provider_error("ü".repeat(10_000));
        assert_eq!(CredentialsUnavailable::failed(&long).to_string().chars().count(), LONGEST + 1);
    }

    #[tokio::test]
    async fn a_panic_says_what_it_said() {
        let literal: fn() = || panic!("no such endpoint");
        let composed: fn() = || panic!("no endpoint: {}", "x".to_owned());
        let other: fn() = || std::panic::panic_any(1);
        for (panic, told) in [
            (literal, "the provider panicked: no such endpoint"),
            (composed, "the provider panicked: no endpoint: x"),
            (other, "the provider panicked: no message"),
        ] {
            let ended = tokio::spawn(async move { panic() }).await.unwrap_err();
            assert_eq!(CredentialsUnavailable::ended(ended).to_string(), told);
        }
    }
}
