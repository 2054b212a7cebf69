use super::*;

/// The mount, with these keys of the file before it, and these of its own.
fn error_of(keys: &[&str], mount: &[&str]) -> String {
    let named = |key: &str| format!("-o {}", key.split_once(" =").unwrap().0);
    let part = |key: &&str| (named(key), (*key).to_owned());
    let mut parts: Vec<_> = keys.iter().map(part).collect();
    parts.push((String::new(), "[[mount]]".to_owned()));
    parts.extend(mount.iter().map(part));
    let parts = parts.iter().map(|(name, part)| (name.as_str(), part.as_str()));
    let error = ConfigFile::parse_parts(parts, variable).and_then(|file| file.build(None)).unwrap_err();
    assert_secret_is_nowhere_in(&error);
    error.to_string()
}

#[test]
fn messages_name_the_part_and_no_line() {
    let bucket = "bucket = \"studio-media\"";
    let region = "region = \"us-west-2\"";
    for (keys, mount, message) in [
        (&[][..], &["bucket = \"x\""][..], "-o bucket: bucket \"x\": "),
        (&[], &["anonymous = true"], "mount 1 (at \"/\"): the bucket is missing"),
        (&[], &[bucket, "anonymous = true"], "mount 1 (at \"/\"): the region is missing"),
        (&[region], &[bucket], "mount 1 (at \"/\"): credentials are missing"),
        (&[region], &[bucket, "path = \"media\""], "mount 1 (at \"media\"): "),
        (&[], &["fallbak = \"inner\""], "-o fallbak: unknown key `fallbak`: did you mean `fallback`?"),
        (&[], &["miss = \"inner\""], "-o miss: `miss` is called `fallback` now"),
        (
            &["cache.patience_ms = 1"],
            &[],
            "-o cache.patience_ms: `patience_ms` is called `stale_if_error_after_ms` now",
        ),
        (&[], &["prefix = 2024"], "-o prefix: must be text in quotes"),
        (&[], &[bucket, "customer_key = \"s3cr3t\""], "-o customer_key: customer_key: "),
        (&[], &["cors.max_age_secs = \"soon\""], "-o cors.max_age_secs: invalid type"),
        (&[], &["cors.max_age = 1"], "-o cors.max_age: unknown key `max_age`: did you mean `max_age_secs`?"),
        (&[], &[bucket, "cors.max_age_secs = 1"], "-o cors.max_age_secs: cors needs origins"),
        (&["cache.max_object = \"8 MiB\""], &[bucket], "-o cache.max_object: the cache needs a size"),
        (&["cache.size = 1"], &[bucket], "-o cache.size: [cache]: "),
        (&[], &[bucket, "cache_ttl_secs = 1"], "-o cache_ttl_secs: a time to live without a cache"),
        (
            &["credentials.studio.type = \"profile\""],
            &[bucket],
            "-o credentials.studio.type, credentials \"studio\": a value is missing: give profile",
        ),
        (
            &[],
            &[bucket, "credentials = \"studio\""],
            "-o credentials: credentials \"studio\": the file has no table",
        ),
        (
            &[],
            &[bucket, "prefix = \"${UNSET}\""],
            "-o prefix: prefix: the environment variable UNSET is not set",
        ),
    ] {
        let error = error_of(keys, mount);
        assert!(error.starts_with(message), "{keys:?} {mount:?}: {error}");
    }
}

#[test]
fn parts_are_read_as_the_text_that_they_make() {
    let parts = [
        ("", "region = \"us-west-2\"\ncache.size = \"64MiB\"\n\n"),
        ("", "[[mount]]\nbucket = \"studio-media\""),
        ("-o cors", "cors.origins = [\n\"*\"\n]"),
        ("-o prefix", "prefix = \"${FIELD}\""),
        ("-o cors.max_age_secs", "cors.max_age_secs = 5"),
    ];
    let text = parts.map(|(_, part)| part).join("\n");
    let [parts, text] = [ConfigFile::parse_parts(parts, variable).unwrap(), file(&text)]
        .map(|file| format!("{:?}", file.build(Some(default_credentials())).unwrap()));
    assert_eq!(parts, text);
}
