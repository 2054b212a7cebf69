use std::fmt;

use toml::{Table, Value};

/// `-o KEY=VALUE`: a key of the configuration file, and its value.
#[derive(Clone)]
pub(crate) struct MountOption {
    pub(crate) key: Vec<String>,
    pub(crate) value: Value,
}

// === impl MountOption ===

impl MountOption {
    /// The value is TOML if it can be, else text.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (key, value) = text.split_once('=').ok_or("give KEY=VALUE, like denied=auto")?;
        let value = value.trim();
        let value = value.parse().unwrap_or_else(|_| Value::String(value.to_owned()));
        Ok(Self { key: parse_key(key.trim())?, value })
    }

    /// Its name in messages, without the value, which may be a secret.
    pub(crate) fn name(&self) -> String {
        format!("-o {}", self.key.join("."))
    }

    /// Whether it names a bucket to serve.
    pub(crate) fn is_bucket(&self) -> bool {
        matches!(self.key.as_slice(), [key] if key == "bucket" || key == "buckets_from_path")
    }
}

fn parse_key(text: &str) -> Result<Vec<String>, String> {
    let malformed = || format!("{text:?} is not a key: give one of the file, like denied or cache.size");
    if text.contains(char::is_control) {
        return Err(malformed());
    }
    let table: Table = toml::from_str(&format!("{text} = 0")).map_err(|_| malformed())?;
    let (mut key, mut next) = (Vec::new(), Some(&table));
    while let Some((name, value)) = next.and_then(|table| table.iter().next()) {
        key.push(name.clone());
        next = value.as_table();
    }
    match key.is_empty() || key.iter().any(|name| name.contains(char::is_control)) {
        true => Err(malformed()),
        false => Ok(key),
    }
}

impl fmt::Debug for MountOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MountOption").field("key", &self.key).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_toml_if_it_can_be_and_else_text() {
        let text = |text: &str| Value::String(text.to_owned());
        for (option, name, value) in [
            ("fallback=inner", "-o fallback", text("inner")),
            ("prefix=", "-o prefix", text("")),
            ("prefix=\"2024\"", "-o prefix", text("2024")),
            ("cache.size=512MiB", "-o cache.size", text("512MiB")),
            ("cache.size = 512 MiB", "-o cache.size", text("512 MiB")),
            ("customer_key=c2VjcmV0==", "-o customer_key", text("c2VjcmV0==")),
            ("cors.max_age_secs=60", "-o cors.max_age_secs", Value::Integer(60)),
            ("path_style=true", "-o path_style", Value::Boolean(true)),
            ("prefix=true#1", "-o prefix", text("true#1")),
            ("metadata_headers.\"x y\"=X-Y", "-o metadata_headers.x y", text("X-Y")),
            ("cors.origins=[\"*\"]", "-o cors.origins", Value::Array(vec![text("*")])),
        ] {
            let parsed = MountOption::parse(option).unwrap();
            assert_eq!((parsed.name().as_str(), parsed.value), (name, value), "{option}");
        }
    }

    #[test]
    fn what_has_no_key_is_refused() {
        for (option, hint) in [
            ("fallback", "give KEY=VALUE"),
            ("=inner", "is not a key"),
            ("a b=1", "is not a key"),
            ("a.=1", "is not a key"),
            ("[mount]=1", "is not a key"),
            ("#=1", "is not a key"),
            ("a\nb=1", "is not a key"),
            ("\"a\\nb\"=1", "is not a key"),
        ] {
            let refusal = MountOption::parse(option).unwrap_err();
            assert!(refusal.contains(hint), "{option}: {refusal}");
        }
    }
}
