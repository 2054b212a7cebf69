//! Which objects may be written, by whom, and what S3 gets of a request.

use std::sync::{Arc, Mutex};

use http::StatusCode;
use http_body_util::Empty;
use tower_s3_proxy::{
    Cache, ConfigErrorKind, Mount, ProxyErrorKind,
    access::{Access, Authorizer, Denial},
    presigned::{PresignedRequests, UnsignedRequests},
    writes::{Writers, Writes},
};

use super::{anything, put, send, writable};
use crate::support::{BUCKET, ask, bucket, get, mount, proxy, request, s3};

#[tokio::test]
async fn an_object_is_written_read_replaced_and_deleted() {
    let s3 = s3().await;
    let cache = Cache::builder(1 << 20).build().unwrap();
    let service = proxy(writable(&s3, anything()).cache(&cache));
    let fields = [("content-language", "de"), ("x-amz-meta-author", "Ada"), ("cookie", "a=b")];
    let created = put(&service, "/a/b%20c.png", &fields, "one").await;
    assert_eq!((created.status, created.header("location")), (StatusCode::CREATED, "./b%20c.png"));
    let stored = ask(&service, get("/a/b%20c.png")).await;
    assert_eq!(stored.text(), "one");
    assert_eq!(stored.header("content-type"), "image/png", "by its extension");
    assert_eq!(stored.header("content-language"), "de");
    assert_eq!(stored.header("etag"), created.header("etag"));
    let put_at_s3 = s3.log().into_iter().find(|seen| seen.method == "PUT").unwrap();
    assert_eq!(put_at_s3.headers["x-amz-meta-author"], "Ada");
    assert!(!put_at_s3.headers.contains_key("cookie"));

    let replaced = put(&service, "/a/b%20c.png", &[("if-match", created.header("etag"))], "two").await;
    assert_eq!(replaced.status, 204, "it existed, for sure");
    assert_eq!(ask(&service, get("/a/b%20c.png")).await.text(), "two", "the cache has forgotten it");
    let late = put(&service, "/a/b%20c.png", &[("if-match", created.header("etag"))], "three").await;
    assert_eq!(
        (late.status, late.kind()),
        (StatusCode::PRECONDITION_FAILED, Some(ProxyErrorKind::PreconditionFailed))
    );
    let late = put(&service, "/a/b%20c.png", &[("if-none-match", "*")], "three").await;
    assert_eq!(late.status, 412);
    assert_eq!(ask(&service, get("/a/b%20c.png")).await.text(), "two");

    let deleted = send(&service, "DELETE", "/a/b%20c.png", &[], Empty::new()).await;
    assert_eq!((deleted.status, deleted.header("location")), (StatusCode::NO_CONTENT, ""));
    assert_eq!(ask(&service, request("HEAD", "/a/b%20c.png", &[])).await.status, 404);
    assert!(s3.store().keys(BUCKET).is_empty());
}

#[tokio::test]
async fn nothing_is_overwritten_unless_that_is_allowed() {
    let s3 = s3().await;
    let service = proxy(writable(&s3, Writes::new().writers(Writers::Anybody)));
    let first = put(&service, "/a", &[], "one").await;
    assert_eq!(first.status, 201);
    for fields in [&[][..], &[("if-none-match", "*")], &[("if-match", first.header("etag"))]] {
        let second = put(&service, "/a", fields, "two").await;
        let expected = match fields.first() {
            Some(("if-none-match", _)) => ProxyErrorKind::PreconditionFailed,
            _ => ProxyErrorKind::Exists,
        };
        assert_eq!((second.status.as_u16(), second.kind()), (412, Some(expected)), "{fields:?}");
    }
    assert_eq!(ask(&service, get("/a")).await.text(), "one");
    let delete = send(&service, "DELETE", "/a", &[], Empty::new()).await;
    assert_eq!(
        (delete.status, delete.header("allow")),
        (StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD, PUT, OPTIONS")
    );
}

/// Each, and what it gets. Nothing of it reaches S3.
#[tokio::test]
async fn what_the_rules_refuse_never_reaches_s3() {
    let s3 = s3().await;
    let writes = anything().below("data").max_size(10).content_type("image/*").metadata("author");
    let service = proxy(writable(&s3, writes).prefix("site"));
    let ok = [("content-type", "image/png")];
    let with = |name: &'static str, value: &'static str| vec![ok[0], (name, value)];
    type Row = (&'static str, &'static str, Vec<(&'static str, &'static str)>, &'static str, u16);
    let rows: Vec<Row> = vec![
        ("PUT", "/a.png", ok.into(), "x", 405),
        ("DELETE", "/a.png", vec![], "", 405),
        ("PUT", "/data", ok.into(), "x", 405),
        ("PUT", "/database/a.png", ok.into(), "x", 405),
        ("PUT", "/data/../a.png", ok.into(), "x", 400),
        ("PUT", "/data/%2e%2e/a.png", ok.into(), "x", 400),
        ("PUT", "/data/%ff", ok.into(), "x", 400),
        ("POST", "/data/a.png", ok.into(), "x", 405),
        ("PATCH", "/data/a.png", ok.into(), "x", 405),
        ("COPY", "/data/a.png", ok.into(), "x", 405),
        ("PUT", "/data/a.png", ok.into(), "12345678901", 413),
        ("PUT", "/data/a.png", vec![("content-type", "text/html")], "x", 415),
        ("PUT", "/data/a.html", vec![], "x", 415),
        ("PUT", "/data/a", vec![], "x", 415),
        ("PUT", "/data/a.png", vec![("content-type", "image/png"), ("content-type", "text/html")], "x", 400),
        ("PUT", "/data/a.png?acl", ok.into(), "x", 400),
        ("PUT", "/data/a.png?partNumber=1&uploadId=x", ok.into(), "x", 400),
        ("DELETE", "/data/a.png?versionId=1", vec![], "", 400),
        ("DELETE", "/data/a.png?tagging", vec![], "", 400),
        ("PUT", "/data/a.png", with("x-amz-meta-other", "x"), "x", 400),
        ("PUT", "/data/a.png", with("x-amz-acl", "public-read"), "x", 400),
        ("PUT", "/data/a.png", with("x-amz-copy-source", "/media/b"), "x", 400),
        ("PUT", "/data/a.png", with("x-amz-tagging", "a=b"), "x", 400),
        ("PUT", "/data/a.png", with("x-amz-storage-class", "GLACIER"), "x", 400),
        ("PUT", "/data/a.png", with("x-amz-server-side-encryption", "AES256"), "x", 400),
        ("PUT", "/data/a.png", with("x-amz-server-side-encryption-customer-key", "x"), "x", 400),
        ("PUT", "/data/a.png", with("x-amz-website-redirect-location", "/b"), "x", 400),
        ("PUT", "/data/a.png", with("x-amz-object-lock-mode", "COMPLIANCE"), "x", 400),
        ("PUT", "/data/a.png", with("content-range", "bytes 0-0/2"), "x", 400),
        ("PUT", "/data/a.png", with("content-encoding", "aws-chunked"), "x", 400),
        ("PUT", "/data/a.png", with("content-encoding", "AWS-Chunked"), "x", 400),
        ("PUT", "/data/a.png", with("transfer-encoding", "gzip, chunked"), "x", 400),
        ("PUT", "/data/a.png", ok.into(), "", 411),
        ("PUT", "/data/a.png", with("content-md5", "x"), "x", 400),
        ("PUT", "/data/a.png", with("x-amz-checksum-crc32", "AAAA"), "x", 400),
        ("PUT", "/data/a.png", with("if-none-match", "\"a\""), "x", 400),
        ("PUT", "/data/a.png", with("if-match", "*"), "x", 400),
        ("PUT", "/data/a.png", with("if-match", "\"a\", \"b\""), "x", 400),
        ("PUT", "/data/a.png", with("if-match", "W/\"a\""), "x", 400),
        ("PUT", "/data/a.png", with("if-unmodified-since", "Sun, 06 Nov 1994 08:49:37 GMT"), "x", 400),
        ("DELETE", "/data/a.png", vec![("if-none-match", "*")], "", 400),
        ("DELETE", "/data/a.png", vec![("x-amz-bypass-governance-retention", "true")], "", 400),
    ];
    for (method, path, fields, body, status) in rows {
        let answer = send(&service, method, path, &fields, http_body_util::Full::from(body)).await;
        assert_eq!(answer.status, status, "{method} {path} {fields:?}: {}", answer.text());
        let allow = match (status, path.starts_with("/data/")) {
            (405, true) => "GET, HEAD, PUT, DELETE, OPTIONS",
            (405, false) => "GET, HEAD, OPTIONS",
            _ => "",
        };
        assert_eq!(answer.header("allow"), allow, "{method} {path}");
        assert_eq!(s3.log().len(), 0, "{method} {path} {fields:?}");
    }
    let empty = put(&service, "/data/empty.png", &with("content-length", "0"), "").await;
    assert_eq!(empty.status, 201);
    s3.store().delete(BUCKET, "site/data/empty.png");
    let field = with("x-http-method-override", "DELETE");
    assert_eq!(put(&service, "/data/a.png", &field, "x").await.status, 201, "it means nothing");
    assert_eq!(put(&service, "/data/b.png", &with("x-amz-meta-author", "Ada"), "x").await.status, 201);
    assert_eq!(s3.store().keys(BUCKET), ["site/data/a.png", "site/data/b.png"]);
}

#[tokio::test]
async fn the_authorizer_is_asked_before_a_byte_of_the_body() {
    let s3 = s3().await;
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let authorizer = Authorizer::new(move |request| {
        let (method, key) = (request.head().method.clone(), request.key().as_str().to_owned());
        let is_own = key.starts_with("own/");
        seen.lock().unwrap().push(format!("{method} {key}"));
        async move { Ok(if is_own { Access::Allow } else { Access::Deny(Denial::forbidden()) }) }
    });
    let writes = Writes::new().allow_delete(true);
    let service = proxy(mount(&s3).writes(writes).authorize(authorizer));
    assert_eq!(put(&service, "/own/a", &[], "x").await.status, 201);
    // It would never end.
    let body = super::Pieces::new(["x"], super::End::Hangs);
    assert_eq!(send(&service, "PUT", "/other/a", &[], body).await.status, 403);
    assert_eq!(send(&service, "DELETE", "/other/a", &[], Empty::new()).await.status, 403);
    assert_eq!(send(&service, "DELETE", "/own/a", &[], Empty::new()).await.status, 204);
    assert_eq!(*asked.lock().unwrap(), ["PUT own/a", "PUT other/a", "DELETE other/a", "DELETE own/a"]);
    assert_eq!(s3.log().len(), 2);
}

#[tokio::test]
async fn a_browser_of_another_origin_may_put_where_cors_says_so() {
    let s3 = s3().await;
    let cors = tower_s3_proxy::Cors::origins(["https://app.test"]).methods(["GET", "PUT"]);
    let service = proxy(writable(&s3, anything()).cors(cors));
    let preflight = [("origin", "https://app.test"), ("access-control-request-method", "PUT")];
    let answer = ask(&service, request("OPTIONS", "/a", &preflight)).await;
    assert_eq!(answer.header("access-control-allow-methods"), "GET, PUT");
    let answer = put(&service, "/a", &[("origin", "https://app.test")], "x").await;
    assert_eq!(answer.header("access-control-allow-origin"), "https://app.test");
    assert_eq!(answer.status, 201);
}

#[test]
fn a_configuration_that_would_surprise_is_refused() {
    let mount = || Mount::builder(bucket("media")).region("us-west-2").credentials(crate::support::keys());
    let nobody = || Authorizer::new(|_| async { Ok(Access::Allow) });
    let kind = |builder: tower_s3_proxy::MountBuilder| builder.build().map_err(|why| why.kind()).err();
    let links = || PresignedRequests::new().unsigned(UnsignedRequests::Refused);
    for (what, builder, expected) in [
        ("anybody", mount().writes(anything()), None),
        ("an authorizer", mount().writes(Writes::new()).authorize(nobody()), None),
        ("nobody knows who", mount().writes(Writes::new()), Some(ConfigErrorKind::Missing)),
        ("both", mount().writes(anything()).authorize(nobody()), Some(ConfigErrorKind::Contradiction)),
        ("no keys", mount().anonymous().writes(anything()), Some(ConfigErrorKind::Contradiction)),
        ("links alone", mount().writes(anything()).presigned(links()), Some(ConfigErrorKind::Contradiction)),
        (
            "no encryption",
            mount().writes(anything()).require_encryption(true),
            Some(ConfigErrorKind::Missing),
        ),
        ("a prefix", mount().writes(anything().below("/a")), Some(ConfigErrorKind::InvalidValue)),
        ("no size", mount().writes(anything().max_size(0)), Some(ConfigErrorKind::InvalidValue)),
        ("too large", mount().writes(anything().max_size(1 << 40)), Some(ConfigErrorKind::InvalidValue)),
        ("no memory", mount().writes(anything().memory(1 << 20)), Some(ConfigErrorKind::InvalidValue)),
        ("a type", mount().writes(anything().content_type("image/[")), Some(ConfigErrorKind::InvalidValue)),
        (
            "a class",
            mount().writes(anything().storage_class("standard")),
            Some(ConfigErrorKind::InvalidValue),
        ),
    ] {
        assert_eq!(kind(builder), expected, "{what}");
    }
}
