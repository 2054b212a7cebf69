//! cargo run --example listing
//!
//! A folder that its users see in a browser, fill and clear. The authorizer decides who they are; here a button stands in for a
//! log-in.

use axum::{
    Router,
    http::{HeaderValue, header::COOKIE, header::SET_COOKIE},
    response::{Html, IntoResponse, Redirect},
    routing::get,
};
use demo_s3::{DEMO_ACCESS_KEY, DEMO_SECRET_KEY, DemoS3};
use tower_s3_proxy::{
    BucketName, Mount, S3ProxyLayer,
    access::{Access, Authorizer, Denial},
    credentials::Credentials,
    listing::Listing,
    writes::Writes,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Stands in for S3, so that the example runs without AWS.
    let folder = tempfile::tempdir()?;
    demo_s3::seed(folder.path()).await?;
    let s3 = DemoS3::builder().folder("studio-media", folder.path()).region("us-west-2").start().await?;

    let users = Authorizer::new(|request| async move {
        let cookie = request.head().headers.get(COOKIE).and_then(|cookie| cookie.to_str().ok());
        let is_known = cookie.is_some_and(|cookie| cookie.split("; ").any(|pair| pair == "user=ann"));
        let log_in = || Denial::redirect(HeaderValue::from_static("/"));
        Ok(if is_known { Access::Allow } else { Access::Deny(log_in()) })
    });
    let files = Mount::builder(BucketName::parse("studio-media")?)
        .at("/files")
        .region("us-west-2")
        .endpoint_url(s3.endpoint())
        .credentials(Credentials::new(DEMO_ACCESS_KEY, DEMO_SECRET_KEY, None, None, "demo"))
        .authorize(users)
        .listing(Listing::new())
        .writes(Writes::new().allow_delete(true))
        .build()?;

    let app = Router::new()
        .route("/", get(Html("<!DOCTYPE html><title>Files</title><a href=\"/log-in\">Log in as Ann</a>")))
        .route("/log-in", get(log_in))
        .layer(S3ProxyLayer::new(files));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000")
        .await
        .map_err(|why| format!("127.0.0.1:3000: {why}"))?;
    println!("open http://127.0.0.1:3000");
    axum::serve(listener, app).await?;
    Ok(())
}

async fn log_in() -> impl IntoResponse {
    ([(SET_COOKIE, "user=ann; HttpOnly; SameSite=Strict; Path=/")], Redirect::to("/files/"))
}
