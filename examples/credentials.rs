//! cargo run --example credentials
//!
//! Credentials from a source of your own: here a function that "logs in" and gets keys for a minute. The proxy asks
//! again before they expire, and no request waits while the old ones are valid.

use std::time::{Duration, SystemTime};

use demo_s3::{DEMO_ACCESS_KEY, DEMO_SECRET_KEY, DemoS3};
use tower_s3_proxy::{
    BucketName, Mount, S3Proxy,
    credentials::{Credentials, CredentialsError, ProvideCredentials, future},
};

/// A vault, a database, a service of yours.
#[derive(Debug)]
struct Vault;

impl Vault {
    async fn log_in(&self) -> Result<Credentials, CredentialsError> {
        println!("asking the vault");
        let expiry = SystemTime::now() + Duration::from_secs(60);
        Ok(Credentials::new(DEMO_ACCESS_KEY, DEMO_SECRET_KEY, None, Some(expiry), "vault"))
    }
}

impl ProvideCredentials for Vault {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.log_in())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Stands in for S3, so that the example runs without AWS.
    let folder = tempfile::tempdir()?;
    demo_s3::seed(folder.path()).await?;
    let s3 = DemoS3::builder().folder("studio-media", folder.path()).start().await?;

    let media = Mount::builder(BucketName::parse("studio-media")?)
        .region("us-west-2")
        .endpoint_url(s3.endpoint())
        .credentials(Vault)
        .build()?;

    let app = axum::Router::new().fallback_service(S3Proxy::new(media));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000")
        .await
        .map_err(|why| format!("127.0.0.1:3000: {why}"))?;
    println!("open http://127.0.0.1:3000/index.html");
    axum::serve(listener, app).await?;
    Ok(())
}
