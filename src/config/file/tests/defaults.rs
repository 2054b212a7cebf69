//! What a file leaves out or leaves empty.

use super::*;

#[tokio::test]
async fn a_file_builds_with_default_credentials_for_the_mounts_that_need_them() {
    let config = file(FULL).build(Some(default_credentials())).unwrap();
    let expected = [("/media", Some("AKIDEXAMPLE")), ("/fast", Some("AKIDDEFAULT")), ("/", None)];
    assert_eq!(config.mounts().len(), expected.len());
    for (mount, (path, access_key_id)) in config.mounts().iter().zip(expected) {
        assert_eq!(mount.0.path.to_string(), path);
        assert_eq!(mount.0.origin.access_key_id().await.as_deref(), access_key_id, "{path}");
    }
}

#[test]
fn absent_keys_are_the_defaults_of_the_builder() {
    let read = file(&mount_with("anonymous = true")).mounts.remove(0).builder;
    let built = Mount::builder(BucketName::parse("studio-media").unwrap()).region("us-west-2");
    assert_eq!(format!("{read:#?}"), format!("{built:#?}"));
}

#[test]
fn default_credentials_are_asked_for_only_by_mounts_without_their_own() {
    for (lines, needed) in [
        ("", true),
        ("anonymous = false", true),
        ("anonymous = true", false),
        ("access_key_id = \"a\"\nsecret_access_key = \"b\"", false),
    ] {
        assert_eq!(file(&mount_with(lines)).needs_default_credentials(), needed, "{lines}");
    }
}

#[test]
fn the_region_for_default_credentials_is_the_files_or_that_of_a_mount_that_needs_them() {
    let public = mount_with("anonymous = true");
    let private = "[[mount]]\nbucket = \"studio-docs\"\nregion = \"${REGION}\"\n";
    assert_eq!(file(&public).region(), None);
    assert_eq!(file(&format!("{public}{private}")).region(), Some("us-west-2"));
    assert_eq!(file(&format!("region = \"eu-north-1\"\n{public}{private}")).region(), Some("eu-north-1"));
}

#[test]
fn a_server_at_an_endpoint_has_the_usual_region() {
    let mount = |lines: &str| format!("[[mount]]\nbucket = \"media\"\nanonymous = true\n{lines}\n");
    let endpoint = "endpoint_url = \"http://127.0.0.1:9000\"";
    for (text, region) in [
        (mount(endpoint), Some("us-east-1")),
        (mount(&format!("{endpoint}\nregion = \"garage\"")), Some("garage")),
        (format!("region = \"garage\"\n{}", mount(endpoint)), Some("garage")),
        (mount(""), None),
    ] {
        let read = file(&text);
        assert_eq!(read.mounts[0].region(), region, "{text}");
        match read.build(None) {
            Ok(_) => assert!(region.is_some(), "{text}"),
            Err(why) => {
                assert!(region.is_none(), "{text}: {why}");
                assert!(why.to_string().contains("AWS_REGION counts for flags only"), "{why}");
            }
        }
    }
}

/// Compose and Helm leave variables empty where nothing is meant.
#[test]
fn an_empty_place_is_none() {
    let empty = |key: &str| format!("{key} = \"${{EMPTY}}\"");
    let lines = ["endpoint_url", "connect_to"].map(empty).join("\n");
    let built = file(&mount_with(&lines)).build(Some(default_credentials())).unwrap();
    let plain = file(&mount_with("")).build(Some(default_credentials())).unwrap();
    assert_eq!(format!("{built:?}"), format!("{plain:?}"));
    let endpoint = "endpoint_url = \"http://127.0.0.1:9000\"";
    let mount = format!("[[mount]]\nbucket = \"media\"\nanonymous = true\n{endpoint}\n{}", empty("region"));
    for (text, region) in [
        (mount.clone(), "us-east-1"),
        (format!("{}\n{mount}", empty("region")), "us-east-1"),
        (format!("region = \"garage\"\n{mount}"), "garage"),
    ] {
        assert_eq!(file(&text).mounts[0].region(), Some(region), "{text}");
    }
}

#[test]
fn an_empty_session_token_is_none() {
    let lines = "access_key_id = \"a\"\nsecret_access_key = \"b\"\nsession_token = \"${EMPTY}\"";
    assert!(file(&mount_with(lines)).build(None).is_ok());
}
