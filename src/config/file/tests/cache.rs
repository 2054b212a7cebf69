//! The table `[cache]`.

use super::*;

#[test]
fn mounts_keep_objects_in_the_cache_of_the_file_that_is_reached_by_its_handle() {
    let public = "region = \"us-west-2\"\nanonymous = true\nbucket = \"studio-media\"\n";
    let text = format!("[[mount]]\n{public}[[mount]]\n{public}path = \"/b\"\ncache = false\n");
    let without = file(&text);
    assert!(without.cache().is_none());
    let config = without.build(None).unwrap();
    assert!(config.mounts().iter().all(|mount| mount.0.cache.is_none()), "without [cache] there is none");

    let with =
        file(&format!("{text}[[mount]]\n{public}path = \"/c\"\ncache = true\n[cache]\nsize = 4194304"));
    let cache = with.cache().unwrap().clone();
    let config = with.build(None).unwrap();
    for (path, is_cached) in [("/", true), ("/b", false), ("/c", true)] {
        let mount = config.mounts().iter().find(|mount| mount.0.path.to_string() == path).unwrap();
        let in_cache = mount.0.cache.as_ref();
        assert_eq!(in_cache.is_some_and(|in_cache| in_cache.is_of(&cache)), is_cached, "{path}");
    }
}

#[test]
fn a_cache_that_makes_no_sense_is_refused_with_its_line() {
    use ConfigErrorKind::{File, InvalidValue, Missing};

    for (lines, kind, place, hint) in [
        // Line 6 is the first of `lines`.
        ("", Missing, "line 5: ", "needs a size"),
        ("size = \"1 quart\"", InvalidValue, "line 6: size \"1 quart\": ", "\"512MiB\""),
        ("size = \"${REGION}\"", InvalidValue, "line 6: size \"${REGION}\": ", "must be bytes"),
        ("size = \"${OTHER}\"", Missing, "line 6: size: ", "OTHER is not set"),
        ("size = -1", File, "line 6, column 8: ", "can't be negative"),
        ("size = 1.5", File, "line 6, column 8: ", "expected bytes, like 4096 or \"512MiB\""),
        ("size = \"1KiB\"", InvalidValue, "line 5: [cache]: ", "at least 1048576"),
        ("size = \"8MiB\"\nblock = \"5GB\"", InvalidValue, "line 5: [cache]: ", "4096 to 16777216"),
        ("size = \"8MiB\"\nmax_object = \"1GiB\"", InvalidValue, "line 5: [cache]: ", "do not fit"),
        ("size = \"8MiB\"\nmax_object = \"x\"", InvalidValue, "line 7: max_object \"x\": ", ""),
        (
            "size = \"8MiB\"\nbackground_fill_threshold = 101",
            InvalidValue,
            "line 5: [cache]: background_fill_threshold 101",
            "0 to 100",
        ),
        (
            "size = \"8MiB\"\nbackground_fill_threshold = 256",
            File,
            "line 7, column 29: ",
            "expected a whole number up to 255",
        ),
        ("size = \"8MiB\"\nclients = \"yes\"", InvalidValue, "line 7: clients \"yes\": ", "\"ignored\""),
        ("size = \"8MiB\"\nttl = 1", File, "line 7, column 1: ", "unknown key `ttl`: expected one of `size`"),
        (
            "size = \"8MiB\"\npatience_ms = 1",
            File,
            "line 7, column 1: ",
            "`patience_ms` is called `stale_if_error_after_ms` now",
        ),
    ] {
        let error = error(&format!("{}[cache]\n{lines}\n", mount_with("anonymous = true")));
        let message = error.to_string();
        assert_eq!(error.kind(), kind, "{lines}: {message}");
        assert!(message.starts_with(place), "{lines}: {message:?} begins with {place:?}");
        assert!(message.contains(hint), "{lines}: {message:?} contains {hint:?}");
    }
}
