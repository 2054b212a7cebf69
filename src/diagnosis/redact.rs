use super::Check;

/// Texts that must not be shown, wherever they come from: a server's message may repeat what it received.
pub(super) struct Secrets(Vec<String>);

// === impl Secrets ===

impl Secrets {
    pub(super) fn new(secrets: Vec<String>) -> Self {
        Self(secrets.into_iter().filter(|secret| secret.chars().count() >= SHORTEST).collect())
    }

    pub(super) fn hide(&self, checks: &mut [Check]) {
        for check in checks {
            check.rewrite(|text| self.hide_in(text));
        }
    }

    fn hide_in(&self, text: &mut String) {
        for secret in &self.0 {
            if text.contains(secret.as_str()) {
                *text = text.replace(secret.as_str(), "[redacted]");
            }
        }
    }
}

/// Characters. A shorter one, as test servers have, is a word that stands anywhere: "test" in the name of a bucket.
const SHORTEST: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::CheckName;

    #[test]
    fn secrets_are_hidden_wherever_they_stand() {
        let secrets = ["s3cret-key", "t0ken-of-it", "minio12", ""].map(str::to_owned);
        let mut checks =
            [Check::fail(CheckName::Read, "x s3cret-key y").advise("t0ken-of-it, s3cret-key, minio123")];
        Secrets::new(secrets.to_vec()).hide(&mut checks);
        assert_eq!(checks[0].seen(), "x [redacted] y");
        assert_eq!(checks[0].advice(), Some("[redacted], [redacted], minio123"));
    }
}
