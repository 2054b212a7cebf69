//! The parameters of a session with a role, checked before STS sees them (STS API, AssumeRole).

use std::time::Duration;

use serde_json::Value;

use crate::error::{ConfigError, ConfigErrorKind};

/// A name for the session, which CloudTrail shows to the owner of the role: `[\w+=,.@-]`, 2 to 64 of them.
pub(super) fn session_name(name: Option<String>) -> Result<String, ConfigError> {
    let Some(name) = name else { return Ok(DEFAULT_NAME.to_owned()) };
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    if !(2..=64).contains(&name.len()) || !name.bytes().all(is_allowed) {
        let rule = "must be 2 to 64 letters, digits and characters of _+=,.@-";
        return Err(ConfigError::invalid("the session name", &name, rule));
    }
    Ok(name)
}

const DEFAULT_NAME: &str = "tower-s3-proxy";

/// How long the session lasts; one hour by STS's default.
pub(super) fn check_duration(duration: Option<Duration>, is_chained: bool) -> Result<(), ConfigError> {
    let Some(duration) = duration else { return Ok(()) };
    let secs = duration.as_secs();
    if !(SHORTEST..=LONGEST).contains(&secs) || duration.subsec_nanos() > 0 {
        let rule = "must be 900 s (15 minutes) to 43200 s (12 hours), in whole seconds";
        return Err(ConfigError::invalid("the session duration", &format!("{duration:?}"), rule));
    }
    if is_chained && secs > LONGEST_CHAINED {
        // IAM User Guide, "Role chaining".
        let message = format!(
            "a session duration of {secs} s and a source that is a role contradict each other: STS limits the session of a \
             role that another role assumes to 3600 s (one hour)"
        );
        return Err(ConfigError::new(ConfigErrorKind::Contradiction, message));
    }
    Ok(())
}

const SHORTEST: u64 = 15 * 60;
const LONGEST: u64 = 12 * 60 * 60;
const LONGEST_CHAINED: u64 = 60 * 60;

/// A policy that narrows what the role may do.
pub(super) fn check_policy(policy: Option<&str>) -> Result<(), ConfigError> {
    let Some(policy) = policy else { return Ok(()) };
    let invalid = |why: String| {
        Err(ConfigError::new(ConfigErrorKind::InvalidValue, format!("the session policy: {why}")))
    };
    let length = policy.chars().count();
    if length > LONGEST_POLICY {
        return invalid(format!("has {length} characters; STS takes {LONGEST_POLICY} at most"));
    }
    match serde_json::from_str::<Value>(policy) {
        Ok(Value::Object(members)) if members.contains_key("Statement") => Ok(()),
        Ok(_) => invalid("must be a JSON object with a \"Statement\"".to_owned()),
        Err(why) => invalid(format!("is not JSON: {why}")),
    }
}

const LONGEST_POLICY: usize = 2048;

/// Managed policies that narrow what the role may do.
pub(super) fn check_policy_arns(arns: &[String]) -> Result<(), ConfigError> {
    if arns.len() > MOST_POLICIES {
        let message = format!("{} session policies by ARN: STS takes {MOST_POLICIES} at most", arns.len());
        return Err(ConfigError::new(ConfigErrorKind::InvalidValue, message));
    }
    let is_policy = |arn: &str| {
        arn.len() <= 2048 && arn.starts_with("arn:") && arn.contains(":iam::") && arn.contains(":policy/")
    };
    match arns.iter().find(|arn| !is_policy(arn)) {
        Some(arn) => {
            let rule = "must be like \"arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess\"";
            Err(ConfigError::invalid("the policy ARN", arn, rule))
        }
        None => Ok(()),
    }
}

const MOST_POLICIES: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_names_are_what_sts_takes() {
        assert_eq!(session_name(None).unwrap(), DEFAULT_NAME);
        for (name, is_name) in [
            ("ab", true),
            ("web@eu-1,x=y+z_.", true),
            (&"x".repeat(64), true),
            ("a", false),
            ("a b", false),
            ("a/b", false),
            ("a:b", false),
            (&"x".repeat(65), false),
        ] {
            assert_eq!(session_name(Some(name.to_owned())).is_ok(), is_name, "{name:?}");
        }
    }

    #[test]
    fn sessions_last_15_minutes_to_12_hours_and_chained_ones_an_hour() {
        for (millis, alone, chained) in [
            (899_000, false, false),
            (900_000, true, true),
            (900_500, false, false),
            (3_600_000, true, true),
            (3_601_000, true, false),
            (43_200_000, true, false),
            (43_201_000, false, false),
        ] {
            let check = |is_chained| check_duration(Some(Duration::from_millis(millis)), is_chained).is_ok();
            assert_eq!((check(false), check(true)), (alone, chained), "{millis} ms");
        }
        assert!(check_duration(None, true).is_ok());
    }

    #[test]
    fn session_policies_are_json_of_2048_characters() {
        let long = |length: usize| {
            let frame = r#"{"Statement":[],"Id":""}"#;
            frame.replace("\"\"", &format!("\"{}\"", "ü".repeat(length - frame.len())))
        };
        for (policy, message) in [
            (r#"{"Version":"2012-10-17","Statement":[]}"#, None),
            (&long(2048), None),
            (&long(2049), Some("2049 characters")),
            (r#"{"Version":"2012-10-17"}"#, Some("\"Statement\"")),
            ("[]", Some("\"Statement\"")),
            ("{", Some("not JSON")),
            ("", Some("not JSON")),
        ] {
            let error = check_policy(Some(policy)).err().map(|error| error.to_string());
            let is_as_told = match (&error, message) {
                (Some(error), Some(message)) => error.contains(message),
                (None, None) => true,
                _ => false,
            };
            assert!(is_as_told, "{policy}: {error:?}");
        }
    }

    #[test]
    fn session_policies_by_arn_are_ten_at_most() {
        let arn = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess".to_owned();
        assert!(check_policy_arns(&vec![arn.clone(); 10]).is_ok());
        assert!(check_policy_arns(&vec![arn; 11]).is_err());
        for wrong in ["AmazonS3ReadOnlyAccess", "arn:aws:iam::123456789012:role/x", ""] {
            assert!(check_policy_arns(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
    }
}
