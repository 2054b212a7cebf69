//! The tables that say who is let in.

use super::*;

fn built(more: &str) -> Result<S3ProxyConfig, ConfigError> {
    let file =
        format!("[[mount]]\nbucket = \"studio-media\"\nregion = \"us-west-2\"\nanonymous = true\n{more}");
    ConfigFile::parse_with(&file, |name| (name == "LINK_KEY").then(|| "0123456789abcdef".to_owned()))?
        .build(None)
}

#[test]
fn who_is_let_in_is_read_and_what_is_wrong_is_told_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let hash = "$2y$04$abcdefghijklmnopqrstuuTA3V9q0UyHhyIcwWXz6ZtYbGFcE7k9e";
    std::fs::write(path("users"), format!("ada:{hash}\n")).unwrap();
    std::fs::write(path("wrong"), "# users\nhunter2\n").unwrap();
    std::fs::write(path("key"), "fedcba9876543210\n").unwrap();
    let forward = "[mount.forward_auth]\nurl = \"http://127.0.0.1:1/\"\n";
    let links = "[mount.own_links]\nunlinked = \"refused\"\n";
    let key = "[[mount.own_links.key]]\nid = \"k1\"\nsecret = \"${LINK_KEY}\"\n";
    for (more, expected) in [
        (forward.to_owned(), None),
        (format!("{forward}send = [\"cookie\"]\npass_on = [\"x-why\"]\nremember_by = [\"cookie\"]\n"), None),
        (
            format!(
                "{forward}decides_by = \"host\"\nscheme = \"https\"\ntimeout_ms = 1\nremember_secs = 0\n"
            ),
            None,
        ),
        ("[mount.forward_auth]\n".to_owned(), Some("line 5: forward_auth needs the url")),
        (
            format!("{forward}decides_by = \"user\"\n"),
            Some("line 7: decides_by \"user\": must be \"path\" or \"host\""),
        ),
        (format!("{forward}timeout_ms = 0\n"), Some("could ever be in time")),
        (format!("[mount.users]\nfile = {:?}\nrealm = \"Studio\"\n", path("users")), None),
        ("[mount.users]\nrealm = \"Studio\"\n".to_owned(), Some("line 5: users needs the file")),
        (format!("[mount.users]\nfile = {:?}\n", path("none")), Some("none: ")),
        (format!("[mount.users]\nfile = {:?}\n", path("wrong")), Some("wrong: line 2: must be NAME:HASH")),
        (format!("{forward}[mount.users]\nfile = {:?}\n", path("users")), Some("leave out one of them")),
        (format!("{links}segment = \"lent\"\n{key}"), None),
        (
            format!("{links}{key}[[mount.own_links.key]]\nid = \"k0\"\nsecret_file = {:?}\n", path("key")),
            None,
        ),
        (links.to_owned(), Some("line 5: own_links needs a key")),
        (format!("[mount.own_links]\n{key}"), Some("anybody could read without a link")),
        (
            format!("{links}[[mount.own_links.key]]\nsecret = \"hunter2\"\n"),
            Some("line 7: a key of own links needs an id"),
        ),
        (
            format!("{links}[[mount.own_links.key]]\nid = \"k1\"\n"),
            Some("line 7: a key of own links needs a secret"),
        ),
        (format!("{links}{key}secret_file = {:?}\n", path("key")), Some("line 10: secret and secret_file")),
        (
            format!("{links}[[mount.own_links.key]]\nid = \"k1\"\nsecret_file = {:?}\n", path("none")),
            Some("line 9: secret_file"),
        ),
        (
            format!("{links}[[mount.own_links.key]]\nid = \"k1\"\nsecret = \"hunter2\"\n"),
            Some("at least 16 bytes"),
        ),
    ] {
        let told = built(&more).map(drop).map_err(|why| why.to_string());
        match expected {
            None => assert_eq!(told, Ok(()), "{more}"),
            Some(expected) => {
                let why = told.expect_err(expected);
                assert!(why.contains(expected), "{why}");
                assert!(!why.contains("hunter2"), "{why}");
            }
        }
    }
}
