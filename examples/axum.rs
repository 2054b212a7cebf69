//! cargo run --example axum
//!
//! A router with its own routes, and a layer that mounts a bucket over it: `/media/…` comes from S3, the rest from the
//! router.

use axum::{Router, response::Html, routing::get};
use demo_s3::{DEMO_ACCESS_KEY, DEMO_SECRET_KEY, DemoS3};
use tower_s3_proxy::{BucketName, Mount, S3ProxyLayer, credentials::Credentials};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Stands in for S3, so that the example runs without AWS.
    let folder = tempfile::tempdir()?;
    demo_s3::seed(folder.path()).await?;
    let s3 = DemoS3::builder().folder("studio-media", folder.path()).start().await?;

    let media = Mount::builder(BucketName::parse("studio-media")?)
        .at("/media")
        .region("us-west-2")
        .endpoint_url(s3.endpoint())
        .credentials(Credentials::new(DEMO_ACCESS_KEY, DEMO_SECRET_KEY, None, None, "demo"))
        .default_cache_control("public, max-age=3600")
        .build()?;

    let app = Router::new().route("/", get(home)).layer(S3ProxyLayer::new(media));

    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000")
        .await
        .map_err(|why| format!("127.0.0.1:3000: {why}"))?;
    println!("open http://127.0.0.1:3000");
    axum::serve(listener, app).await?;
    Ok(())
}

async fn home() -> Html<&'static str> {
    Html("<h1>A page of the router</h1><p>… and <a href=/media/index.html>one of the bucket</a></p>")
}
