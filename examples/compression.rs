//! cargo run --example compression
//!
//! Objects are compressed on their way to clients that take it, and ranges and conditions go on working:
//! `curl --compressed -v http://127.0.0.1:3000/index.html`.
//!
//! `tower-http` compresses whole responses only, takes their `Accept-Ranges` away, and adds `Vary`. It leaves their `ETag`, which
//! is for other bytes then: a client that resumes a download by it (`If-Range`) would join bytes of two codings. So it becomes a
//! weak one here, by which a cached copy can be revalidated and a download never resumed (RFC 9110 §8.8.1, §13.1.5). HEAD tells of
//! the object as it is stored.

use axum::{
    Router,
    extract::Request,
    middleware::{Next, from_fn},
    response::Response,
};
use demo_s3::{DEMO_ACCESS_KEY, DEMO_SECRET_KEY, DemoS3};
use http::{
    HeaderMap, HeaderValue, StatusCode, Version,
    header::{ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH},
};
use tower_http::compression::{
    CompressionLayer,
    predicate::{Predicate, SizeAbove},
};
use tower_s3_proxy::{BucketName, Mount, S3Proxy, credentials::Credentials};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Stands in for S3, so that the example runs without AWS.
    let folder = tempfile::tempdir()?;
    demo_s3::seed(folder.path()).await?;
    let s3 = DemoS3::builder().folder("studio-site", folder.path()).start().await?;

    let site = Mount::builder(BucketName::parse("studio-site")?)
        .region("us-west-2")
        .endpoint_url(s3.endpoint())
        .credentials(Credentials::new(DEMO_ACCESS_KEY, DEMO_SECRET_KEY, None, None, "demo"))
        .build()?;

    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000")
        .await
        .map_err(|why| format!("127.0.0.1:3000: {why}"))?;
    println!("curl --compressed -v http://127.0.0.1:3000/index.html");
    axum::serve(listener, app(site)).await?;
    Ok(())
}

/// The last layer is the outermost: it sees the responses after they were compressed.
pub fn app(site: Mount) -> Router {
    let compression = CompressionLayer::new().compress_when(SizeAbove::new(512).and(is_compressible));
    Router::new().fallback_service(S3Proxy::new(site)).layer(compression).layer(from_fn(weaken_tags))
}

/// Pictures, films and archives are compressed already. An object that is stored compressed says so, and is left alone.
fn is_compressible(_: StatusCode, _: Version, fields: &HeaderMap, _: &http::Extensions) -> bool {
    let content_type = fields.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.starts_with("text/")
        || ["application/json", "application/javascript", "application/wasm", "image/svg+xml"]
            .contains(&essence)
}

async fn weaken_tags(request: Request, next: Next) -> Response {
    let tags = request.headers().get(IF_NONE_MATCH);
    let has_weak_tag = tags.is_some_and(|tags| tags.as_bytes().starts_with(b"W/"));
    let mut response = next.run(request).await;
    let fields = response.headers();
    // What was stored compressed still has its ranges.
    let was_compressed = fields.contains_key(CONTENT_ENCODING) && !fields.contains_key(ACCEPT_RANGES);
    // The tag of a 304 is that of the copy which the client has.
    let is_of_weak = response.status() == StatusCode::NOT_MODIFIED && has_weak_tag;
    if (was_compressed || is_of_weak)
        && let Some(tag) = fields.get(ETAG).filter(|tag| tag.as_bytes().starts_with(b"\""))
        && let Ok(weak) = HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat())
    {
        response.headers_mut().insert(ETAG, weak);
    }
    response
}
