use std::fmt;

/// A reference to a variable without a value. Never contains text around the reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ExpandError {
    /// There is no variable of this name.
    Unset(String),
    /// A `${` without a name and a closing brace.
    Malformed,
}

/// Replaces `${NAME}` by the variable and `$$` by `$`; any other `$` stays. Values are not expanded again.
pub(super) fn expand(text: &str, variable: impl Fn(&str) -> Option<String>) -> Result<String, ExpandError> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        rest = if let Some(after) = after.strip_prefix('{') {
            let (name, after) =
                after.split_once('}').filter(|(name, _)| is_name(name)).ok_or(ExpandError::Malformed)?;
            expanded.push_str(&variable(name).ok_or_else(|| ExpandError::Unset(name.to_owned()))?);
            after
        } else {
            expanded.push('$');
            after.strip_prefix('$').unwrap_or(after)
        };
    }
    expanded.push_str(rest);
    Ok(expanded)
}

/// A name as in shells (POSIX.1 XBD §3.216).
fn is_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

// === impl ExpandError ===

impl fmt::Display for ExpandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unset(name) => {
                write!(f, "the environment variable {name} is not set; a literal ${{ is written $${{")
            }
            Self::Malformed => f.write_str(
                "${ must be followed by the name of a variable (letters, digits, _) and }; a literal ${ is written $${",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn expanded(text: &str) -> Result<String, ExpandError> {
        expand(text, |name| match name {
            "NAME" | "_n1" => Some("${value}$".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        })
    }

    #[test]
    fn references_are_replaced_once_and_other_dollars_stay() {
        for (text, result) in [
            ("", ""),
            ("plain", "plain"),
            ("${NAME}", "${value}$"),
            ("a${_n1}b${EMPTY}c", "a${value}$bc"),
            ("$$", "$"),
            ("$$$", "$$"),
            ("$${NAME}", "${NAME}"),
            ("$$${NAME}", "$${value}$"),
            ("$NAME $1 $", "$NAME $1 $"),
            ("ü${EMPTY}ß", "üß"),
        ] {
            assert_eq!(expanded(text).as_deref(), Ok(result), "{text}");
        }
    }

    #[test]
    fn references_to_nothing_are_refused() {
        let unset = |name: &str| Err(ExpandError::Unset(name.to_owned()));
        for (text, result) in [
            ("${OTHER}", unset("OTHER")),
            ("${name}", unset("name")),
            ("${", Err(ExpandError::Malformed)),
            ("a${NAME", Err(ExpandError::Malformed)),
            ("${}", Err(ExpandError::Malformed)),
            ("${1A}", Err(ExpandError::Malformed)),
            ("${NAME:-x}", Err(ExpandError::Malformed)),
            ("${ NAME }", Err(ExpandError::Malformed)),
        ] {
            assert_eq!(expanded(text), result, "{text}");
        }
    }

    proptest! {
        #[test]
        fn doubled_dollars_are_literal_around_any_value(before in ".*", value in ".*", after in ".*") {
            let literal = |text: &str| text.replace('$', "$$");
            let text = format!("{}${{NAME}}{}", literal(&before), literal(&after));
            let result = expand(&text, |_| Some(value.clone()));
            prop_assert_eq!(result, Ok(format!("{before}{value}{after}")));
        }

        #[test]
        fn text_without_braces_only_halves_double_dollars(text in "[a$]*") {
            prop_assert_eq!(expand(&text, |_| None), Ok(text.replace("$$", "$")));
        }
    }
}
