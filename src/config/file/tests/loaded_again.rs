//! A file whose text changes.

use super::*;

const TEXT: &str = r#"
region = "us-west-2"

[transport]
max_connections = 64

[cache]
size = "4MiB"

[[mount]]
path = "/media"
bucket = "studio-media"
anonymous = true

[[mount]]
path = "/docs"
bucket = "studio-docs"
access_key_id = "AKIDEXAMPLE"
secret_access_key = "not-a-secret"
cors = { origins = ["https://app.example.com"] }
"#;

fn config(text: &str, before: Option<&S3ProxyConfig>) -> S3ProxyConfig {
    let file = match before {
        Some(before) => ConfigFile::parse_after(text, before),
        None => ConfigFile::parse(text),
    };
    file.unwrap().build(None).unwrap()
}

fn at<'c>(config: &'c S3ProxyConfig, path: &str) -> &'c Mount {
    config.mounts().iter().find(|mount| mount.path() == path).unwrap()
}

#[test]
fn what_is_the_same_is_taken_over() {
    /// Of the mount at `/docs`; that at `/media` is told by `others`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Kept {
        Mount,
        /// Its part of the cache.
        Stored,
        Nothing,
    }
    use Kept::{Mount as Whole, Nothing, Stored};

    for (from, to, docs, others) in [
        ("", "", Whole, Whole),
        ("\n[[mount]]\npath = \"/media\"", "\n# Films.\n[[mount]]\n  path = \"/media\"", Whole, Whole),
        ("[\"https://app.example.com\"]", "[\"*\"]", Stored, Whole),
        ("cors = { origins = [\"https://app.example.com\"] }", "", Stored, Whole),
        ("cors =", "max_in_flight = 7\ncors =", Stored, Whole),
        ("cors =", "default_cache_control = \"no-store\"\ncors =", Nothing, Whole),
        ("cors =", "cache_ttl_secs = 7\ncors =", Nothing, Whole),
        ("not-a-secret", "another", Nothing, Whole),
        ("studio-docs", "studio-papers", Nothing, Whole),
        ("us-west-2", "eu-central-1", Nothing, Nothing),
        ("4MiB", "8MiB", Nothing, Nothing),
        ("max_connections = 64", "max_connections = 65", Nothing, Nothing),
    ] {
        let before = config(TEXT, None);
        let after = config(&TEXT.replacen(from, to, 1), Some(&before));
        for (path, expected) in [("/docs", docs), ("/media", others)] {
            let (before, after) = (at(&before, path), at(&after, path));
            let part = |mount: &Mount| format!("{:?}", mount.0.cache.as_ref().map(|part| part.scope()));
            let cache = |mount: &Mount| mount.0.cache.as_ref().unwrap().cache().clone();
            let kept = if after.is_clone_of(before) {
                Whole
            } else if after.0.cache.as_ref().unwrap().is_of(&cache(before)) && part(after) == part(before) {
                Stored
            } else {
                Nothing
            };
            assert_eq!(kept, expected, "{path}: {from:?} -> {to:?}");
        }
    }
}

#[test]
fn a_mount_that_comes_or_moves_is_new_and_the_others_stay() {
    let before = config(TEXT, None);
    let moved = TEXT.replacen("/docs", "/papers", 1);
    let after = config(&moved, Some(&before));
    assert!(at(&after, "/media").is_clone_of(at(&before, "/media")));
    assert!(!at(&after, "/papers").is_clone_of(at(&before, "/docs")));
    let back = config(TEXT, Some(&after));
    assert!(at(&back, "/media").is_clone_of(at(&before, "/media")), "through two texts");
    assert!(!at(&back, "/docs").is_clone_of(at(&before, "/docs")), "it was gone meanwhile");
    assert_ne!(
        at(&back, "/docs").0.cache.as_ref().unwrap().scope(),
        at(&before, "/docs").0.cache.as_ref().unwrap().scope()
    );
}

#[test]
fn a_file_of_certificates_counts_with_its_content() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    let write = |name: &str| {
        let authority = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        std::fs::write(&path, authority.cert.pem()).unwrap();
    };
    let text =
        TEXT.replacen("max_connections = 64", &format!("ca_file = {:?}", path.display().to_string()), 1);
    write("a.test");
    let before = config(&text, None);
    let after = config(&text, Some(&before));
    assert!(at(&after, "/docs").is_clone_of(at(&before, "/docs")));
    write("b.test");
    let after = config(&text, Some(&before));
    assert!(!at(&after, "/docs").is_clone_of(at(&before, "/docs")));
}

#[cfg(feature = "aws-config")]
#[tokio::test]
async fn mounts_with_credentials_of_their_own_are_taken_over_by_load_too() {
    let load = async |before: Option<&S3ProxyConfig>| {
        let file =
            before.map_or_else(|| ConfigFile::parse(TEXT), |config| ConfigFile::parse_after(TEXT, config));
        file.unwrap().load().await.unwrap()
    };
    let before = load(None).await;
    let after = load(Some(&before)).await;
    assert!(after.mounts().iter().zip(before.mounts()).all(|(after, before)| after.is_clone_of(before)));
}

#[test]
fn default_credentials_that_are_given_again_make_the_mount_anew() {
    let text = mount_with("");
    let keys = || Some(crate::credentials::fixed("AKIDEXAMPLE", "not-a-secret", None));
    let before = ConfigFile::parse_with(&text, variable).unwrap().build(keys()).unwrap();
    let after = ConfigFile::parse_after(&text, &before).unwrap().build(keys()).unwrap();
    assert!(!after.mounts()[0].is_clone_of(&before.mounts()[0]));
}

#[test]
fn what_the_program_around_the_layer_reads_is_left_to_it() {
    let text = format!("{TEXT}\n[server]\nthreads = 2\nanything = [1]\n[[listen]]\naddress = \":443\"\n");
    let before = config(&text, None);
    assert_eq!(before.mounts().len(), 2);
    let after = config(&text.replacen("threads = 2", "threads = 4", 1), Some(&before));
    assert!(at(&after, "/docs").is_clone_of(at(&before, "/docs")));
}
