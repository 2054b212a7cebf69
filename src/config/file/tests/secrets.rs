//! Secrets in files are in nothing that is printed.

use super::*;

#[test]
fn a_secret_is_in_no_error() {
    for lines in [
        // Not TOML.
        "secret_access_key = s3cr3t-value",
        "secret_access_key = \"s3cr3t-value",
        "secret_access_key = 's3cr3t-value' x",
        "secret_access_key = \"\"\"s3cr3t-value",
        "secret_access_key = \"s3cr3t-value\\q\"",
        "secret_access_key = 987654321x",
        "secret_access_key \"s3cr3t-value\"",
        "secret_access_key: \"s3cr3t-value\"",
        "secret_access_key = \"s3cr3t-value\"; access_key_id = \"a\"",
        // Not a string.
        "secret_access_key = 987654321",
        "secret_access_key = 987654321.5",
        "secret_access_key = [\"s3cr3t-value\"]",
        "secret_access_key = { value = \"s3cr3t-value\" }",
        "secret_access_key.s3cr3t-value = 1",
        // Not a key of this table.
        "secret_acess_key = \"s3cr3t-value\"",
        "[[mount.cache_control_rule]]\nsecret_access_key = \"s3cr3t-value\"",
        "secret_access_key = \"s3cr3t-value\"\nsecret_access_key = \"s3cr3t-value\"",
        "[keys]\nsecret_access_key = \"s3cr3t-value\"",
        // Not a configuration.
        "secret_access_key = \"s3cr3t-value\"",
        "session_token = \"s3cr3t-value\"",
        "access_key_id = \"s3cr3t-value\"",
        "anonymous = true\nsecret_access_key = \"s3cr3t-value\"",
        "access_key_id = \"a\"\nsecret_access_key = \"${s3cr3t-value}\"",
        "access_key_id = \"a\"\nsecret_access_key = \"s3cr3t-value${\"",
        "access_key_id = \"a\"\nsecret_access_key = \"s3cr3t-value${OTHER}\"",
        "access_key_id = \"a\"\nsecret_access_key = \"s3cr3t-value\"\nfips = 1",
        "access_key_id = \"a\"\nsecret_access_key = \"s3cr3t-value\"\npath = \"a\"",
        "access_key_id = \"a\"\nsecret_access_key = \"${MEDIA_SECRET}\"\nhost = \"a:1\"",
        "endpoint_url = \"https://a:${MEDIA_SECRET}@example.com\"",
        "denied = \"${MEDIA_SECRET}\"",
    ] {
        let error = error(&mount_with(lines));
        assert!(error.to_string().contains("line "), "{lines}: {error}");
        assert_secret_is_nowhere_in(&error);
    }
    let in_bucket = error("[[mount]]\nbucket = \"${MEDIA_SECRET}!\"");
    assert!(in_bucket.to_string().starts_with("line 2: bucket \"${MEDIA_SECRET}!\": "), "{in_bucket}");
    assert_secret_is_nowhere_in(&in_bucket);
}

#[test]
fn a_secret_is_in_no_debug_output() {
    let file = file(FULL);
    let shown = format!("{file:?} {:?}", file.mounts.first().map(|mount| &mount.builder));
    assert!(shown.contains("line 13, mount 1 (at \\\"/media\\\")"), "{shown}");
    let config = file.build(Some(default_credentials())).unwrap();
    let shown = format!("{shown} {config:?} {config:#?}");
    assert!(!shown.contains(SECRET) && !shown.contains("t0ken-value"), "{shown}");
}
