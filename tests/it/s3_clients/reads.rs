use aws_sdk_s3::primitives::DateTime;
use bytes::Bytes;
use demo_s3::ObjectAttributes;
use http::{HeaderName, HeaderValue};
use tower_s3_proxy::{
    access::{Access, Authorizer, Denial},
    clients::{ClientAccessKey, ClientKey, ClientKeys},
    links::{LinkPolicy, Redirect},
};

use super::{BEHIND, INGEST, NAME, READER, asked, bare, cache, mount, refusal, s3, sdk, serving};
use crate::support::{Client, NASTY_KEYS, Protocol, get, request};

fn described() -> ObjectAttributes {
    let mtime = HeaderName::from_static("x-amz-meta-mtime");
    ObjectAttributes::new().content_type(HeaderValue::from_static("text/plain")).header(mtime, 17.into())
}

#[tokio::test]
async fn objects_are_read_with_their_fields_ranges_and_conditions() {
    let s3 = s3().await;
    s3.store().put_with(BEHIND, "files/a b/1.txt", "0123456789".into(), described());
    let server = serving(mount(&s3).cache(&cache())).await;
    let sdk = sdk(&server, READER);
    // From S3, and from the cache.
    for _ in 0..2 {
        let whole = sdk.get_object().bucket(NAME).key("a b/1.txt").send().await.unwrap();
        let metadata = whole.metadata().unwrap().clone();
        assert_eq!((whole.content_type(), metadata["mtime"].as_str()), (Some("text/plain"), "17"));
        let tag = whole.e_tag().unwrap().to_owned();
        assert_eq!(whole.body.collect().await.unwrap().into_bytes(), "0123456789");
        let part = sdk.get_object().bucket(NAME).key("a b/1.txt").range("bytes=2-4").send().await.unwrap();
        assert_eq!(part.content_range(), Some("bytes 2-4/10"));
        assert_eq!(part.body.collect().await.unwrap().into_bytes(), "234");
        let head = sdk.head_object().bucket(NAME).key("a b/1.txt").send().await.unwrap();
        assert_eq!((head.content_length(), head.e_tag()), (Some(10), Some(tag.as_str())));
        assert_eq!(head.metadata().unwrap()["mtime"], "17");
        let other = sdk.get_object().bucket(NAME).key("a b/1.txt").if_match("\"other\"").send().await;
        assert_eq!(refusal(other), (412, "PreconditionFailed".to_owned()));
        let same = sdk.get_object().bucket(NAME).key("a b/1.txt").if_none_match(&tag).send().await;
        assert_eq!(refusal(same).0, 304);
        let since = DateTime::from_secs(4_000_000_000);
        let old = sdk.head_object().bucket(NAME).key("a b/1.txt").if_modified_since(since).send().await;
        assert_eq!(refusal(old).0, 304);
        let beyond = sdk.get_object().bucket(NAME).key("a b/1.txt").range("bytes=10-").send().await;
        assert_eq!(refusal(beyond), (416, "InvalidRange".to_owned()));
        let chosen = sdk.get_object().bucket(NAME).key("a b/1.txt").response_content_type("text/csv");
        assert_eq!(chosen.send().await.unwrap().content_type(), Some("text/csv"));
    }
}

#[tokio::test]
async fn the_second_read_is_from_the_cache_whoever_reads_first() {
    let s3 = s3().await;
    s3.store().put_with(BEHIND, "files/a", "x".into(), described());
    let server = serving(mount(&s3).cache(&cache()).default_cache_control("max-age=60")).await;
    let mut web = Client::connect(Protocol::Http1, server.addr).await;
    let sdk = sdk(&server, READER);
    let read = sdk.get_object().bucket(NAME).key("a").send().await.unwrap();
    assert_eq!(read.body.collect().await.unwrap().into_bytes(), "x");
    let count = asked(&s3).len();
    let read = sdk.get_object().bucket(NAME).key("a").send().await.unwrap();
    assert_eq!(read.metadata().unwrap()["mtime"], "17");
    let page = web.ask(get("/media/a")).await;
    assert_eq!((page.status.as_u16(), page.text()), (200, "x"));
    assert_eq!(asked(&s3).len(), count, "{:?}", asked(&s3));
    assert!(!page.headers.contains_key("x-amz-meta-mtime"), "{:?}", page.headers);

    s3.store().put_with(BEHIND, "files/b", "y".into(), described());
    let page = web.ask(get("/media/b")).await;
    assert!(!page.headers.contains_key("x-amz-meta-mtime"), "{:?}", page.headers);
    let count = asked(&s3).len();
    let read = sdk.head_object().bucket(NAME).key("b").send().await.unwrap();
    assert_eq!((read.metadata().unwrap()["mtime"].as_str(), asked(&s3).len()), ("17", count));
}

#[tokio::test]
async fn errors_are_s3s_to_its_clients_and_the_webs_to_the_web() {
    let s3 = s3().await;
    s3.store().put(BEHIND, "files/raw/a", "x".into());
    s3.store().put(BEHIND, "files/b", "x".into());
    let server = serving(mount(&s3)).await;
    let reader = sdk(&server, READER);
    let code = |told: (u16, String)| format!("{} {}", told.0, told.1);
    let absent = reader.get_object().bucket(NAME).key("absent").send().await;
    assert_eq!(code(refusal(absent)), "404 NoSuchKey");
    let absent = reader.head_object().bucket(NAME).key("absent").send().await;
    assert_eq!(refusal(absent).0, 404);
    let other = reader.get_object().bucket("other").key("absent").send().await;
    assert_eq!(code(refusal(other)), "404 NoSuchBucket");
    let ingest = sdk(&server, INGEST);
    assert!(ingest.get_object().bucket(NAME).key("raw/a").send().await.is_ok());
    let outside = ingest.get_object().bucket(NAME).key("b").send().await;
    assert_eq!(code(refusal(outside)), "403 AccessDenied");
    let part = reader.get_object().bucket(NAME).key("b").part_number(1).send().await;
    assert_eq!(code(refusal(part)), "501 NotImplemented");
    let version = reader.get_object().bucket(NAME).key("b").version_id("1").send().await;
    assert_eq!(code(refusal(version)), "501 NotImplemented");
    let acl = reader.get_object_acl().bucket(NAME).key("b").send().await;
    assert_eq!(code(refusal(acl)), "501 NotImplemented");
    let policy = reader.get_bucket_policy().bucket(NAME).send().await;
    assert_eq!(code(refusal(policy)), "501 NotImplemented");
    let dots = reader.get_object().bucket(NAME).key("a/../../secret").send().await;
    assert_eq!(code(refusal(dots)), "400 InvalidURI");

    let mut web = Client::connect(Protocol::Http1, server.addr).await;
    let absent = web.ask(get("/media/absent")).await;
    assert_eq!((absent.status.as_u16(), absent.header("content-type")), (404, "text/plain; charset=utf-8"));
    let put = web.ask(request("PUT", "/media/b", &[])).await;
    assert_eq!(put.status, 405);
    assert!(asked(&s3).iter().all(|asked| asked.starts_with("GET ") || asked.starts_with("HEAD ")));
}

#[tokio::test]
async fn names_that_clients_trip_over_name_the_same_object() {
    let s3 = s3().await;
    let server = serving(mount(&s3)).await;
    let sdk = sdk(&server, READER);
    for key in NASTY_KEYS {
        s3.store().put(BEHIND, &format!("files/{key}"), Bytes::from(key.to_owned()));
        let read = sdk.get_object().bucket(NAME).key(key).send().await;
        match read {
            Ok(read) => assert_eq!(read.body.collect().await.unwrap().into_bytes(), key, "{key:?}"),
            // A path that ends after the bucket and a slash is the bucket's own, to S3 as well.
            Err(_) if key == "/" => {}
            Err(why) => panic!("{key:?}: {why:?}"),
        }
    }
}

#[tokio::test]
async fn at_the_root_the_bucket_has_its_own_name() {
    let s3 = s3().await;
    s3.store().put(BEHIND, "a", "x".into());
    let server = serving(bare(&s3).client_keys(&super::table())).await;
    let sdk = sdk(&server, READER);
    let read = sdk.get_object().bucket(BEHIND).key("a").send().await.unwrap();
    assert_eq!(read.body.collect().await.unwrap().into_bytes(), "x");
    let other = sdk.get_object().bucket("other").key("a").send().await;
    assert_eq!(refusal(other), (404, "NoSuchBucket".to_owned()));
    let mut web = Client::connect(Protocol::Http1, server.addr).await;
    assert_eq!(web.ask(get("/a")).await.text(), "x");
}

#[tokio::test]
async fn the_authorizer_knows_which_client_asks_and_its_denial_is_s3s() {
    let s3 = s3().await;
    s3.store().put(BEHIND, "files/a", "x".into());
    let readers_only = Authorizer::new(|request| async move {
        let key = request.head().extensions.get::<ClientAccessKey>();
        Ok(match key.map(ClientAccessKey::as_str) {
            Some("reader") if request.key().as_str() == "files/a" => Access::Allow,
            _ => Access::Deny(Denial::forbidden()),
        })
    });
    let server = serving(mount(&s3).authorize(readers_only)).await;
    assert!(sdk(&server, READER).get_object().bucket(NAME).key("a").send().await.is_ok());
    let other = sdk(&server, super::WRITER).get_object().bucket(NAME).key("a").send().await;
    assert_eq!(refusal(other), (403, "AccessDenied".to_owned()));
    let mut web = Client::connect(Protocol::Http1, server.addr).await;
    assert_eq!(web.ask(get("/media/a")).await.status, 403);
}

#[tokio::test]
async fn s3_clients_are_not_sent_elsewhere() {
    let s3 = s3().await;
    s3.store().put(BEHIND, "files/a", "x".into());
    let server = serving(mount(&s3).links(LinkPolicy::new().redirect(Redirect::always()))).await;
    let mut web = Client::connect(Protocol::Http1, server.addr).await;
    assert_eq!(web.ask(get("/media/a")).await.status, 307);
    let read = sdk(&server, READER).get_object().bucket(NAME).key("a").send().await.unwrap();
    assert_eq!(read.body.collect().await.unwrap().into_bytes(), "x");
}

#[tokio::test]
async fn a_table_that_is_replaced_counts_from_the_next_request() {
    let s3 = s3().await;
    s3.store().put(BEHIND, "files/a", "x".into());
    let keys = super::table();
    let server = serving(bare(&s3).at("/media").prefix("files").client_keys(&keys)).await;
    let sdk = sdk(&server, READER);
    assert!(sdk.get_object().bucket(NAME).key("a").send().await.is_ok());
    keys.replace([ClientKey::new(READER.0, "another-secret")]).unwrap();
    let read = sdk.get_object().bucket(NAME).key("a").send().await;
    assert_eq!(refusal(read), (403, "SignatureDoesNotMatch".to_owned()));
    keys.replace([ClientKey::new("other", "another-secret")]).unwrap();
    let read = sdk.get_object().bucket(NAME).key("a").send().await;
    assert_eq!(refusal(read), (403, "InvalidAccessKeyId".to_owned()));
    let _: ClientKeys = keys;
}

#[test]
fn a_mount_that_is_no_bucket_takes_no_client_keys() {
    use tower_s3_proxy::{ConfigErrorKind, Mount};

    let region = |builder: tower_s3_proxy::MountBuilder| builder.region("us-west-2").anonymous();
    let one = || region(Mount::builder(crate::support::bucket(BEHIND)));
    for (builder, wrong) in [
        (one().at("/a/b"), Some("one segment")),
        (region(Mount::bucket_from_path(["media-*"])), Some("one bucket")),
        (one().at("/a"), None),
        (one(), None),
    ] {
        let built = builder.client_keys(&super::table()).build();
        match (built, wrong) {
            (Ok(_), None) => {}
            (Err(why), Some(wrong)) => {
                assert_eq!(why.kind(), ConfigErrorKind::Contradiction);
                assert!(why.to_string().contains(wrong), "{why}");
            }
            (built, wrong) => panic!("{built:?} and not {wrong:?}"),
        }
    }
}
