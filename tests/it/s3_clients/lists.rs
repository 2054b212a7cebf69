use std::collections::BTreeSet;

use aws_sdk_s3::{Client as Sdk, types::EncodingType};
use demo_s3::DemoS3;
use percent_encoding::percent_decode_str;
use tower_s3_proxy::{
    S3Proxy, S3ProxyConfig,
    access::{Access, Authorizer},
    clients::{ClientKey, ClientKeys},
};

use super::{BEHIND, INGEST, NAME, READER, WRITER, asked, bare, mount, refusal, s3, sdk, serving, table};
use crate::support::{NASTY_KEYS, Protocol, serve};

/// The keys below the mount, and one beside it.
fn put(s3: &DemoS3, keys: impl IntoIterator<Item = String>) -> BTreeSet<String> {
    s3.store().put(BEHIND, "beside", "x".into());
    s3.store().put(BEHIND, "files/", "".into());
    let keys: BTreeSet<_> = keys.into_iter().collect();
    for key in &keys {
        s3.store().put(BEHIND, &format!("files/{key}"), "x".into());
    }
    keys
}

/// The names of all pages, and how many pages there were.
async fn all_v2(sdk: &Sdk, size: i32) -> (Vec<String>, usize) {
    let (mut names, mut pages, mut token) = (Vec::new(), 0, None);
    loop {
        let page = sdk.list_objects_v2().bucket(NAME).max_keys(size).encoding_type(EncodingType::Url);
        let page = page.set_continuation_token(token).send().await.unwrap();
        assert_eq!(page.encoding_type(), Some(&EncodingType::Url));
        assert_eq!(page.key_count(), Some(i32::try_from(page.contents().len()).unwrap()));
        pages += 1;
        names.extend(page.contents().iter().map(|object| decoded(object.key().unwrap())));
        token = page.next_continuation_token().map(str::to_owned);
        if page.is_truncated() != Some(true) {
            return (names, pages);
        }
    }
}

fn decoded(name: &str) -> String {
    percent_decode_str(name).decode_utf8().unwrap().into_owned()
}

#[tokio::test]
async fn pages_have_every_name_below_the_mount_once_and_cost_one_list_each() {
    let s3 = s3().await;
    let odd = NASTY_KEYS.iter().map(|key| (*key).to_owned());
    let keys = put(&s3, odd.chain((0..150).map(|n| format!("many/{n:04}"))));
    let server = serving(mount(&s3)).await;
    let sdk = sdk(&server, READER);
    s3.clear_log();
    let (names, pages) = all_v2(&sdk, 50).await;
    assert_eq!(names.iter().cloned().collect::<BTreeSet<_>>(), keys);
    assert_eq!(names.len(), keys.len(), "each once");
    assert_eq!(asked(&s3).len(), pages, "{:?}", asked(&s3));
    assert!(pages > 4);

    // By version 1, whose clients go on after the last name.
    let (mut names, mut marker) = (Vec::new(), None);
    loop {
        let page = sdk.list_objects().bucket(NAME).max_keys(50).encoding_type(EncodingType::Url);
        let page = page.set_marker(marker).send().await.unwrap();
        names.extend(page.contents().iter().map(|object| decoded(object.key().unwrap())));
        if page.is_truncated() != Some(true) {
            break;
        }
        marker = names.last().cloned();
    }
    assert_eq!((names.len(), names.into_iter().collect::<BTreeSet<_>>()), (keys.len(), keys));
}

#[tokio::test]
async fn a_delimiter_groups_and_start_after_skips() {
    let s3 = s3().await;
    put(&s3, ["a", "b/1", "b/2", "c/d/3", "e"].map(str::to_owned));
    let server = serving(mount(&s3)).await;
    let sdk = sdk(&server, READER);
    for (prefix, delimiter, after, objects, groups) in [
        ("", Some("/"), "", &["a", "e"][..], &["b/", "c/"][..]),
        ("b/", Some("/"), "", &["b/1", "b/2"], &[]),
        ("c", Some("/"), "", &[], &["c/"]),
        ("", None, "b/1", &["b/2", "c/d/3", "e"], &[]),
        ("x", None, "", &[], &[]),
    ] {
        let page = sdk.list_objects_v2().bucket(NAME).prefix(prefix).start_after(after);
        let page = page.set_delimiter(delimiter.map(str::to_owned)).send().await.unwrap();
        let found: Vec<_> = page.contents().iter().map(|object| object.key().unwrap()).collect();
        let grouped: Vec<_> = page.common_prefixes().iter().map(|group| group.prefix().unwrap()).collect();
        assert_eq!((found.as_slice(), grouped.as_slice()), (objects, groups), "{prefix:?} {after:?}");
        assert_eq!((page.name(), page.prefix()), (Some(NAME), Some(prefix)));
        for object in page.contents() {
            assert_eq!(
                (object.size(), object.e_tag().is_some(), object.last_modified().is_some()),
                (Some(1), true, true)
            );
        }
    }
    // By version 1 a group is a marker.
    // The object whose key is the mount's prefix has no name here, and its place in the page stays free.
    let page = sdk.list_objects().bucket(NAME).delimiter("/").max_keys(3).send().await.unwrap();
    assert_eq!((page.is_truncated(), page.next_marker()), (Some(true), Some("b/")));
    let page = sdk.list_objects().bucket(NAME).delimiter("/").marker("b/").send().await.unwrap();
    let grouped: Vec<_> = page.common_prefixes().iter().map(|group| group.prefix().unwrap()).collect();
    assert_eq!(grouped, ["c/"]);
    let negative = sdk.list_objects_v2().bucket(NAME).max_keys(-1).send().await;
    assert_eq!(refusal(negative), (400, "InvalidArgument".to_owned()));
}

#[tokio::test]
async fn a_key_sees_the_names_that_it_covers_and_no_others() {
    let s3 = s3().await;
    put(&s3, ["raw/1", "raw/2", "secret/3", "z"].map(str::to_owned));
    let keys = ClientKeys::new([
        ClientKey::new(INGEST.0, INGEST.1).prefix("raw/"),
        ClientKey::new("many", "secret-of-many").prefix("raw/").prefix("z"),
        ClientKey::new("none", "secret-of-none").prefix("none/"),
    ]);
    let server = serving(bare(&s3).at("/media").prefix("files").client_keys(&keys.unwrap())).await;
    let none = ("none", "secret-of-none");
    let many = ("many", "secret-of-many");
    for (key, prefix, delimiter, expected) in [
        (INGEST, "", None, Some("raw/1 raw/2")),
        (INGEST, "", Some("/"), Some("raw/")),
        (INGEST, "ra", Some("/"), Some("raw/")),
        (INGEST, "raw/", Some("/"), Some("raw/1 raw/2")),
        (INGEST, "secret/", None, None),
        (INGEST, "z", None, None),
        (many, "", None, None),
        (many, "z", None, Some("z")),
        (none, "", Some("/"), Some("")),
    ] {
        let sdk = sdk(&server, key);
        s3.clear_log();
        let list = sdk.list_objects_v2().bucket(NAME).prefix(prefix);
        let v2 = list.set_delimiter(delimiter.map(str::to_owned)).send().await;
        let list = sdk.list_objects().bucket(NAME).prefix(prefix);
        let v1 = list.set_delimiter(delimiter.map(str::to_owned)).send().await;
        match expected {
            None => {
                assert_eq!(refusal(v2), (403, "AccessDenied".to_owned()), "{key:?} {prefix:?}");
                assert_eq!(refusal(v1), (403, "AccessDenied".to_owned()), "{key:?} {prefix:?}");
                assert_eq!(asked(&s3), [""; 0]);
            }
            Some(expected) => {
                let (v2, v1) = (v2.unwrap(), v1.unwrap());
                let objects = v2.contents().iter().filter_map(|object| object.key());
                let groups = v2.common_prefixes().iter().filter_map(|group| group.prefix());
                assert_eq!(
                    objects.chain(groups).collect::<Vec<_>>().join(" "),
                    expected,
                    "{key:?} {prefix:?}"
                );
                let objects = v1.contents().iter().filter_map(|object| object.key());
                let groups = v1.common_prefixes().iter().filter_map(|group| group.prefix());
                assert_eq!(
                    objects.chain(groups).collect::<Vec<_>>().join(" "),
                    expected,
                    "{key:?} {prefix:?}"
                );
                assert_eq!(asked(&s3).len(), 2);
            }
        }
    }
}

#[tokio::test]
async fn where_an_authorizer_decides_it_is_asked_for_the_prefix() {
    let s3 = s3().await;
    put(&s3, ["raw/1", "secret/2"].map(str::to_owned));
    let raw_only = Authorizer::new(|request| async move {
        Ok(match request.key().as_str().starts_with("files/raw/") {
            true => Access::Allow,
            false => Access::Deny(tower_s3_proxy::access::Denial::not_found()),
        })
    });
    let server = serving(mount(&s3).authorize(raw_only)).await;
    let sdk = sdk(&server, READER);
    let list = |prefix: &str| sdk.list_objects_v2().bucket(NAME).prefix(prefix).send();
    assert_eq!(list("raw/").await.unwrap().contents().len(), 1);
    assert_eq!(refusal(list("").await), (403, "AccessDenied".to_owned()));
    assert_eq!(refusal(list("secret/").await), (404, "NoSuchKey".to_owned()));
}

#[tokio::test]
async fn a_key_sees_the_buckets_of_the_mounts_that_know_it() {
    let s3 = s3().await;
    let other = ClientKeys::new([ClientKey::new(READER.0, READER.1)]).unwrap();
    let forged = ClientKeys::new([ClientKey::new(READER.0, "another-secret")]).unwrap();
    let mounts = [
        bare(&s3).client_keys(&table()),
        bare(&s3).at("/media").client_keys(&table()),
        bare(&s3).at("/docs").client_keys(&other),
        bare(&s3).at("/forged").client_keys(&forged),
        bare(&s3).at("/web"),
    ];
    let config = S3ProxyConfig::new(mounts.map(|mount| mount.build().unwrap())).unwrap();
    let server = serve(Protocol::Http1, S3Proxy::new(config)).await;
    for (key, expected) in [(READER, "docs media studio-media"), (WRITER, "media studio-media")] {
        let buckets = sdk(&server, key).list_buckets().send().await.unwrap();
        let names: Vec<_> = buckets.buckets().iter().map(|bucket| bucket.name().unwrap()).collect();
        assert_eq!(names.join(" "), expected);
        assert!(buckets.buckets().iter().all(|bucket| bucket.creation_date().is_some()));
    }
    let nobody = sdk(&server, ("nobody", READER.1)).list_buckets().send().await;
    assert_eq!(refusal(nobody), (403, "InvalidAccessKeyId".to_owned()));
    let reader = sdk(&server, READER);
    let head = reader.head_bucket().bucket("docs").send().await.unwrap();
    assert_eq!(head.bucket_region(), Some(crate::support::REGION));
    assert_eq!(refusal(reader.head_bucket().bucket("absent").send().await).0, 404);
    let location = reader.get_bucket_location().bucket("media").send().await.unwrap();
    assert_eq!(location.location_constraint().unwrap().as_str(), crate::support::REGION);
    assert_eq!(asked(&s3), [""; 0]);
}

#[tokio::test]
async fn without_a_mount_at_the_root_buckets_are_listed_all_the_same() {
    let s3 = s3().await;
    let server = serving(mount(&s3)).await;
    let buckets = sdk(&server, READER).list_buckets().send().await.unwrap();
    assert_eq!(buckets.buckets().len(), 1);
    let absent = sdk(&server, READER).list_objects_v2().bucket("absent").send().await;
    assert_eq!(refusal(absent), (404, "NoSuchBucket".to_owned()));
}
