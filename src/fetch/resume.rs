//! The rest of a body that broke off.

use std::sync::Arc;

use tokio::{
    runtime::Handle,
    time::{Instant, sleep},
};

use super::object::{Cut, Object};
use crate::{
    body::{ExactBody, PartFuture, Reopen, Rest},
    error::{BoxError, ProxyError, ProxyErrorKind, in_one_line},
    request::Purpose,
};

impl Reopen for Object {
    fn reopen(self: Arc<Self>, rest: Rest) -> PartFuture {
        Box::pin(async move {
            match self.rest(&rest).await {
                Ok(body) => {
                    self.went_on(&rest);
                    Ok(body)
                }
                Err(why) => Err(self.broke_off(rest, why)),
            }
        })
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
        let resilience = &self.mount.0.origin.resilience;
        // Without a strong tag, the rest may be of another state; outside of a runtime, nothing can be asked.
        if !state.is_pinned()
            || Handle::try_current().is_err()
            || !resilience.may_go_on(breaks.in_a_row)
            || !resilience.may_repeat()
        {
            return Err(None);
        }
        sleep(resilience.pause_before(breaks.in_a_row)).await;
        let body =
            self.read(*range, state, Cut::Any, Purpose::Continue).await.map_err(|why| Some(why.into()))?;
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

    /// The error that ends the body, and the line about it in the log.
    fn broke_off(&self, rest: Rest, asked: Option<BoxError>) -> BoxError {
        let Self { mount, bucket, key, .. } = self;
        mount.0.origin.resilience.counters.broken();
        let (key, at, breaks) = (key.as_str(), rest.range.first(), rest.breaks.in_all);
        let why = in_one_line(&*rest.why);
        let error = ProxyError::from_source(ProxyErrorKind::OriginBroken, rest.why);
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
