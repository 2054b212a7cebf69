//! Styles, scripts, and the policy that names them.

use std::sync::LazyLock;

use aws_smithy_types::base64;
use http::HeaderValue;
use sha2::{Digest, Sha256};

use crate::listing::Powers;

#[derive(Debug)]
pub(super) struct Assets {
    pub(super) style: &'static str,
    pub(super) script: &'static str,
    pub(super) policy: HeaderValue,
}

static READING: LazyLock<Assets> =
    LazyLock::new(|| Assets::new(include_str!("page.css"), include_str!("page.js")));

/// With what uploads and deletes.
static WRITING: LazyLock<Assets> = LazyLock::new(|| {
    Assets::new(
        concat!(include_str!("page.css"), include_str!("write.css")),
        concat!(include_str!("page.js"), include_str!("write.js")),
    )
});

// === impl Assets ===

impl Assets {
    pub(super) fn of(powers: Powers) -> &'static Self {
        match powers {
            Powers::None => &READING,
            Powers::Upload | Powers::UploadAndDelete => &WRITING,
        }
    }

    /// Nothing runs and nothing is loaded but what is named here (Content Security Policy Level 3, §6.1). Styles and scripts are
    /// named by their hashes, so that none that is stored or made up is one of them.
    fn new(style: &'static str, script: &'static str) -> Self {
        let policy = format!(
            "default-src 'none'; style-src '{}'; script-src '{}'; img-src 'self'; media-src 'self'; \
             connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            hash(style),
            hash(script)
        );
        let policy = HeaderValue::try_from(policy).expect("names and Base64 are ASCII");
        Self { style, script, policy }
    }
}

fn hash(text: &str) -> String {
    format!("sha256-{}", base64::encode(Sha256::digest(text.as_bytes())))
}
