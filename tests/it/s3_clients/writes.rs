use std::time::{Duration, SystemTime};

use aws_sdk_s3::{
    Client as Sdk,
    presigning::PresigningConfig,
    primitives::ByteStream,
    types::{
        ChecksumAlgorithm, Delete, MetadataDirective, ObjectCannedAcl, ObjectIdentifier, ServerSideEncryption,
    },
};
use bytes::Bytes;
use demo_s3::DemoS3;
use http::Request;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use tower_s3_proxy::{
    Cors,
    writes::{Writers, Writes},
};

use super::{BEHIND, INGEST, NAME, READER, WRITER, asked, cache, mount, refusal, s3, sdk, serving};
use crate::support::{Answer, NASTY_KEYS, Server};

/// The keys below the mount.
fn stored(s3: &DemoS3) -> Vec<String> {
    s3.store().keys(BEHIND)
}

async fn put(sdk: &Sdk, key: &str, body: &str) {
    let body = ByteStream::from(body.as_bytes().to_vec());
    sdk.put_object().bucket(NAME).key(key).body(body).send().await.unwrap();
}

#[tokio::test]
async fn what_is_put_is_read_and_the_cache_forgets_what_was_there() {
    let s3 = s3().await;
    let server = serving(mount(&s3).cache(&cache()).default_cache_control("max-age=3600")).await;
    let sdk = sdk(&server, WRITER);
    let read = async |key: &str| {
        let read = sdk.get_object().bucket(NAME).key(key).send().await.unwrap();
        read.body.collect().await.unwrap().into_bytes()
    };
    put(&sdk, "a", "one").await;
    assert_eq!(read("a").await, "one");
    let count = asked(&s3).len();
    assert_eq!((read("a").await, asked(&s3).len()), (Bytes::from("one"), count), "from the cache");
    put(&sdk, "a", "two").await;
    assert_eq!(read("a").await, "two");
    let copied = sdk.copy_object().bucket(NAME).key("a").copy_source("media/b");
    put(&sdk, "b", "three").await;
    copied.send().await.unwrap();
    assert_eq!(read("a").await, "three");
    sdk.delete_object().bucket(NAME).key("a").send().await.unwrap();
    assert_eq!(refusal(sdk.get_object().bucket(NAME).key("a").send().await).1, "NoSuchKey");
    assert_eq!(read("b").await, "three");
    let gone = Delete::builder().objects(ObjectIdentifier::builder().key("b").build().unwrap()).build();
    sdk.delete_objects().bucket(NAME).delete(gone.unwrap()).send().await.unwrap();
    assert_eq!(refusal(sdk.get_object().bucket(NAME).key("b").send().await).1, "NoSuchKey");
    assert_eq!(stored(&s3), [""; 0]);
}

#[tokio::test]
async fn an_object_is_stored_with_what_its_client_says_of_it() {
    let s3 = s3().await;
    let server = serving(mount(&s3)).await;
    let sdk = sdk(&server, WRITER);
    let put = sdk
        .put_object()
        .bucket(NAME)
        .key("a")
        .content_type("text/csv")
        .content_encoding("gzip")
        .cache_control("max-age=7")
        .content_disposition("inline")
        .content_language("de")
        .metadata("mtime", "17")
        .acl(ObjectCannedAcl::Private)
        .body(ByteStream::from_static(b"x"));
    let put = put.send().await.unwrap();
    let head = sdk.head_object().bucket(NAME).key("a").send().await.unwrap();
    assert_eq!(put.e_tag(), head.e_tag());
    assert_eq!((head.content_type(), head.content_encoding()), (Some("text/csv"), Some("gzip")));
    assert_eq!((head.cache_control(), head.content_disposition()), (Some("max-age=7"), Some("inline")));
    assert_eq!((head.content_language(), head.metadata().unwrap()["mtime"].as_str()), (Some("de"), "17"));

    let copy = sdk.copy_object().bucket(NAME).key("b").copy_source("media/a");
    let copied = copy.send().await.unwrap();
    assert!(copied.copy_object_result().unwrap().e_tag().is_some());
    let head = sdk.head_object().bucket(NAME).key("b").send().await.unwrap();
    assert_eq!(head.metadata().unwrap()["mtime"], "17");
    let copy = sdk.copy_object().bucket(NAME).key("b").copy_source("media/a").metadata("mtime", "18");
    copy.metadata_directive(MetadataDirective::Replace).send().await.unwrap();
    let head = sdk.head_object().bucket(NAME).key("b").send().await.unwrap();
    assert_eq!(head.metadata().unwrap()["mtime"], "18");
    let taken = sdk.put_object().bucket(NAME).key("a").if_none_match("*").body(ByteStream::from_static(b"y"));
    assert_eq!(refusal(taken.send().await), (412, "PreconditionFailed".to_owned()));
}

#[tokio::test]
async fn each_checksum_reaches_s3_and_a_wrong_one_leaves_no_object() {
    let s3 = s3().await;
    let server = serving(mount(&s3)).await;
    let sdk = sdk(&server, WRITER);
    let body = || ByteStream::from(vec![7; 300_000]);
    for algorithm in [
        ChecksumAlgorithm::Crc32,
        ChecksumAlgorithm::Crc32C,
        ChecksumAlgorithm::Crc64Nvme,
        ChecksumAlgorithm::Sha1,
        ChecksumAlgorithm::Sha256,
    ] {
        let put =
            sdk.put_object().bucket(NAME).key("right").checksum_algorithm(algorithm.clone()).body(body());
        put.send().await.unwrap_or_else(|why| panic!("{algorithm:?}: {why:?}"));
        let object = s3.store().object(BEHIND, "files/right").unwrap();
        let name = format!("x-amz-checksum-{}", algorithm.as_str().to_ascii_lowercase());
        assert!(object.headers.contains_key(name.as_str()), "{name}: {object:?}");
    }
    let put = || sdk.put_object().bucket(NAME).key("wrong").body(body());
    for (put, code) in [
        (put().checksum_crc32("AAAAAA=="), "BadDigest"),
        (put().checksum_crc64_nvme("AAAAAAAAAAA="), "BadDigest"),
        (put().content_md5("AAAAAAAAAAAAAAAAAAAAAA=="), "BadDigest"),
        (put().checksum_sha256("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="), "BadDigest"),
        (put().checksum_sha1("AAAAAAAAAAAAAAAAAAAAAAAAAAA="), "BadDigest"),
    ] {
        assert_eq!(refusal(put.send().await), (400, code.to_owned()));
    }
    let empty = sdk.put_object().bucket(NAME).key("wrong").checksum_crc32("NSRBwg==");
    assert_eq!(refusal(empty.send().await), (400, "BadDigest".to_owned()));
    let empty = sdk.put_object().bucket(NAME).key("empty").send().await;
    assert!(empty.is_ok(), "{empty:?}");
    assert_eq!(stored(&s3), ["files/empty", "files/right"]);
}

/// A link that uploads, by a key.
async fn upload_link(sdk: &Sdk, key: &str, seconds_ago: u64) -> String {
    let begin = SystemTime::now() - Duration::from_secs(seconds_ago);
    let config = PresigningConfig::builder().expires_in(Duration::from_secs(60)).start_time(begin);
    let put = sdk.put_object().bucket(NAME).key(key);
    put.presigned(config.build().unwrap()).await.unwrap().uri().to_owned()
}

async fn send(
    server: &Server,
    method: &str,
    link: &str,
    fields: &[(&str, &str)],
    body: &'static str,
) -> Answer {
    let host = server.addr.to_string();
    let path = link.split_once(&host).unwrap().1;
    let request = Request::builder().method(method).uri(path).header("host", &host);
    let request = fields.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(TcpStream::connect(server.addr).await.unwrap())).await.unwrap();
    tokio::spawn(connection);
    Answer::read(sender.send_request(request.body(Full::new(Bytes::from(body))).unwrap()).await.unwrap())
        .await
}

#[tokio::test]
async fn a_link_that_uploads_stores_its_object_and_no_other() {
    let s3 = s3().await;
    let server = serving(mount(&s3)).await;
    let (writer, reader) = (sdk(&server, WRITER), sdk(&server, READER));
    put(&writer, "secret", "x").await;
    let good = upload_link(&writer, "a", 0).await;
    for (method, link, field, expected) in [
        ("PUT", good.replace("/a?", "/b?"), None, 403),
        ("DELETE", good.clone(), None, 403),
        ("POST", good.clone(), None, 403),
        ("PUT", upload_link(&writer, "a", 61).await, None, 403),
        ("PUT", upload_link(&reader, "a", 0).await, None, 403),
        ("PUT", good.clone(), Some(("x-amz-copy-source", "media/secret")), 403),
        ("PUT", format!("{good}&x-amz-copy-source=media%2Fsecret"), None, 403),
        ("PUT", good.clone(), Some(("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==")), 400),
    ] {
        let answer = send(&server, method, &link, field.as_slice(), "body").await;
        assert_eq!(answer.status, expected, "{method} {link} {field:?}: {}", answer.text());
        assert_eq!(stored(&s3), ["files/secret"]);
    }
    let answer = send(&server, "PUT", &good, &[], "body").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(stored(&s3), ["files/a", "files/secret"]);
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_no_object() {
    let s3 = s3().await;
    let server = serving(mount(&s3)).await;
    let host = server.addr.to_string();
    let link = upload_link(&sdk(&server, WRITER), "cut", 0).await;
    let path = link.split_once(&host).unwrap().1;
    for close in [true, false] {
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        let head = format!("PUT {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: 100000\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&[7; 60_000]).await.unwrap();
        if close {
            drop(stream);
        } else {
            stream.shutdown().await.unwrap();
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
        }
    }
    // Chunks of which the last is missing, with a length that is right for what came.
    let chunked = format!(
        "PUT {path} HTTP/1.1\r\nhost: {host}\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n"
    );
    let answer =
        crate::support::raw(server.addr, &chunked.replace("host:", "connection: close\r\nhost:")).await;
    assert!(answer.starts_with("HTTP/1.1 411 "), "{answer}");
    // A later upload shows that the server is past the others.
    put(&sdk(&server, WRITER), "last", "x").await;
    assert_eq!(stored(&s3), ["files/last"]);
}

#[tokio::test]
async fn a_key_for_reading_writes_nothing_and_a_key_with_prefixes_nothing_outside() {
    let s3 = s3().await;
    for key in ["files/raw/1", "files/secret", "beside"] {
        s3.store().put(BEHIND, key, "x".into());
    }
    let before = stored(&s3);
    let server = serving(mount(&s3)).await;
    let gone = |key: &str| {
        Delete::builder().objects(ObjectIdentifier::builder().key(key).build().unwrap()).build().unwrap()
    };
    for (key, name) in [(READER, "raw/1"), (INGEST, "secret")] {
        let sdk = sdk(&server, key);
        let body = || ByteStream::from_static(b"y");
        s3.clear_log();
        let denied = (403, "AccessDenied".to_owned());
        let put = sdk.put_object().bucket(NAME).key(name).body(body()).send().await;
        assert_eq!(refusal(put), denied, "{key:?}");
        assert_eq!(refusal(sdk.delete_object().bucket(NAME).key(name).send().await), denied);
        let copy = sdk.copy_object().bucket(NAME).key(name).copy_source("media/raw/1").send().await;
        assert_eq!(refusal(copy), denied);
        assert_eq!(refusal(sdk.create_multipart_upload().bucket(NAME).key(name).send().await), denied);
        let part = sdk.upload_part().bucket(NAME).key(name).upload_id("u").part_number(1).body(body());
        assert_eq!(refusal(part.send().await), denied);
        let part = sdk.upload_part_copy().bucket(NAME).key(name).upload_id("u").part_number(1);
        assert_eq!(refusal(part.copy_source("media/raw/1").send().await), denied);
        let complete = sdk.complete_multipart_upload().bucket(NAME).key(name).upload_id("u");
        let no_parts = aws_sdk_s3::types::CompletedMultipartUpload::builder().build();
        assert_eq!(refusal(complete.multipart_upload(no_parts).send().await), denied);
        let abort = sdk.abort_multipart_upload().bucket(NAME).key(name).upload_id("u").send().await;
        assert_eq!(refusal(abort), denied);
        assert_eq!(refusal(sdk.list_parts().bucket(NAME).key(name).upload_id("u").send().await), denied);
        match sdk.delete_objects().bucket(NAME).delete(gone(name)).send().await {
            Ok(told) => assert_eq!(told.errors()[0].code(), Some("AccessDenied")),
            told => assert_eq!(refusal(told), denied),
        }
        assert_eq!(asked(&s3), [""; 0], "{key:?}");
    }
    let ingest = sdk(&server, INGEST);
    for source in
        ["media/secret", "other/raw/1", "studio-media/beside", "media/raw/../secret", "media/raw/..%2Fsecret"]
    {
        s3.clear_log();
        let copy = ingest.copy_object().bucket(NAME).key("raw/2").copy_source(source).send().await;
        let (status, _) = refusal(copy);
        assert!(matches!(status, 400 | 403 | 404), "{source}: {status}");
        assert_eq!(asked(&s3), [""; 0], "{source}");
    }
    assert_eq!(stored(&s3), before);
}

#[tokio::test]
async fn what_the_mount_decides_is_not_the_clients() {
    let s3 = s3().await;
    let server = serving(mount(&s3)).await;
    let sdk = sdk(&server, WRITER);
    let put = || sdk.put_object().bucket(NAME).key("a").body(ByteStream::from_static(b"x"));
    let public = put().acl(ObjectCannedAcl::PublicRead).send().await;
    assert_eq!(refusal(public), (501, "NotImplemented".to_owned()));
    let keyed = put().server_side_encryption(ServerSideEncryption::AwsKms).send().await;
    assert_eq!(refusal(keyed), (501, "NotImplemented".to_owned()));
    let version = sdk.delete_object().bucket(NAME).key("a").version_id("1").send().await;
    assert_eq!(refusal(version), (501, "NotImplemented".to_owned()));
    let policy = sdk.put_bucket_policy().bucket(NAME).policy("{}").send().await;
    assert_eq!(refusal(policy), (501, "NotImplemented".to_owned()));
    let bucket = sdk.delete_bucket().bucket(NAME).send().await;
    assert_eq!(refusal(bucket), (501, "NotImplemented".to_owned()));
    let tags = sdk.delete_object_tagging().bucket(NAME).key("a").send().await;
    assert_eq!(refusal(tags), (501, "NotImplemented".to_owned()));
    assert_eq!(asked(&s3), [""; 0]);
}

#[tokio::test]
async fn many_are_deleted_at_once_and_those_of_others_stay() {
    let s3 = s3().await;
    let names = ["raw/1", "raw/a b+c", "raw/ü&<", "other"];
    for name in names {
        s3.store().put(BEHIND, &format!("files/{name}"), "x".into());
    }
    let server = serving(mount(&s3)).await;
    let ids = names.map(|name| ObjectIdentifier::builder().key(name).build().unwrap());
    let delete = Delete::builder().set_objects(Some(ids.to_vec())).build().unwrap();
    s3.clear_log();
    let told = sdk(&server, INGEST).delete_objects().bucket(NAME).delete(delete).send().await.unwrap();
    let mut deleted: Vec<_> = told.deleted().iter().map(|gone| gone.key().unwrap()).collect();
    deleted.sort_unstable();
    assert_eq!(deleted, ["raw/1", "raw/a b+c", "raw/ü&<"]);
    assert_eq!((told.errors().len(), told.errors()[0].key()), (1, Some("other")));
    assert_eq!(stored(&s3), ["files/other"]);
    assert_eq!(asked(&s3).len(), 1);
}

#[tokio::test]
async fn a_multipart_upload_is_made_of_its_parts() {
    let s3 = s3().await;
    let server = serving(mount(&s3).cache(&cache())).await;
    let sdk = sdk(&server, INGEST);
    let part_of = |byte: u8, length: usize| Bytes::from(vec![byte; length]);
    let key = "raw/large ü";
    let created =
        sdk.create_multipart_upload().bucket(NAME).key(key).content_type("text/csv").send().await.unwrap();
    assert_eq!((created.bucket(), created.key()), (Some(NAME), Some(key)));
    let id = created.upload_id().unwrap();
    put(&sdk, "raw/source", "0123456789").await;
    let mut parts = aws_sdk_s3::types::CompletedMultipartUpload::builder();
    for (number, body) in [(1, part_of(1, 5 << 20)), (2, part_of(2, 5 << 20))] {
        let put = sdk.upload_part().bucket(NAME).key(key).upload_id(id).part_number(number);
        let part = put.body(ByteStream::from(body)).send().await.unwrap();
        let part =
            aws_sdk_s3::types::CompletedPart::builder().part_number(number).e_tag(part.e_tag().unwrap());
        parts = parts.parts(part.build());
    }
    let wrong =
        sdk.upload_part().bucket(NAME).key(key).upload_id(id).part_number(3).checksum_crc32("AAAAAA==");
    let wrong = wrong.body(ByteStream::from(part_of(3, 100_000))).send().await;
    assert_eq!(refusal(wrong), (400, "BadDigest".to_owned()));
    let copy = sdk.upload_part_copy().bucket(NAME).key(key).upload_id(id).part_number(4);
    let copied = copy.copy_source("media/raw/source").copy_source_range("bytes=2-4").send().await.unwrap();
    let tag = copied.copy_part_result().unwrap().e_tag().unwrap();
    parts = parts.parts(aws_sdk_s3::types::CompletedPart::builder().part_number(4).e_tag(tag).build());
    let listed = sdk.list_parts().bucket(NAME).key(key).upload_id(id).send().await.unwrap();
    let sizes: Vec<_> =
        listed.parts().iter().map(|part| (part.part_number().unwrap(), part.size().unwrap())).collect();
    assert_eq!(sizes, [(1, 5 << 20), (2, 5 << 20), (4, 3)]);
    let uploads = sdk.list_multipart_uploads().bucket(NAME).send().await.unwrap();
    assert_eq!((uploads.uploads().len(), uploads.uploads()[0].key()), (1, Some(key)));
    let complete = sdk.complete_multipart_upload().bucket(NAME).key(key).upload_id(id);
    let done = complete.multipart_upload(parts.build()).send().await.unwrap();
    assert_eq!((done.bucket(), done.key()), (Some(NAME), Some(key)));
    let read = sdk.get_object().bucket(NAME).key(key).send().await.unwrap();
    assert_eq!(read.content_type(), Some("text/csv"));
    let body = read.body.collect().await.unwrap().into_bytes();
    let expected = [part_of(1, 5 << 20), part_of(2, 5 << 20), Bytes::from("234")].concat();
    assert!(body == expected, "{}", body.len());

    let created = sdk.create_multipart_upload().bucket(NAME).key(key).send().await.unwrap();
    let id = created.upload_id().unwrap();
    sdk.abort_multipart_upload().bucket(NAME).key(key).upload_id(id).send().await.unwrap();
    let put = sdk
        .upload_part()
        .bucket(NAME)
        .key(key)
        .upload_id(id)
        .part_number(1)
        .body(ByteStream::from_static(b"x"));
    assert_eq!(refusal(put.send().await), (404, "NoSuchUpload".to_owned()));
    assert_eq!(sdk.list_multipart_uploads().bucket(NAME).send().await.unwrap().uploads().len(), 0);
}

#[tokio::test]
async fn odd_names_are_written_copied_and_deleted() {
    let s3 = s3().await;
    let server = serving(mount(&s3)).await;
    let sdk = sdk(&server, WRITER);
    for key in NASTY_KEYS.into_iter().filter(|key| *key != "/") {
        put(&sdk, key, key).await;
        assert_eq!(stored(&s3), [format!("files/{key}")], "{key:?}");
        let source = percent_encoding::utf8_percent_encode(key, percent_encoding::NON_ALPHANUMERIC);
        let copy = sdk.copy_object().bucket(NAME).key("copied").copy_source(format!("media/{source}"));
        copy.send().await.unwrap_or_else(|why| panic!("{key:?}: {why:?}"));
        assert_eq!(&*s3.store().object(BEHIND, "files/copied").unwrap().bytes, key.as_bytes());
        for name in [key, "copied"] {
            sdk.delete_object().bucket(NAME).key(name).send().await.unwrap();
        }
    }
    assert_eq!(stored(&s3), [""; 0]);
}

#[tokio::test]
async fn what_goes_to_s3_counts_among_the_requests_in_flight() {
    let s3 = s3().await;
    s3.store().put(BEHIND, "files/held", "x".into());
    let hold = s3.store().hold(BEHIND, "files/held");
    let server = serving(mount(&s3).max_in_flight(1).max_queued(0)).await;
    let sdk = sdk(&server, WRITER);
    let read = tokio::spawn(sdk.get_object().bucket(NAME).key("held").send());
    while asked(&s3).is_empty() {
        tokio::task::yield_now().await;
    }
    let put = sdk.put_object().bucket(NAME).key("a").body(ByteStream::from_static(b"x")).send().await;
    assert_eq!(refusal(put), (503, "SlowDown".to_owned()));
    let list = sdk.list_objects_v2().bucket(NAME).send().await;
    assert_eq!(refusal(list), (503, "SlowDown".to_owned()));
    drop(hold);
    assert!(read.await.unwrap().is_ok());
    put_until_room(&sdk).await;
}

/// The response that is read has its place until its end.
async fn put_until_room(sdk: &Sdk) {
    loop {
        let put = sdk.put_object().bucket(NAME).key("a").body(ByteStream::from_static(b"x")).send().await;
        match put {
            Ok(_) => return,
            told => assert_eq!(refusal(told).1, "SlowDown"),
        }
    }
}

#[tokio::test]
async fn the_prefix_of_a_mounts_writes_holds_for_s3_clients_too() {
    let s3 = s3().await;
    let writes = Writes::new().below("data").writers(Writers::Anybody);
    let server = serving(mount(&s3).writes(writes)).await;
    let sdk = sdk(&server, WRITER);
    put(&sdk, "data/a", "one").await;
    let put = sdk.put_object().bucket(NAME).key("a").body(ByteStream::from_static(b"x")).send().await;
    assert_eq!(refusal(put), (403, "AccessDenied".to_owned()));
    assert_eq!(refusal(sdk.delete_object().bucket(NAME).key("b/data/a").send().await).1, "AccessDenied");
    let begun = sdk.create_multipart_upload().bucket(NAME).key("database/a").send().await;
    assert_eq!(refusal(begun).1, "AccessDenied");
    assert_eq!(stored(&s3).len(), 1);
}

#[tokio::test]
async fn a_page_can_be_an_s3_client_where_cors_says_so() {
    let s3 = s3().await;
    let cors = Cors::origins(["https://app.test"]).methods(["GET", "PUT"]).allow_header("authorization");
    let service = crate::support::proxy(mount(&s3).cors(cors));
    let fields = [
        ("origin", "https://app.test"),
        ("access-control-request-method", "PUT"),
        ("access-control-request-headers", "authorization"),
    ];
    let preflight = crate::support::request("OPTIONS", &format!("/{NAME}/a"), &fields);
    let answer = crate::support::ask(&service, preflight).await;
    assert_eq!(answer.header("access-control-allow-methods"), "GET, PUT");
}

/// What `s3s` would take for the write of a whole object.
#[tokio::test]
async fn a_sub_resource_that_is_not_served_writes_and_deletes_nothing() {
    let s3 = s3().await;
    let server = serving(mount(&s3)).await;
    let sdk = sdk(&server, WRITER);
    put(&sdk, "a", "precious").await;
    for query in [
        "renameObject",
        "encryption",
        "torrent",
        "restore",
        "attributes",
        "append",
        "acl",
        "legal-hold",
        "retention",
        "foo",
        "uploadId=x",
        "partNumber=1",
    ] {
        let with = move |uri: &str| match uri.split_once('?') {
            Some((path, rest)) => format!("{path}?{query}&{rest}"),
            None => format!("{uri}?{query}"),
        };
        // Signed with the parameter, as a client would that means it.
        let put = sdk.put_object().bucket(NAME).key("a").customize();
        let put = put.mutate_request(move |request| request.set_uri(with(request.uri()).as_str()).unwrap());
        let (status, code) = refusal(put.send().await);
        assert_eq!((status, code.as_str()), (501, "NotImplemented"), "PUT ?{query}");
    }
    for field in ["x-amz-foo", "x-amz-rename-source", "x-amz-object-ownership"] {
        let put = sdk.put_object().bucket(NAME).key("a").customize();
        let put = put.mutate_request(move |request| drop(request.headers_mut().insert(field, "x")));
        assert_eq!(refusal(put.send().await).1, "NotImplemented", "{field}");
    }
    assert_eq!(s3.store().object(BEHIND, &stored(&s3)[0]).unwrap().bytes, "precious");
}
