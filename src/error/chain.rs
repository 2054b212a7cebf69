use std::error::Error;

/// An error and its causes in one line, each once.
pub(crate) fn in_one_line(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        next = error.source();
        let cause = error.to_string();
        if !text.contains(&cause) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&cause);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::error::{ConfigError, ConfigErrorKind};

    #[test]
    fn a_cause_that_was_told_is_not_repeated() {
        let cause = || io::Error::other("no such host");
        for (message, line) in [
            ("the endpoint can't be used", "the endpoint can't be used: no such host"),
            ("the endpoint can't be used: no such host", "the endpoint can't be used: no such host"),
        ] {
            let error = ConfigError::new(ConfigErrorKind::InvalidValue, message).caused_by(cause());
            assert_eq!(in_one_line(&error), line);
        }
        assert_eq!(in_one_line(&cause()), "no such host");
    }
}
