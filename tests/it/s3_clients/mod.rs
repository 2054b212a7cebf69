//! S3 clients with keys of the proxy's own: the SDK over sockets, in front of the S3 server of the tests.

mod lists;
mod reads;
mod signatures;
mod writes;

use std::time::SystemTime;

use aws_sdk_s3::{
    Client as Sdk,
    config::{BehaviorVersion, Region, retry::RetryConfig},
    error::{ProvideErrorMetadata, SdkError},
};
use aws_smithy_async::time::StaticTimeSource;
use aws_smithy_http_client::Builder;
use aws_smithy_runtime_api::http::Response as SdkResponse;
use demo_s3::DemoS3;
use tower_s3_proxy::{
    BucketName, Cache, Mount, MountBuilder,
    clients::{ClientAccess, ClientKey, ClientKeys},
    credentials::Credentials,
};

use crate::support::{Protocol, REGION, Server, keys, proxy, serve};

/// The bucket behind the proxy. Its clients call it by the mount's path.
const BEHIND: &str = "studio-media";
const NAME: &str = "media";

const READER: (&str, &str) = ("reader", "secret-of-reader");
const WRITER: (&str, &str) = ("writer", "secret-of-writer");
/// For `raw/` only.
const INGEST: (&str, &str) = ("ingest", "secret-of-ingest");

async fn s3() -> DemoS3 {
    DemoS3::builder().bucket(BEHIND).region(REGION).start().await.unwrap()
}

fn table() -> ClientKeys {
    ClientKeys::new([
        ClientKey::new(READER.0, READER.1),
        ClientKey::new(WRITER.0, WRITER.1).access(ClientAccess::ReadWrite),
        ClientKey::new(INGEST.0, INGEST.1).access(ClientAccess::ReadWrite).prefix("raw/"),
    ])
    .unwrap()
}

/// A mount at `/media` of what is below `files/`.
fn mount(s3: &DemoS3) -> MountBuilder {
    bare(s3).at("/media").prefix("files").client_keys(&table())
}

/// A mount without keys.
fn bare(s3: &DemoS3) -> MountBuilder {
    Mount::builder(BucketName::parse(BEHIND).unwrap())
        .endpoint_url(s3.endpoint())
        .path_style(true)
        .region(REGION)
        .credentials(keys())
}

fn cache() -> Cache {
    Cache::builder(64 << 20).build().unwrap()
}

async fn serving(builder: MountBuilder) -> Server {
    serve(Protocol::Http1, proxy(builder)).await
}

/// The SDK with a key, for the server.
fn sdk(server: &Server, key: (&str, &str)) -> Sdk {
    sdk_at(server, key, None)
}

/// The same, by a clock that says this.
fn sdk_at(server: &Server, (access_key, secret_key): (&str, &str), now: Option<SystemTime>) -> Sdk {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("eu-central-1"))
        .endpoint_url(format!("http://{}", server.addr))
        .force_path_style(true)
        .credentials_provider(Credentials::new(access_key, secret_key, None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .http_client(Builder::new().build_http());
    let config = match now {
        Some(now) => config.time_source(StaticTimeSource::new(now)),
        None => config,
    };
    Sdk::from_conf(config.build())
}

/// The status and the code of a refusal.
fn refusal<T: std::fmt::Debug, E>(answer: Result<T, SdkError<E, SdkResponse>>) -> (u16, String)
where
    E: ProvideErrorMetadata + std::fmt::Debug,
{
    let error = answer.expect_err("a refusal");
    let status = error.raw_response().map_or(0, |response| response.status().as_u16());
    let code = error.as_service_error().and_then(|error| error.meta().code()).unwrap_or_default();
    (status, code.to_owned())
}

/// What S3 was asked, as method and path, without the probes of readiness.
fn asked(s3: &DemoS3) -> Vec<String> {
    s3.log().iter().map(|seen| format!("{} {}", seen.method, seen.uri)).collect()
}
