//! Cache fills: the tasks that read S3 for them.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::runtime::Handle;

use super::{
    from_origin_error,
    object::{Cut, Object, PartError},
};
use crate::{
    body::ExactBody,
    cache::{Fill, FillError, Found, Head},
    error::{Failure, ProxyErrorKind},
    explained,
    object::State,
    origin::Pace,
    request::Purpose,
};

/// A fill and its object. However its task ends, even by a panic or with its runtime, no reader keeps waiting for it.
struct Filling {
    object: Arc<Object>,
    head: Arc<Head>,
    fill: Arc<Fill>,
}

impl Object {
    /// Begins the fills that a gathering requested, each in its own task, so that no client slows another down.
    /// `purpose` is what each is for.
    pub(super) fn begin(
        self: &Arc<Self>,
        head: &Arc<Head>,
        fills: Vec<Arc<Fill>>,
        purpose: impl Fn(&Fill) -> Purpose,
    ) {
        for fill in fills {
            let purpose = purpose(&fill);
            self.filling(head, fill).spawn(move |filling| async move { filling.read(purpose).await });
        }
    }

    /// Begins a fill with a response that has already come.
    pub(super) fn begin_with(self: &Arc<Self>, head: &Arc<Head>, fill: Arc<Fill>, body: ExactBody) {
        fill.open();
        self.filling(head, fill).spawn(|filling| async move { filling.pump(body).await });
    }

    fn filling(self: &Arc<Self>, head: &Arc<Head>, fill: Arc<Fill>) -> Filling {
        Filling { object: Arc::clone(self), head: Arc::clone(head), fill }
    }

    /// The bytes of a range of a stored state.
    async fn open(
        self: &Arc<Self>,
        fill: &Fill,
        found: &Found,
        purpose: Purpose,
    ) -> Result<ExactBody, FillError> {
        let part = self.part(fill.range, &State::of(&found.fields, found.total), Cut::Any, purpose).await;
        part.map_err(|why| match why {
            PartError::Changed => FillError::Changed,
            PartError::Refused(refusal) => FillError::Refused(Box::new(self.mount.to_failure(*refusal))),
            PartError::Origin(error) => {
                let failure: Box<Failure> = Box::new(from_origin_error(error));
                match (purpose, failure.error.kind()) {
                    (Purpose::Begin, ProxyErrorKind::Overloaded | ProxyErrorKind::BudgetUsedUp) => {
                        FillError::TurnedAway(failure)
                    }
                    _ => FillError::Refused(failure),
                }
            }
            PartError::Mismatch(mismatch) => FillError::Broken(mismatch.to_string().into()),
            PartError::NoRanges => FillError::Broken(why.to_string().into()),
        })
    }
}

// === impl Filling ===

impl Filling {
    /// A body that is polled outside a runtime can't begin a read: then its fill is cut off when this is dropped.
    fn spawn<F>(self, work: impl FnOnce(Self) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        if let Ok(runtime) = Handle::try_current() {
            explained::spawn(&runtime, work(self));
        }
    }

    async fn read(self, purpose: Purpose) {
        let Self { head, fill, .. } = &self;
        let Some(found) = head.found() else { return };
        let Some(opened) = self.open(found, purpose).await else { return };
        match opened {
            Ok(body) => {
                fill.open();
                self.pump(body).await;
            }
            Err(error) => {
                // An outage says nothing about the object: its stored bytes stay as good as before.
                let is_outage = match &error {
                    FillError::TurnedAway(_) => true,
                    FillError::Refused(failure) => failure.is_outage(),
                    FillError::Changed | FillError::Broken(_) => false,
                };
                if !is_outage {
                    self.forget();
                }
                fill.fail(error);
            }
        }
    }

    /// `None` if it is given up: then it no longer waits for other requests to S3 to end.
    async fn open(&self, found: &Found, purpose: Purpose) -> Option<Result<ExactBody, FillError>> {
        let Self { object, fill, .. } = self;
        let cache = object.cache()?;
        let mut opening = pin!(object.open(fill, found, purpose));
        loop {
            match unless_abandoned(fill, |cx| opening.as_mut().poll(cx)).await {
                Some(opened) => return Some(opened),
                None if cache.abandon(fill) => return None,
                None => {}
            }
        }
    }

    /// Passes on the bytes that come, and stores them if they are complete.
    async fn pump(&self, mut body: ExactBody) {
        let Self { object, head, fill } = self;
        let Some(cache) = object.cache() else { return };
        loop {
            let frame = match unless_abandoned(fill, |cx| body.poll_frame(Pace::Full, cx)).await {
                Some(frame) => frame,
                None if cache.abandon(fill) => return,
                None => continue,
            };
            match frame {
                Some(Ok(frame)) => cache.receive(fill, frame.into_data().unwrap_or_default()),
                Some(Err(error)) => {
                    self.forget();
                    return fill.fail(FillError::Broken(error.to_string().into()));
                }
                None => break,
            }
        }
        cache.finish_fill(&object.in_cache(cache).to_owned(), head, fill);
    }

    /// Forgets the object, so that an incomplete read leaves nothing behind.
    fn forget(&self) {
        if let Some(cache) = self.object.cache() {
            cache.forget(&self.object.in_cache(cache).to_owned(), &self.head);
        }
    }
}

impl Drop for Filling {
    fn drop(&mut self) {
        if let Some(cache) = self.object.cache() {
            cache.end_fill(&self.head, &self.fill);
        }
    }
}

/// What `work` polls for; `None` if the last reader has gone before.
async fn unless_abandoned<T>(fill: &Fill, mut work: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Option<T> {
    let mut abandoned = pin!(fill.abandoned());
    poll_fn(|cx| match work(cx) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => abandoned.as_mut().poll(cx).map(|()| None),
    })
    .await
}
