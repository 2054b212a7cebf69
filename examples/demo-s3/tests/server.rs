//! The server, asked by the AWS SDK and, where the SDK is too polite, by hand.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::{
    BucketVersioningStatus, CompletedMultipartUpload, CompletedPart, Delete, EncodingType, ObjectIdentifier,
    VersioningConfiguration,
};
use aws_smithy_http_client::Builder as HttpClientBuilder;
use bytes::Bytes;
use demo_s3::{Credential, DEMO_ACCESS_KEY, DEMO_SECRET_KEY, DemoS3, Denial, ObjectAttributes, seed};
use http::{HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const BUCKET: &str = "media";

type Headers<'a> = &'a [(&'a str, &'a str)];

#[tokio::test]
async fn object_round_trips_with_its_headers() {
    let s3 = start().await;
    let client = client(&s3);
    let put = client
        .put_object()
        .bucket(BUCKET)
        .key("a.css")
        .body(ByteStream::from_static(b"body {}"))
        .content_type("text/css")
        .cache_control("max-age=60")
        .content_language("en")
        .content_disposition("inline")
        .content_encoding("identity")
        .metadata("owner", "docs")
        .send()
        .await
        .unwrap();
    // By md5sum.
    assert_eq!(put.e_tag(), Some("\"fcdce6b6d6e2175f6406869882f6f1ce\""));

    let got = client.get_object().bucket(BUCKET).key("a.css").send().await;
    let got = got.unwrap();
    assert_eq!(got.e_tag(), put.e_tag());
    assert_eq!(got.content_type(), Some("text/css"));
    assert_eq!(got.cache_control(), Some("max-age=60"));
    assert_eq!(got.content_language(), Some("en"));
    assert_eq!(got.content_disposition(), Some("inline"));
    assert_eq!(got.content_encoding(), Some("identity"));
    assert_eq!(got.metadata().unwrap()["owner"], "docs");
    assert_eq!(got.accept_ranges(), Some("bytes"));
    assert_eq!(got.version_id(), None);
    assert_eq!(read(got.body).await, "body {}");

    let head = client.head_object().bucket(BUCKET).key("a.css").send();
    let head = head.await.unwrap();
    assert_eq!(head.content_length(), Some(7));
    assert_eq!(head.e_tag(), put.e_tag());

    client.delete_object().bucket(BUCKET).key("a.css").send().await.unwrap();
    let gone = client.get_object().bucket(BUCKET).key("a.css").send().await;
    assert_eq!(failure(gone), (404, "NoSuchKey".to_owned()));
    let gone = client.get_object().bucket("nowhere").key("a").send().await;
    assert_eq!(failure(gone), (404, "NoSuchBucket".to_owned()));
}

#[tokio::test]
async fn wrong_credentials_are_refused_as_s3_refuses_them() {
    let s3 = DemoS3::builder()
        .bucket(BUCKET)
        .credentials("AKIDLONG", "secret")
        .credential(Credential::new("AKIDTEMP", "secret").with_session_token("token"))
        .region("us-west-2")
        .start()
        .await
        .unwrap();
    s3.store().put(BUCKET, "a", Bytes::from_static(b"a"));
    let west = "us-west-2";
    for (key, secret, token, region, outcome) in [
        ("AKIDLONG", "secret", None, west, None),
        ("AKIDTEMP", "secret", Some("token"), west, None),
        ("AKIDLONG", "wrong", None, west, Some((403, "SignatureDoesNotMatch"))),
        ("AKIDNONE", "secret", None, west, Some((403, "InvalidAccessKeyId"))),
        ("AKIDTEMP", "secret", None, west, Some((403, "InvalidAccessKeyId"))),
        ("AKIDTEMP", "secret", Some("other"), west, Some((400, "InvalidToken"))),
        ("AKIDLONG", "secret", None, "us-east-1", Some((400, "AuthorizationHeaderMalformed"))),
    ] {
        let keys = Credentials::new(key, secret, token.map(str::to_owned), None, "test");
        let client = client_with(&s3, keys, region);
        let got = client.get_object().bucket(BUCKET).key("a").send().await;
        let listed = client.list_objects_v2().bucket(BUCKET).send().await;
        match outcome {
            None => {
                assert_eq!(read(got.unwrap().body).await, "a");
                assert_eq!(listed.unwrap().key_count(), Some(1));
            }
            Some((status, code)) => {
                assert_eq!(failure(got), (status, code.to_owned()), "{key} {secret}");
                assert_eq!(failure(listed), (status, code.to_owned()), "{key} {secret}");
            }
        }
    }

    s3.expire_credential("AKIDTEMP");
    let keys = Credentials::new("AKIDTEMP", "secret", Some("token".into()), None, "test");
    let got = client_with(&s3, keys, west).get_object().bucket(BUCKET).key("a");
    assert_eq!(failure(got.send().await), (400, "ExpiredToken".to_owned()));
}

#[tokio::test]
async fn keys_are_byte_exact() {
    let s3 = start().await;
    let client = client(&s3);
    let keys = [
        "a//b",
        "/a",
        "//",
        "/",
        "a/",
        "a/./b",
        "./x",
        "../x",
        "a/../../x",
        " x ",
        "a b",
        "a+b",
        "100%",
        "%2F",
        "a%20b",
        "ünïcödé",
        "日本語",
        "😀",
        "a=b@c'(d)!*:&$,;",
        "?q=1",
        "#f",
        "~-_.",
        "[x]{y}|^`\\\"<>",
        "list-type=2",
    ];
    for key in keys {
        let put = client.put_object().bucket(BUCKET).key(key);
        let body = ByteStream::from(key.as_bytes().to_vec());
        put.body(body).send().await.unwrap_or_else(|e| panic!("put {key:?}: {e:?}"));
        let got = client.get_object().bucket(BUCKET).key(key).send().await;
        let got = got.unwrap_or_else(|e| panic!("get {key:?}: {e:?}"));
        assert_eq!(read(got.body).await, key);
    }
    let mut expected: Vec<_> = keys.iter().map(|key| key.to_string()).collect();
    expected.sort();
    assert_eq!(s3.store().keys(BUCKET), expected);

    let listed = client.list_objects_v2().bucket(BUCKET).send().await.unwrap();
    let listed: Vec<_> = listed.contents().iter().map(|o| o.key().unwrap()).collect();
    assert_eq!(listed, expected);

    for key in keys {
        let copied = client
            .copy_object()
            .bucket(BUCKET)
            .key("copy")
            .copy_source(format!("{BUCKET}/{}", encoded(key)))
            .send()
            .await;
        copied.unwrap_or_else(|e| panic!("copy {key:?}: {e:?}"));
        assert_eq!(s3.store().object(BUCKET, "copy").unwrap().bytes, key);
    }
}

#[tokio::test]
async fn presigned_url_reads_and_overrides_headers() {
    let s3 = start().await;
    s3.store().put(BUCKET, "a b+c", Bytes::from_static(b"hello"));
    let presigned = client(&s3)
        .get_object()
        .bucket(BUCKET)
        .key("a b+c")
        .response_content_type("text/x-odd")
        .presigned(PresigningConfig::expires_in(Duration::from_secs(60)).unwrap())
        .await
        .unwrap();
    let path = presigned.uri().strip_prefix(&s3.endpoint()).unwrap();
    let answer = raw(&s3, "GET", path, &[]).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/x-odd"));
    assert_eq!(answer.body, b"hello");
    let forged = path.replace("a%20b", "a%20c");
    assert_eq!(raw(&s3, "GET", &forged, &[]).await.status, 403);
}

#[tokio::test]
async fn ranges_and_conditions_follow_rfc_9110() {
    let s3 = DemoS3::builder().anonymous_read(BUCKET).start().await.unwrap();
    // Sun, 06 Nov 1994 08:49:37 GMT
    let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
    let attributes = ObjectAttributes::new()
        .cache_control(HeaderValue::from_static("max-age=60"))
        .header(HeaderName::from_static("x-amz-storage-class"), HeaderValue::from_static("STANDARD_IA"))
        .last_modified(modified);
    let body = Bytes::from_static(b"0123456789");
    let etag = s3.store().put_with(BUCKET, "a", body, attributes).etag;
    let list = format!("\"x,y\", W/{etag}");
    let at = "Sun, 06 Nov 1994 08:49:37 GMT";
    let asctime = "Sun Nov  6 08:49:36 1994";

    let rows: [(Headers<'_>, u16, &str, Option<&str>); 15] = [
        (&[], 200, "0123456789", None),
        (&[("range", "bytes=2-4")], 206, "234", Some("bytes 2-4/10")),
        (&[("range", "bytes=-3")], 206, "789", Some("bytes 7-9/10")),
        (&[("range", "bytes=8-99")], 206, "89", Some("bytes 8-9/10")),
        (&[("range", "bytes=0-1,4-5")], 200, "0123456789", None),
        (&[("range", "bytes=5-2")], 200, "0123456789", None),
        (&[("range", "pages=1-2")], 200, "0123456789", None),
        (&[("if-none-match", &list)], 304, "", None),
        (&[("if-none-match", "*")], 304, "", None),
        (&[("if-none-match", "\"x\""), ("if-modified-since", at)], 200, "0123456789", None),
        (&[("if-modified-since", at)], 304, "", None),
        (&[("if-modified-since", asctime)], 200, "0123456789", None),
        (&[("if-match", &etag), ("if-unmodified-since", asctime)], 200, "0123456789", None),
        (&[("range", "bytes=2-4"), ("if-range", &etag)], 206, "234", Some("bytes 2-4/10")),
        (&[("range", "bytes=2-4"), ("if-range", "\"x\"")], 200, "0123456789", None),
    ];
    for (headers, status, body, range) in rows {
        let got = raw(&s3, "GET", "/media/a", headers).await;
        assert_eq!(got.status, status, "{headers:?}");
        assert_eq!(String::from_utf8_lossy(&got.body), body, "{headers:?}");
        assert_eq!(got.header("content-range"), range, "{headers:?}");
        assert_eq!(got.header("etag"), Some(etag.as_str()), "{headers:?}");
        assert_eq!(got.header("last-modified"), Some(at), "{headers:?}");
        assert_eq!(got.header("cache-control"), Some("max-age=60"), "{headers:?}");

        let head = raw(&s3, "HEAD", "/media/a", headers).await;
        assert_eq!(head.status, status, "HEAD {headers:?}");
        assert_eq!(head.header("content-range"), range, "HEAD {headers:?}");
        if status != 304 {
            assert_eq!(head.header("content-length"), Some(body.len().to_string().as_str()));
            assert_eq!(head.header("x-amz-storage-class"), Some("STANDARD_IA"));
        }
    }
    let refused: [(Headers<'_>, u16, &str); 5] = [
        (&[("range", "bytes=10-")], 416, "InvalidRange"),
        (&[("range", "bytes=-0")], 416, "InvalidRange"),
        (&[("if-match", "\"x\"")], 412, "PreconditionFailed"),
        (&[("if-match", &list)], 412, "PreconditionFailed"),
        (&[("if-unmodified-since", asctime)], 412, "PreconditionFailed"),
    ];
    for (headers, status, code) in refused {
        let got = raw(&s3, "GET", "/media/a", headers).await;
        assert_eq!(got.status, status, "{headers:?}");
        assert!(got.text().contains(&format!("<Code>{code}</Code>")), "{}", got.text());
        assert_eq!(got.header("content-type"), Some("application/xml"));
        let range = (status == 416).then_some("bytes */10");
        assert_eq!(got.header("content-range"), range, "{headers:?}");
    }
}

#[tokio::test]
async fn public_bucket_is_readable_but_not_listable() {
    let s3 = DemoS3::builder().anonymous_read("open").bucket("shut").start().await.unwrap();
    s3.store().put("open", "a", Bytes::from_static(b"a"));
    s3.store().put("shut", "a", Bytes::from_static(b"a"));
    for (path, status) in [
        ("/open/a", 200),
        ("/open/b", 403),
        ("/open/a?response-content-type=x", 400),
        ("/open/a?acl", 403),
        ("/open", 403),
        ("/shut/a", 403),
        ("/", 403),
    ] {
        assert_eq!(raw(&s3, "GET", path, &[]).await.status, status, "{path}");
    }
}

#[tokio::test]
async fn path_style_keeps_a_leading_slash_and_virtual_host_names_the_bucket() {
    let s3 = DemoS3::builder().anonymous_read(BUCKET).virtual_host("s3.test").start().await.unwrap();
    s3.store().put(BUCKET, "/a", Bytes::from_static(b"slash"));
    s3.store().put(BUCKET, "a", Bytes::from_static(b"plain"));
    for (host, path, body) in [
        ("127.0.0.1", "/media//a", "slash"),
        ("127.0.0.1", "/media/a", "plain"),
        ("media.s3.test:9000", "//a", "slash"),
        ("media.s3.test", "/a", "plain"),
        ("s3.test", "/media/a", "plain"),
        ("elsewhere.test", "/media/a", "plain"),
    ] {
        let got = raw(&s3, "GET", path, &[("host", host)]).await;
        assert_eq!(got.text(), body, "{host}{path}");
    }
}

#[tokio::test]
async fn versions_and_delete_markers_are_kept() {
    let s3 = start().await;
    let client = client(&s3);
    let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    let first = s3.store().put(BUCKET, "a", Bytes::from_static(b"one"));
    assert_eq!(first.version_id, None);
    client.put_bucket_versioning().bucket(BUCKET).versioning_configuration(enabled).send().await.unwrap();
    let put = client.put_object().bucket(BUCKET).key("a").body(ByteStream::from_static(b"two"));
    let second = put.send().await.unwrap().version_id.unwrap();

    for (version, body) in [("null", "one"), (second.as_str(), "two")] {
        let got = client.get_object().bucket(BUCKET).key("a").version_id(version);
        let got = got.send().await.unwrap();
        assert_eq!(got.version_id(), Some(version));
        assert_eq!(read(got.body).await, body);
    }

    let deleted = client.delete_object().bucket(BUCKET).key("a").send().await.unwrap();
    assert_eq!(deleted.delete_marker(), Some(true));
    let marker = deleted.version_id.unwrap();
    let gone = client.get_object().bucket(BUCKET).key("a").send().await.unwrap_err();
    let response = gone.raw_response().unwrap();
    assert_eq!(response.headers().get("x-amz-delete-marker"), Some("true"));
    assert_eq!(response.headers().get("x-amz-version-id"), Some(marker.as_str()));
    assert_eq!(failure(Err::<(), _>(gone)), (404, "NoSuchKey".to_owned()));
    let of_marker = client.get_object().bucket(BUCKET).key("a").version_id(&marker);
    assert_eq!(failure(of_marker.send().await), (405, "MethodNotAllowed".to_owned()));

    let listed = client.list_object_versions().bucket(BUCKET).max_keys(2).send().await.unwrap();
    assert_eq!(listed.delete_markers()[0].version_id(), Some(marker.as_str()));
    assert_eq!(listed.versions()[0].version_id(), Some(second.as_str()));
    assert_eq!(listed.is_truncated(), Some(true));
    let rest = client
        .list_object_versions()
        .bucket(BUCKET)
        .key_marker(listed.next_key_marker().unwrap())
        .version_id_marker(listed.next_version_id_marker().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(rest.versions()[0].version_id(), Some("null"));
    assert_eq!(rest.is_truncated(), Some(false));

    let unmark = client.delete_object().bucket(BUCKET).key("a").version_id(&marker);
    assert_eq!(unmark.send().await.unwrap().delete_marker(), Some(true));
    let got = client.get_object().bucket(BUCKET).key("a").send().await.unwrap();
    assert_eq!(read(got.body).await, "two");
}

#[tokio::test]
async fn listings_page_and_group() {
    let s3 = start().await;
    let client = client(&s3);
    for key in ["a", "b/1", "b/2", "c d", "e/3"] {
        s3.store().put(BUCKET, key, Bytes::from_static(b"x"));
    }
    let mut found = Vec::new();
    let mut pages =
        client.list_objects_v2().bucket(BUCKET).delimiter("/").into_paginator().page_size(1).send();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        found.extend(page.contents().iter().map(|o| o.key().unwrap().to_owned()));
        found.extend(page.common_prefixes().iter().map(|p| p.prefix().unwrap().to_owned()));
    }
    assert_eq!(found, ["a", "b/", "c d", "e/"]);

    let v1 = client
        .list_objects()
        .bucket(BUCKET)
        .prefix("b/")
        .max_keys(1)
        .encoding_type(EncodingType::Url)
        .send()
        .await
        .unwrap();
    assert_eq!(v1.contents()[0].key(), Some("b/1"));
    assert_eq!(v1.is_truncated(), Some(true));
    let v1 = client.list_objects().bucket(BUCKET).marker("b/2").encoding_type(EncodingType::Url);
    assert_eq!(v1.send().await.unwrap().contents()[0].key(), Some("c+d"));

    let objects = ["a", "b/1", "nowhere"].map(|key| ObjectIdentifier::builder().key(key).build().unwrap());
    let delete = Delete::builder().set_objects(Some(objects.to_vec())).build().unwrap();
    let deleted = client.delete_objects().bucket(BUCKET).delete(delete).send().await.unwrap();
    assert_eq!(deleted.deleted().len(), 3);
    assert_eq!(s3.store().keys(BUCKET), ["b/2", "c d", "e/3"]);

    client.head_bucket().bucket(BUCKET).send().await.unwrap();
    let none = client.head_bucket().bucket("nowhere").send().await;
    assert_eq!(none.unwrap_err().raw_response().unwrap().status().as_u16(), 404);
    client.create_bucket().bucket("more").send().await.unwrap();
    assert_eq!(client.list_buckets().send().await.unwrap().buckets().len(), 2);
    let location = client.get_bucket_location().bucket(BUCKET).send().await.unwrap();
    assert!(location.location_constraint().is_none_or(|c| c.as_str().is_empty()));
}

#[tokio::test]
async fn multipart_upload_makes_one_object_of_its_parts() {
    let s3 = start().await;
    let client = client(&s3);
    let upload = client.create_multipart_upload().bucket(BUCKET).key("film").content_type("video/webm");
    let id = upload.send().await.unwrap().upload_id.unwrap();
    let mut parts = CompletedMultipartUpload::builder();
    let mut whole = Vec::new();
    for (number, len) in [(1, 5 << 20), (2, 100)] {
        let body = vec![number as u8; len];
        whole.extend_from_slice(&body);
        let part = client
            .upload_part()
            .bucket(BUCKET)
            .key("film")
            .upload_id(&id)
            .part_number(number)
            .body(body.into())
            .send()
            .await
            .unwrap();
        let part = CompletedPart::builder().part_number(number).set_e_tag(part.e_tag);
        parts = parts.parts(part.build());
    }
    let listed = client.list_parts().bucket(BUCKET).key("film").upload_id(&id).send().await;
    assert_eq!(listed.unwrap().parts().len(), 2);
    let done = client
        .complete_multipart_upload()
        .bucket(BUCKET)
        .key("film")
        .upload_id(&id)
        .multipart_upload(parts.build())
        .send()
        .await
        .unwrap();
    assert!(done.e_tag().unwrap().ends_with("-2\""), "{done:?}");

    let got = client.get_object().bucket(BUCKET).key("film").send().await.unwrap();
    assert_eq!(got.content_type(), Some("video/webm"));
    assert_eq!(got.body.collect().await.unwrap().into_bytes(), whole);
    let part = client.get_object().bucket(BUCKET).key("film").part_number(2).send().await.unwrap();
    assert_eq!(part.parts_count(), Some(2));
    assert_eq!(part.content_range(), Some("bytes 5242880-5242979/5242980"));

    let again = client.abort_multipart_upload().bucket(BUCKET).key("film").upload_id(&id);
    assert_eq!(failure(again.send().await), (404, "NoSuchUpload".to_owned()));
}

#[tokio::test]
async fn conditional_write_does_not_overwrite() {
    let s3 = start().await;
    let client = client(&s3);
    let put = || client.put_object().bucket(BUCKET).key("a").body(ByteStream::from_static(b"new"));
    let etag = put().if_none_match("*").send().await.unwrap().e_tag.unwrap();
    let again = put().if_none_match("*").send().await;
    assert_eq!(failure(again), (412, "PreconditionFailed".to_owned()));
    assert_eq!(failure(put().if_match("\"x\"").send().await).0, 412);
    put().if_match(etag).send().await.unwrap();
    let since =
        client.get_object().bucket(BUCKET).key("a").if_modified_since(DateTime::from(SystemTime::now()));
    assert_eq!(since.send().await.unwrap_err().raw_response().unwrap().status().as_u16(), 304);
}

#[tokio::test]
async fn faults_act_as_often_as_asked() {
    let s3 = DemoS3::builder().anonymous_read(BUCKET).start().await.unwrap();
    let store = s3.store();
    store.put(BUCKET, "a", Bytes::from(vec![7; 1 << 20]));
    store.deny_times(BUCKET, "a", Denial::SlowDown, 1);
    let slow = raw(&s3, "GET", "/media/a", &[]).await;
    assert_eq!(slow.status, 503);
    assert!(slow.text().contains("<Code>SlowDown</Code>"));

    store.break_off(BUCKET, "a", 300_000, 1);
    let broken = raw(&s3, "GET", "/media/a", &[]).await;
    assert_eq!((broken.status, broken.body.len()), (200, 300_000));
    assert_eq!(raw(&s3, "GET", "/media/a", &[]).await.body.len(), 1 << 20);

    store.deny(BUCKET, "a", Denial::InvalidObjectState);
    assert_eq!(raw(&s3, "HEAD", "/media/a", &[]).await.status, 403);
    store.heal(BUCKET, "a");

    let hold = store.hold(BUCKET, "a");
    s3.clear_log();
    let (held, ()) = tokio::join!(raw(&s3, "GET", "/media/a", &[]), async {
        while s3.log().is_empty() {
            tokio::task::yield_now().await;
        }
        drop(hold);
    });
    assert_eq!(held.status, 200);
}

#[tokio::test]
async fn log_shows_requests_as_received() {
    let s3 = start().await;
    let got = raw(&s3, "GET", "/media/a%2Fb%20c?x=%41", &[("x-odd", "1")]).await;
    assert_eq!(got.status, 403);
    assert_eq!(got.header("server"), Some("AmazonS3"));
    assert!(got.header("x-amz-request-id").is_some());
    let log = s3.log();
    assert_eq!(log.len(), 1);
    assert_eq!(log[0].method, "GET");
    assert_eq!(log[0].uri, "/media/a%2Fb%20c?x=%41");
    assert_eq!(log[0].headers["x-odd"], "1");
    s3.clear_log();
    assert!(s3.log().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn folder_of_the_demo_is_served_from_its_files() {
    let dir = std::env::temp_dir().join(format!("demo-s3-{}", std::process::id()));
    seed(&dir).await.unwrap();
    let s3 = DemoS3::builder().folder(BUCKET, &dir).start().await.unwrap();
    let client = client(&s3);
    for (key, kind) in [
        ("index.html", "text/html"),
        ("media/clock.webm", "video/webm"),
        ("media/arpeggio.mp3", "audio/mpeg"),
        ("images/dawn.webp", "image/webp"),
        ("docs/guide/start.html", "text/html"),
        ("odd names/ünïcödé + 100%.txt", "text/plain"),
    ] {
        let got = client.get_object().bucket(BUCKET).key(key).send().await.unwrap();
        assert_eq!(got.content_type(), Some(kind), "{key}");
        let body = got.body.collect().await.unwrap().into_bytes();
        assert_eq!(body, std::fs::read(dir.join(key)).unwrap(), "{key}");
    }
    let part = client.get_object().bucket(BUCKET).key("media/clock.webm").range("bytes=100000-100009");
    let part = part.send().await.unwrap().body.collect().await.unwrap().into_bytes();
    assert_eq!(part, std::fs::read(dir.join("media/clock.webm")).unwrap()[100_000..100_010]);

    // An edited file is a new object; a removed one is none.
    let before = s3.store().object(BUCKET, "notes.txt").unwrap().etag;
    std::fs::write(dir.join("notes.txt"), "edited").unwrap();
    let after = client.get_object().bucket(BUCKET).key("notes.txt").send().await.unwrap();
    assert_ne!(after.e_tag(), Some(before.as_str()));
    assert_eq!(read(after.body).await, "edited");
    std::fs::remove_file(dir.join("notes.txt")).unwrap();
    let gone = client.get_object().bucket(BUCKET).key("notes.txt").send().await;
    assert_eq!(failure(gone), (404, "NoSuchKey".to_owned()));
    std::fs::remove_dir_all(&dir).unwrap();
}

#[tokio::test]
async fn dropping_the_server_closes_its_connections() {
    let s3 = start().await;
    let mut idle = TcpStream::connect(s3.addr()).await.unwrap();
    idle.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut byte = [0];
    idle.read_exact(&mut byte).await.unwrap();
    assert_eq!(s3.connections(), 1);
    drop(s3);
    let mut rest = Vec::new();
    // Ends, by a close or a reset, instead of waiting for ever.
    let _ = idle.read_to_end(&mut rest).await;
}

async fn start() -> DemoS3 {
    DemoS3::builder().bucket(BUCKET).start().await.unwrap()
}

fn client(s3: &DemoS3) -> Client {
    let keys = Credentials::new(DEMO_ACCESS_KEY, DEMO_SECRET_KEY, None, None, "test");
    client_with(s3, keys, "us-east-1")
}

fn client_with(s3: &DemoS3, keys: Credentials, region: &str) -> Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .credentials_provider(keys)
        .endpoint_url(s3.endpoint())
        .force_path_style(true)
        .http_client(HttpClientBuilder::new().build_http())
        .build();
    Client::from_conf(config)
}

async fn read(body: ByteStream) -> String {
    String::from_utf8(body.collect().await.unwrap().to_vec()).unwrap()
}

/// The status and the code of a refusal.
fn failure<T, E>(outcome: Result<T, SdkError<E>>) -> (u16, String)
where
    E: ProvideErrorMetadata + std::fmt::Debug,
{
    let Err(error) = outcome else {
        panic!("this must fail");
    };
    let status = error.raw_response().map_or(0, |r| r.status().as_u16());
    (status, error.code().unwrap_or_default().to_owned())
}

fn encoded(key: &str) -> String {
    percent_encoding::utf8_percent_encode(key, percent_encoding::NON_ALPHANUMERIC).to_string()
}

struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|(n, _)| n == name)?;
        Some(&header.1)
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// An unsigned request, byte for byte, on a connection of its own.
async fn raw(s3: &DemoS3, method: &str, path: &str, headers: Headers<'_>) -> Answer {
    let mut request = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "host") {
        request += &format!("host: {}\r\n", s3.addr());
    }
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    let mut stream = TcpStream::connect(s3.addr()).await.unwrap();
    stream.write_all(format!("{request}\r\n").as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    Answer { status, headers, body: bytes[end + 4..].to_vec() }
}
