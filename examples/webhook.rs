//! cargo run --example webhook
//!
//! A bucket behind a cache that S3's events purge: SNS, an API destination of EventBridge, or a reader of the queue
//! posts them to `/_cache/events`; people purge by `/_cache/purge`. It prints requests to try.

use axum::Router;
use demo_s3::{DEMO_ACCESS_KEY, DEMO_SECRET_KEY, DemoS3};
use tower_http::trace::TraceLayer;
use tower_s3_proxy::{BucketName, Cache, Mount, S3ProxyLayer, cache::AdminToken, credentials::Credentials};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_env_filter("info,tower_http=debug").init();

    // Stands in for S3, so that the example runs without AWS.
    let folder = tempfile::tempdir()?;
    demo_s3::seed(folder.path()).await?;
    let s3 = DemoS3::builder().folder("studio-media", folder.path()).start().await?;

    let cache = Cache::builder(64 * 1024 * 1024).build()?;
    let media = Mount::builder(BucketName::parse("studio-media")?)
        .at("/media")
        .region("us-west-2")
        .endpoint_url(s3.endpoint())
        .credentials(Credentials::new(DEMO_ACCESS_KEY, DEMO_SECRET_KEY, None, None, "demo"))
        // Until an event announces a change.
        .default_cache_control("public, max-age=3600")
        .cache(&cache)
        .build()?;

    // Your own token: `CACHE_TOKEN=$(openssl rand -hex 32)`. SNS shows it as a password: `aws sns subscribe --protocol
    // https --notification-endpoint https://sns:$CACHE_TOKEN@media.example.com/_cache/events`.
    let (token, shown) = match std::env::var("CACHE_TOKEN") {
        Ok(token) => (token, "$CACHE_TOKEN"),
        Err(_) => ("demo".to_owned(), "demo"),
    };

    let admin = cache.admin(AdminToken::new(&token)?);

    let app = Router::new()
        .nest_service("/_cache", admin)
        .layer(S3ProxyLayer::new(media))
        .layer(TraceLayer::new_for_http());

    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000")
        .await
        .map_err(|why| format!("127.0.0.1:3000: {why}"))?;
    println!(
        "open http://127.0.0.1:3000/media/index.html, then try\n\
         curl -H \"authorization: Bearer {shown}\" http://127.0.0.1:3000/_cache/stats\n\
         curl -H \"authorization: Bearer {shown}\" -X POST \
         'http://127.0.0.1:3000/_cache/purge?bucket=studio-media&key=index.html'\n\
         curl -u \"sns:{shown}\" http://127.0.0.1:3000/_cache/events --data-binary '{EVENT}'"
    );
    axum::serve(listener, app).await?;
    Ok(())
}

/// A minimal event of S3.
const EVENT: &str = r#"{"Records":[{"eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"studio-media"},"object":{"key":"index.html"}}}]}"#;
