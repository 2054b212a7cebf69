//! Requests that go to S3 as their clients signed them.

use aws_smithy_types::body::SdkBody;
use http::{
    HeaderValue, Request, Response,
    header::{HOST, USER_AGENT},
};

use super::{
    OriginError, S3Origin, Upload, WireBody,
    endpoint::EndpointError,
    request::AGENT,
    resilience::is_failure,
    s3::BucketEndpoint,
    sigv4::SigningScope,
    wire::{Reuse, WireError, WireErrorKind},
};
use crate::{
    meter::{Operation, Outcome},
    object::BucketName,
    request::{Purpose, ReadMethod},
};

/// Where the requests of a bucket go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SignedPlace {
    /// Before the key in the path: empty, or without a trailing slash.
    pub(crate) base_path: String,
    pub(crate) scope: SigningScope,
}

// === impl S3Origin ===

impl S3Origin {
    /// What a link for the bucket was signed for.
    pub(crate) fn signed_place(&self, bucket: &BucketName) -> Result<SignedPlace, EndpointError> {
        let place = self.place(bucket)?;
        let endpoint = &place.endpoint;
        Ok(SignedPlace { base_path: endpoint.base_path.clone(), scope: endpoint.scope.clone() })
    }

    /// Sends a request with this `Host`, or else the endpoint's, and waits for the head of the answer, whatever it is. Nothing
    /// is signed.
    pub(crate) async fn relay(
        &self,
        bucket: &BucketName,
        host: Option<&HeaderValue>,
        request: Request<Upload>,
    ) -> Result<Response<WireBody>, OriginError> {
        let place = self.place(bucket).map_err(OriginError::Endpoint)?;
        let mut request = request;
        request.headers_mut().insert(HOST, host.unwrap_or(&place.endpoint.host_header).clone());
        request.headers_mut().insert(USER_AGENT, AGENT);
        self.send_upload(&place, bucket, request).await
    }

    /// Sends a request with a client's body, and waits for the head of the answer, whatever it is.
    pub(super) async fn send_upload(
        &self,
        place: &BucketEndpoint,
        bucket: &BucketName,
        request: Request<Upload>,
    ) -> Result<Response<WireBody>, OriginError> {
        let pass = place.breaker.admit().map_err(|left| self.left_alone(left))?;
        let permit = self.in_flight.begin(Purpose::Begin).await.map_err(OriginError::Overload)?;
        self.spend(bucket, Purpose::Begin)?;
        let asking = self.meter().ask(Operation::of_object(request.method()));
        let mut request = request;
        request.body_mut().measure(self.meter());
        let result = match ReadMethod::try_from(request.method()) {
            Ok(_) => relay_read(place, request).await,
            Err(()) => place.wire.upload(&place.endpoint, request).await,
        };
        asking.ended(match &result {
            Ok(answer) => Outcome::answered(answer.status()),
            Err(error) => error.outcome(),
        });
        let turn = match &result {
            Ok(answer) if is_failure(answer.status()) => pass.failed(),
            Ok(_) => pass.succeeded(),
            // That says nothing of S3.
            Err(error) if matches!(error.kind, WireErrorKind::Overloaded | WireErrorKind::Unfinished) => None,
            Err(_) => pass.failed(),
        };
        self.turned(turn, bucket);
        let mut answer = result.map_err(OriginError::Wire)?;
        answer.body_mut().measure(self.meter());
        answer.body_mut().hold(Some(permit), self.byte_count());
        Ok(answer)
    }
}

/// A read has no body, and is sent again if a kept connection turns out to be closed.
async fn relay_read(
    place: &BucketEndpoint,
    request: Request<Upload>,
) -> Result<Response<WireBody>, WireError> {
    let (head, _) = request.into_parts();
    let mut reuse = Reuse::Allowed;
    loop {
        let mut request = Request::from_parts(head.clone(), SdkBody::empty());
        match place.wire.send(&place.endpoint, &mut request, reuse).await {
            Err(error) if error.kind == WireErrorKind::Stale => reuse = Reuse::Fresh,
            answered => return answered,
        }
    }
}
