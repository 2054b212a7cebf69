//! The service of `s3s` that checks the signature of one request, and calls its operation.

use std::sync::{Arc, LazyLock};

use http::{HeaderMap, Request, request::Parts};
use s3s::{
    S3Result,
    auth::{S3Auth, SecretKey},
    config::{S3Config, S3ConfigProvider, StaticConfigProvider},
    s3_error,
    service::{S3Service, S3ServiceBuilder},
    validation::NameValidation,
};

use super::operations::Operations;
use crate::clients::ClientKey;

/// For one key: the one that the request names.
struct OneKey {
    access_key: String,
    secret_key: SecretKey,
}

/// A mount at `/m` is the bucket `m`, which is shorter than S3's names are.
struct AnyName;

pub(super) fn service(key: &ClientKey, operations: Operations) -> S3Service {
    let mut builder = S3ServiceBuilder::new(operations);
    let (access_key, secret_key) = (key.access_key().to_owned(), SecretKey::from(key.secret_key()));
    builder.set_auth(OneKey { access_key, secret_key });
    builder.set_validation(AnyName);
    builder.set_config(CONFIG.clone());
    builder.build()
}

/// The request as it came, for the signature is of its path, its query and its fields.
pub(super) fn request(head: &Parts, body: s3s::Body) -> Request<s3s::Body> {
    let mut request = Request::new(body);
    *request.method_mut() = head.method.clone();
    *request.uri_mut() = head.uri.clone();
    *request.version_mut() = head.version;
    *request.headers_mut() = HeaderMap::clone(&head.headers);
    request
}

static CONFIG: LazyLock<Arc<dyn S3ConfigProvider>> = LazyLock::new(|| {
    let mut config = S3Config::default();
    config.xml_max_body_size = LARGEST_DOCUMENT;
    config.presigned_url_max_skew_time_secs = CLOCK_LIMIT;
    Arc::new(StaticConfigProvider::new(Arc::new(config)))
});

/// In bytes: 1000 keys of 1024 bytes to delete, or 10,000 parts with their checksums, and the XML around them.
const LARGEST_DOCUMENT: usize = 8 << 20;

/// In seconds ([S3 API, "Authenticating
/// Requests"](https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html)).
const CLOCK_LIMIT: u32 = 15 * 60;

#[async_trait::async_trait]
impl S3Auth for OneKey {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        match access_key == self.access_key {
            true => Ok(self.secret_key.clone()),
            false => Err(s3_error!(InvalidAccessKeyId)),
        }
    }
}

impl NameValidation for AnyName {
    fn validate_bucket_name(&self, name: &str) -> bool {
        !name.is_empty()
    }
}
