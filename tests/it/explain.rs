//! Requests that are explained.

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Empty;
use serde_json::{Value, json};
use tower_s3_proxy::{
    Cache, Mount, S3Proxy,
    access::{Hotlinks, Users},
    explain::Explain,
    response::CacheControlRule,
};

use crate::support::{BUCKET, ask, bucket, get, mount, request, s3, sdk};

fn marked(path: &str, fields: &[(&str, &str)]) -> Request<Empty<Bytes>> {
    let mut request = request("GET", path, fields);
    request.extensions_mut().insert(Explain::new());
    request
}

async fn explained(service: &S3Proxy, path: &str, fields: &[(&str, &str)]) -> Value {
    let answer = ask(service, marked(path, fields)).await;
    assert_eq!(answer.status, StatusCode::OK);
    for (name, value) in
        [("content-type", "application/json"), ("cache-control", "no-store"), ("x-explain", "1")]
    {
        assert_eq!(answer.header(name), value);
    }
    serde_json::from_slice(&answer.body).unwrap()
}

#[tokio::test]
async fn an_answer_is_explained_by_its_object_conditions_cache_rules_and_requests_to_s3() {
    let s3 = s3().await;
    for (key, cache_control) in
        [("a.txt", None), ("kept.txt", Some("max-age=60")), ("secret.txt", Some("no-store"))]
    {
        let put =
            sdk(&s3).put_object().bucket(BUCKET).key(key).set_cache_control(cache_control.map(str::to_owned));
        put.body(Bytes::from_static(b"hello").into()).send().await.unwrap();
    }
    let cache = Cache::builder(1 << 20).build().unwrap();
    let service = S3Proxy::new(
        mount(&s3)
            .at("/media")
            .cache(&cache)
            .cache_control_rule(CacheControlRule::override_with("max-age=9").key("over*"))
            .default_cache_control("max-age=30")
            .build()
            .unwrap(),
    );
    let tag = ask(&service, get("/media/kept.txt")).await.header("etag").to_owned();
    let quoted = |text: &str| text.to_owned();
    // Each row: path, fields, and what the explanation has at these places.
    for (path, fields, expected) in [
        (
            "/media/a.txt",
            vec![],
            vec![
                ("/mount", json!("/media")),
                ("/bucket", json!(BUCKET)),
                ("/key", json!("a.txt")),
                ("/answer/status", json!(200)),
                ("/cache/why", json!("nothing of it was stored")),
                ("/cache_control/from", json!("rule 2 of the mount, for objects without one")),
                ("/s3/0/method", json!("GET")),
                ("/s3/0/status", json!(200)),
                ("/retries", json!(0)),
            ],
        ),
        (
            "/media/kept.txt",
            vec![],
            vec![
                ("/cache/why", json!("fresh")),
                ("/s3", json!([])),
                ("/cache_control/from", json!("the object in S3")),
                ("/cache_control/value", json!("max-age=60")),
            ],
        ),
        (
            "/media/kept.txt",
            vec![
                ("if-none-match", tag.clone()),
                ("if-modified-since", quoted("Tue, 14 Nov 2023 00:00:00 GMT")),
            ],
            vec![
                ("/answer/status", json!(304)),
                ("/conditions/0/verdict", json!("not modified: 304")),
                ("/conditions/1/verdict", json!("ignored beside If-None-Match (RFC 9110 §13.2.2)")),
            ],
        ),
        (
            "/media/kept.txt",
            vec![("if-match", quoted("\"other\"")), ("authorization", quoted("Bearer s3cr3t"))],
            vec![
                ("/answer/status", json!(412)),
                ("/answer/error", json!("precondition_failed")),
                ("/conditions/0/verdict", json!("fails: 412")),
                ("/request/fields/authorization", json!("(not shown)")),
            ],
        ),
        (
            "/media/kept.txt",
            vec![("range", quoted("bytes=1-2")), ("if-range", tag.clone())],
            vec![
                ("/answer/status", json!(206)),
                ("/range/verdict", json!("served: bytes 1-2/5")),
                ("/conditions/0/verdict", json!("holds: the range counts")),
            ],
        ),
        (
            "/media/kept.txt",
            vec![("range", quoted("bytes=9-"))],
            vec![("/range/verdict", json!("outside of the object: 416"))],
        ),
        (
            "/media/secret.txt",
            vec![],
            vec![("/cache/why", json!("not kept: Cache-Control: no-store")), ("/s3/0/status", json!(200))],
        ),
        (
            "/media/none.txt",
            vec![],
            vec![
                ("/answer/status", json!(404)),
                ("/answer/error", json!("not_found")),
                ("/s3/0/status", json!(404)),
                ("/s3/0/code", json!("NoSuchKey")),
            ],
        ),
        ("/elsewhere", vec![], vec![("/mount", Value::Null), ("/answer/by", json!("the inner service"))]),
    ] {
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let told = explained(&service, path, &fields).await;
        for (at, value) in expected {
            assert_eq!(told.pointer(at), Some(&value), "{path} {fields:?} {at}: {told:#}");
        }
        assert!(!told.to_string().contains("s3cr3t"), "{told}");
    }
}

#[tokio::test]
async fn only_a_get_that_is_marked_is_explained_and_a_refusal_is_too() {
    let s3 = s3().await;
    let put = sdk(&s3).put_object().bucket(BUCKET).key("a.txt");
    put.body(Bytes::from_static(b"hello").into()).send().await.unwrap();
    let service = S3Proxy::new(mount(&s3).hotlinks(Hotlinks::allow(["studio.example"])).build().unwrap());
    assert_eq!(ask(&service, get("/a.txt")).await.body, "hello");
    let mut head = request("HEAD", "/a.txt", &[]);
    head.extensions_mut().insert(Explain::new());
    let head = ask(&service, head).await;
    assert_eq!((head.header("content-length"), head.headers.get("x-explain")), ("5", None));
    let told = explained(&service, "/a.txt", &[("referer", "https://evil.example/")]).await;
    assert_eq!(told["answer"]["error"], "hotlinked");
    assert_eq!(told["s3"], json!([]));
}

#[tokio::test]
async fn an_s3_that_cannot_be_reached_is_told_with_each_attempt() {
    let retry = tower_s3_proxy::RetryPolicy::default().max_attempts(3).first_pause(std::time::Duration::ZERO);
    let nowhere =
        Mount::builder(bucket(BUCKET)).region("us-west-2").endpoint_url("http://127.0.0.1:1").anonymous();
    let service = S3Proxy::new(nowhere.path_style(true).retry(retry).build().unwrap());
    let told = explained(&service, "/a.txt", &[]).await;
    assert_eq!(told["answer"]["status"], 502);
    assert_eq!(told["s3"].as_array().unwrap().len(), 3, "{told:#}");
    assert_eq!(told["retries"], 2);
    assert!(told["s3"][0]["error"].as_str().unwrap().contains("refused"), "{told:#}");
}

#[tokio::test]
async fn an_explanation_tells_of_the_log_in_and_does_not_go_around_it() {
    let s3 = s3().await;
    s3.store().put(BUCKET, "a.txt", Bytes::from_static(b"hello"));
    let users = Users::parse(&Users::line("ada", "correct horse").unwrap()).unwrap();
    let service = S3Proxy::new(mount(&s3).users(&users, "media").build().unwrap());
    let ada = [("authorization", "Basic YWRhOmNvcnJlY3QgaG9yc2U=")];
    for (fields, status, asked) in [(&[][..], 401, 0), (&ada, 200, 1)] {
        let told = explained(&service, "/a.txt", fields).await;
        assert_eq!(told.pointer("/answer/status"), Some(&json!(status)), "{told}");
        assert_eq!(s3.log().len(), asked, "{told}");
    }
}
