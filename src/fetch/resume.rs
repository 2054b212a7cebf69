//! The rest of a body that broke off.

use std::sync::Arc;

use tokio::{
    runtime::Handle,
    time::{Instant, sleep},
};

use super::object::{Cut, Object};
use crate::{
    body::{Broken, ExactBody, ObjectBody, PartFuture, Reopen, Rest, UntoldBody},
    config::Mount,
    error::{BoxError, ProxyError, ProxyErrorKind, in_one_line},
    object::{BucketName, Edition, ObjectKey, State},
    origin::WireBody,
    request::{ByteRange, Purpose},
};

/// The body of a response that goes on as it comes. Its framing shows whether it came whole; if not, one line says so.
pub(crate) fn as_it_comes(body: WireBody, mount: Mount, bucket: BucketName, key: ObjectKey) -> ObjectBody {
    let object = Object { mount, bucket, key, edition: Edition::default() };
    ObjectBody::Unmeasured(Box::new(UntoldBody::new(body, Arc::new(object))))
}

impl Reopen for Object {
    fn reopen(self: Arc<Self>, rest: Rest) -> PartFuture {
        Box::pin(async move {
            match self.rest(&rest).await {
                Ok(body) => {
                    self.went_on(&rest);
                    Ok(body)
                }
                Err(asked) => {
                    let Rest { range, breaks, why, .. } = rest;
                    Err(self.broke_off(Broken { at: range.first(), breaks: breaks.in_all, why, asked }))
                }
            }
        })
    }

    fn broke_off(&self, broken: Broken) -> BoxError {
        let Broken { at, breaks, why: source, asked } = broken;
        let Self { mount, bucket, key, .. } = self;
        mount.0.origin.resilience.counters.broken();
        let (key, why) = (key.as_str(), in_one_line(&*source));
        let error = ProxyError::from_source(ProxyErrorKind::OriginBroken, source);
        let id = error.id();
        let asked = asked.map(|why| in_one_line(&*why));
        if let Some(count) = mount.0.tallies.faults.add(Instant::now()) {
            tracing::error!(id, %bucket, key, at, breaks, why, asked, count, "a body broke off");
        } else {
            tracing::debug!(id, %bucket, key, at, breaks, why, asked, "a body broke off");
        }
        error.into()
    }
}

impl Object {
    /// The rest, of the very state that the body had.
    ///
    /// # Errors
    ///
    /// `None` if it is not asked for.
    async fn rest(&self, rest: &Rest) -> Result<ExactBody, Option<BoxError>> {
        let Rest { range, state, breaks, .. } = rest;
        // Without a strong tag, the rest may be of another state; outside of a runtime, nothing can be asked.
        if !state.is_pinned() || Handle::try_current().is_err() {
            return Err(None);
        }
        let Err(more) = self.mount.0.origin.resilience.may_go_on(breaks.in_a_row) else {
            return self.rest_of(*range, state, breaks.in_a_row).await;
        };
        let Some(replica) = &self.mount.0.replica else { return Err(None) };
        let there = self.at(replica);
        if there.mount.0.origin.resilience.may_go_on(more).is_err() {
            return Err(None);
        }
        let body = there.rest_of(*range, state, more).await?;
        self.failed_over(&there.bucket);
        Ok(body)
    }

    /// The same from this bucket, of which so many reads in a row broke off.
    async fn rest_of(
        &self,
        range: ByteRange,
        state: &State,
        breaks: u32,
    ) -> Result<ExactBody, Option<BoxError>> {
        let resilience = &self.mount.0.origin.resilience;
        if !resilience.may_repeat() {
            return Err(None);
        }
        sleep(resilience.pause_before(breaks)).await;
        let body =
            self.read(range, state, Cut::Any, Purpose::Continue).await.map_err(|why| Some(why.into()))?;
        resilience.repeated();
        Ok(body)
    }

    fn went_on(&self, rest: &Rest) {
        let Self { mount, bucket, key, .. } = self;
        mount.0.origin.resilience.counters.resumed();
        if let Some(count) = mount.0.tallies.resumed.add(Instant::now()) {
            let (key, why) = (key.as_str(), in_one_line(&*rest.why));
            tracing::warn!(%bucket, key, at = rest.range.first(), why, count, "S3 broke off; the rest was read");
        }
    }
}
