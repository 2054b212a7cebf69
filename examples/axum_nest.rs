//! cargo run --example axum_nest
//!
//! A bucket as a stand-alone service, nested into a router. `nest_service` strips `/media` from the path, so the mount
//! stays at `/`.

use axum::{Router, routing::get};
use demo_s3::{DEMO_ACCESS_KEY, DEMO_SECRET_KEY, DemoS3};
use tower_http::trace::TraceLayer;
use tower_s3_proxy::{BucketName, Mount, S3Proxy, credentials::Credentials};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Stands in for S3, so that the example runs without AWS.
    let folder = tempfile::tempdir()?;
    demo_s3::seed(folder.path()).await?;
    let s3 = DemoS3::builder().folder("studio-media", folder.path()).start().await?;

    let media = Mount::builder(BucketName::parse("studio-media")?)
        .region("us-west-2")
        .endpoint_url(s3.endpoint())
        .credentials(Credentials::new(DEMO_ACCESS_KEY, DEMO_SECRET_KEY, None, None, "demo"))
        .build()?;

    let app = Router::new()
        .route("/", get(|| async { "see /media/index.html\n" }))
        .nest_service("/media", S3Proxy::new(media))
        .layer(TraceLayer::new_for_http());

    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000")
        .await
        .map_err(|why| format!("127.0.0.1:3000: {why}"))?;
    println!("open http://127.0.0.1:3000/media/index.html");
    axum::serve(listener, app).await?;
    Ok(())
}
