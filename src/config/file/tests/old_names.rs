//! Keys as they were called before.

use super::*;

#[test]
fn every_old_name_is_told_its_new_one() {
    for (table, old, new) in [
        ("mount", "cache_rule", "cache_control_rule"),
        ("mount", "miss", "fallback"),
        ("mount", "connect_timeout_ms", "transport.connect_timeout_ms"),
        ("mount", "response_timeout_ms", "transport.response_timeout_ms"),
        ("mount", "read_timeout_ms", "transport.read_timeout_ms"),
        ("mount", "max_idle_connections", "transport.max_idle_connections"),
        ("cache", "missing_for", "negative_ttl_ms"),
        ("cache", "missing_for_ms", "negative_ttl_ms"),
        ("cache", "finish_from", "background_fill_threshold"),
        ("cache", "patience", "stale_if_error_after_ms"),
        ("cache", "patience_ms", "stale_if_error_after_ms"),
    ] {
        let said = format!("`{old}` is called `{new}` now");
        let in_file = match table {
            "cache" => format!("{}[cache]\nsize = \"8MiB\"\n{old} = 1\n", mount_with("anonymous = true")),
            _ => mount_with(&format!("{old} = 1")),
        };
        assert!(error(&in_file).to_string().ends_with(&said), "{in_file}");
        let option = match table {
            "cache" => [("-o cache", format!("cache.{old} = 1")), ("", "[[mount]]".to_owned())],
            _ => [("", "[[mount]]".to_owned()), ("-o", format!("{old} = 1"))],
        };
        let parts = option.iter().map(|(name, text)| (*name, text.as_str()));
        let refusal = ConfigFile::parse_parts(parts, variable).err().unwrap();
        assert!(refusal.to_string().ends_with(&said), "{refusal}");
    }
}
