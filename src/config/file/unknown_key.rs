//! Keys that a table does not have.

/// The message about a key that the reader does not know, by serde's: what it is called now, the key that it resembles, or
/// all that there are.
pub(super) fn explain(message: &str) -> Option<String> {
    let (key, expected) = parse(message)?;
    if let Some((_, new)) = RENAMED.iter().find(|(old, _)| *old == key) {
        return Some(format!("`{key}` is called `{new}` now"));
    }
    let keys: Vec<_> = in_ticks(expected).collect();
    Some(match similar(key, &keys) {
        Some("mount") => format!("unknown key `{key}`: did you mean `[[mount]]`?"),
        Some(known) => format!("unknown key `{key}`: did you mean `{known}`?"),
        None => format!("unknown key `{key}`: {expected}"),
    })
}

/// The key, and what could stand in its place.
fn parse(message: &str) -> Option<(&str, &str)> {
    let (key, rest) = message.strip_prefix("unknown field `")?.split_once('`')?;
    Some((key, rest.trim_start_matches([',', ' '])))
}

fn in_ticks(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The key that was likely meant: up to a third of its letters differ. Hyphens, underscores, case and units do not count.
fn similar<'k>(key: &str, keys: &[&'k str]) -> Option<&'k str> {
    let plain = |key: &str| {
        let key = key.replace(['-', '_'], "").to_ascii_lowercase();
        key.strip_suffix("secs").or_else(|| key.strip_suffix("ms")).unwrap_or(&key).to_owned()
    };
    let written = plain(key);
    let distance = |known: &str| strsim::damerau_levenshtein(&written, &plain(known));
    let (known, distance) =
        keys.iter().map(|known| (*known, distance(known))).min_by_key(|(_, distance)| *distance)?;
    (distance * 3 <= plain(known).chars().count()).then_some(known)
}

/// Keys that had another name before 0.1.
const RENAMED: [(&str, &str); 11] = [
    ("cache_rule", "cache_control_rule"),
    ("missing_for", "negative_ttl_ms"),
    ("missing_for_ms", "negative_ttl_ms"),
    ("finish_from", "background_fill_threshold"),
    ("patience", "stale_if_error_after_ms"),
    ("patience_ms", "stale_if_error_after_ms"),
    ("miss", "fallback"),
    ("connect_timeout_ms", "transport.connect_timeout_ms"),
    ("response_timeout_ms", "transport.response_timeout_ms"),
    ("read_timeout_ms", "transport.read_timeout_ms"),
    ("max_idle_connections", "transport.max_idle_connections"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_told_its_new_name_or_the_one_that_it_resembles_or_all() {
        for (key, expected, message) in [
            ("miss", "expected `path`", "`miss` is called `fallback` now"),
            ("missing_for", "expected `size`", "`missing_for` is called `negative_ttl_ms` now"),
            (
                "pathstyle",
                "expected one of `path`, `path_style`, `prefix`",
                "unknown key `pathstyle`: did you mean `path_style`?",
            ),
            (
                "path-style",
                "expected one of `path`, `path_style`",
                "unknown key `path-style`: did you mean `path_style`?",
            ),
            (
                "max_age",
                "expected `headers` or `max_age_secs`",
                "unknown key `max_age`: did you mean `max_age_secs`?",
            ),
            ("Bucket", "expected one of `bucket`, `path`", "unknown key `Bucket`: did you mean `bucket`?"),
            ("regoin", "expected `region` or `path`", "unknown key `regoin`: did you mean `region`?"),
            ("age", "expected `key` or `status`", "unknown key `age`: expected `key` or `status`"),
            ("key", "there are no fields", "unknown key `key`: there are no fields"),
        ] {
            let serdes = format!("unknown field `{key}`, {expected}");
            assert_eq!(explain(&serdes).as_deref(), Some(message), "{serdes}");
        }
        assert_eq!(explain("expected a boolean"), None);
    }
}
