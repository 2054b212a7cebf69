//! cargo run --example upload
//!
//! A page uploads straight to the bucket, by a link that this server makes: the proxy passes it on to S3 as it was signed, and
//! the page shows how far it has come. Page and proxy are of two origins, as an application and its media usually are.

use axum::{
    Router,
    extract::{Path, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{Html, IntoResponse},
    routing::get,
};
use demo_s3::{DEMO_ACCESS_KEY, DEMO_SECRET_KEY, DemoS3};
use tower_s3_proxy::{
    BucketName, Cors, Mount, S3Proxy,
    bucket::{Grant, ObjectKey},
    credentials::Credentials,
    links::{LinkPolicy, PresignRequest},
    presigned::PresignedRequests,
};

const APP: &str = "http://127.0.0.1:3000";
const MEDIA: &str = "http://127.0.0.1:3001";

/// In bytes.
const LARGEST: u64 = 1 << 30;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Stands in for S3, so that the example runs without AWS.
    let s3 = DemoS3::builder().bucket("studio-media").region("us-west-2").start().await?;

    let media = Mount::builder(BucketName::parse("studio-media")?)
        .region("us-west-2")
        .endpoint_url(s3.endpoint())
        .credentials(Credentials::new(DEMO_ACCESS_KEY, DEMO_SECRET_KEY, None, None, "demo"))
        .grant(Grant::ReadWrite)
        .links(LinkPolicy::new().grant(Grant::ReadWrite).public_host(MEDIA))
        .presigned(PresignedRequests::new().allow_writes(true))
        // The page may send what it uploads, and read what became of it.
        .cors(Cors::origins([APP]).methods(["GET", "PUT"]).allow_header("content-type"))
        .build()?;

    let app = Router::new()
        .route("/", get(Html(include_str!("upload.html"))))
        .route("/links/{size}/{name}", get(link))
        .with_state(media.clone());
    let media = Router::new().fallback_service(S3Proxy::new(media));

    let app_listener = tokio::net::TcpListener::bind("127.0.0.1:3000")
        .await
        .map_err(|why| format!("127.0.0.1:3000: {why}"))?;
    let media_listener = tokio::net::TcpListener::bind("127.0.0.1:3001")
        .await
        .map_err(|why| format!("127.0.0.1:3001: {why}"))?;
    println!("open {APP}");
    tokio::try_join!(axum::serve(app_listener, app), axum::serve(media_listener, media))?;
    Ok(())
}

/// A link by which a file of this size can be stored. Your program would ask first who wants it.
async fn link(State(media): State<Mount>, Path((size, name)): Path<(u64, String)>) -> impl IntoResponse {
    let refused = |why: String| (StatusCode::BAD_REQUEST, [(CONTENT_TYPE, "text/plain")], why);
    if size > LARGEST {
        return refused(format!("at most {LARGEST} bytes"));
    }
    let key = match ObjectKey::new(format!("uploads/{name}")) {
        Ok(key) => key,
        Err(why) => return refused(why.to_string()),
    };
    // S3 takes no other length, and nothing else by this link.
    match media.presign(PresignRequest::put(key).content_length(size)).await {
        Ok(link) => (StatusCode::OK, [(CONTENT_TYPE, "text/plain")], link.url().to_owned()),
        Err(why) => refused(why.to_string()),
    }
}
