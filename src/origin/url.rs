use crate::error::{ConfigError, ConfigErrorKind};

/// Refuses what is no URL of a server, before anything can show what may be a password.
pub(crate) fn check_url(field: &str, url: &str) -> Result<(), ConfigError> {
    if url.contains('@') {
        let message = format!("{field} must not carry a user name: credentials are given apart");
        return Err(ConfigError::new(ConfigErrorKind::InvalidValue, message));
    }
    let invalid = |why| Err(ConfigError::invalid(field, url, why));
    match url.parse::<http::Uri>() {
        Ok(uri) if uri.query().is_some() => invalid("must not have a query"),
        Ok(uri) if matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some() => Ok(()),
        _ => invalid("must begin with \"http://\" or \"https://\" and name a host"),
    }
}
