//! The stack of the example `compression`: ranges and tags of objects that are compressed on their way.

use bytes::Bytes;

use crate::support::{Answer, Client, Protocol, Server, mount, request, s3, serve};

#[path = "../../examples/compression.rs"]
#[allow(dead_code, unreachable_pub)]
mod example;

const TEXT: &str = "all work and no play makes a dull page. ";

async fn served() -> (demo_s3::DemoS3, Server) {
    let s3 = s3().await;
    s3.store().put("media", "page.html", Bytes::from(TEXT.repeat(100)));
    s3.store().put("media", "small.html", Bytes::from(TEXT));
    s3.store().put("media", "picture.png", Bytes::from(TEXT.repeat(100)));
    let server = serve(Protocol::Http1, example::app(mount(&s3).build().unwrap())).await;
    (s3, server)
}

async fn ask(server: &Server, path: &str, fields: &[(&str, &str)]) -> Answer {
    let mut client = Client::connect(Protocol::Http1, server.addr).await;
    client.ask(request("GET", path, fields)).await
}

#[tokio::test]
async fn a_compressed_response_has_a_weak_tag_and_no_ranges_and_others_have_both() {
    let (_s3, server) = served().await;
    const GZIP: (&str, &str) = ("accept-encoding", "gzip");
    let plain = ask(&server, "/page.html", &[]).await;
    let tag = plain.header("etag").to_owned();
    assert!(tag.starts_with('"') && plain.header("accept-ranges") == "bytes", "{tag}");
    let compressed = ask(&server, "/page.html", &[GZIP]).await;
    assert_eq!(compressed.header("content-encoding"), "gzip");
    assert_eq!(compressed.header("etag"), format!("W/{tag}"));
    assert!(!compressed.headers.contains_key("accept-ranges"));
    assert!(compressed.header("vary").eq_ignore_ascii_case("accept-encoding"));
    assert!(compressed.body.len() < 400, "{}", compressed.body.len());
    for path in ["/small.html", "/picture.png"] {
        let answer = ask(&server, path, &[GZIP]).await;
        assert!(!answer.headers.contains_key("content-encoding"), "{path}");
        assert!(
            answer.header("etag").starts_with('"') && answer.header("accept-ranges") == "bytes",
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_copy_is_revalidated_by_its_weak_tag_and_never_resumed_by_it() {
    let (_s3, server) = served().await;
    const GZIP: (&str, &str) = ("accept-encoding", "gzip");
    let weak = ask(&server, "/page.html", &[GZIP]).await.header("etag").to_owned();
    let strong = weak.trim_start_matches("W/");
    let range = ("range", "bytes=100-199");
    for (fields, status, tag) in [
        (vec![GZIP, ("if-none-match", weak.as_str())], 304, weak.as_str()),
        (vec![("if-none-match", strong)], 304, strong),
        // A range is of the object as it is stored, and has its tag.
        (vec![GZIP, range], 206, strong),
        (vec![GZIP, range, ("if-range", strong)], 206, strong),
        (vec![GZIP, range, ("if-range", weak.as_str())], 200, weak.as_str()),
    ] {
        let answer = ask(&server, "/page.html", &fields).await;
        assert_eq!((answer.status.as_u16(), answer.header("etag")), (status, tag), "{fields:?}");
        if status == 206 {
            assert_eq!(answer.text(), &TEXT.repeat(100)[100..200]);
        }
    }
}
