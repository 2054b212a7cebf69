use std::sync::Arc;

use aws_smithy_async::time::TimeSource;
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{
            Intercept,
            context::{BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef},
            dyn_dispatch_hint,
        },
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::config_bag::ConfigBag;

use super::super::{Resilience, clock::OriginClock};
use crate::object::BucketName;

/// Counts what the SDK's own client sends and reads, each attempt for itself. Whether there is room is asked before the call.
#[derive(Debug)]
pub(in crate::origin) struct CountCalls {
    pub(in crate::origin) resilience: Arc<Resilience>,
    pub(in crate::origin) clock: OriginClock,
    pub(in crate::origin) bucket: BucketName,
}

#[dyn_dispatch_hint]
impl Intercept for CountCalls {
    fn name(&self) -> &'static str {
        "CountCalls"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(spending) = &self.resilience.spending {
            spending.count(self.clock.now(), &self.bucket);
        }
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let (Some(spending), Some(body)) = (&self.resilience.spending, context.response().body().bytes()) {
            spending.byte_count().add(body.len());
        }
        Ok(())
    }
}
