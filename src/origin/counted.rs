//! The SDK's own client, for calls that count among the requests in flight.

use std::ops::Deref;

use aws_sdk_s3::Client;
use tokio::sync::OwnedSemaphorePermit;

use super::{OriginError, S3Origin};
use crate::{object::BucketName, request::Purpose};

/// A client whose call is one of the requests in flight for as long as this lives.
pub(crate) struct CountedClient {
    client: Client,
    _permit: OwnedSemaphorePermit,
}

// === impl S3Origin ===

impl S3Origin {
    /// A client for one call, if there is room for one more in flight.
    pub(crate) async fn counted_client(&self, bucket: &BucketName) -> Result<CountedClient, OriginError> {
        let client = self.typed_client(bucket).map_err(OriginError::Endpoint)?;
        self.may_spend()?;
        let permit = self.in_flight.begin(Purpose::Begin).await.map_err(OriginError::Overload)?;
        Ok(CountedClient { client, _permit: permit })
    }
}

// === impl CountedClient ===

impl Deref for CountedClient {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}
