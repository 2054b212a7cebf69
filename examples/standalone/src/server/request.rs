use std::{
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::{
    activity::Activity,
    admission::{Order, Seat, StreamSeat},
    progress::{Counted, Progress},
};
use crate::access_log::{Ending, Entry};

/// A request in flight: from its head until its response was handed to the server, or is given up.
#[derive(Debug)]
pub(crate) struct OpenRequest {
    activity: Arc<Activity>,
    /// How many others were in flight on its connection when it began.
    others: u64,
    /// Its place, if it is not the first of its connection.
    seat: Option<StreamSeat>,
    /// Its line in the access log, which is written with the end of this.
    pub(crate) log: Option<Box<Entry>>,
}

// === impl OpenRequest ===

impl OpenRequest {
    pub(crate) fn begin(activity: Arc<Activity>, log: Option<Box<Entry>>) -> Self {
        let others = activity.begin();
        Self { activity, others, seat: None, log }
    }

    /// Makes sure that there is a place for it. The first request of a connection has the connection's, unless that has many
    /// clients, of whom this one is `behind` it.
    pub(crate) fn take_seat(&mut self, connection: &Seat, behind: Option<IpAddr>) -> bool {
        let order = if self.others == 0 { Order::First } else { Order::Further };
        if order == Order::First && behind.is_none() {
            return true;
        }
        self.seat = connection.stream(order, behind);
        self.seat.is_some()
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.activity.end();
    }
}

pin_project! {
    /// The body of a response, whose request is in flight until it ends.
    pub(crate) struct OpenBody<B> {
        #[pin]
        body: B,
        request: OpenRequest,
        progress: Option<Arc<Progress>>,
        has_ended: bool,
    }
}

/// In bytes: the most of a response that HTTP/2 can be left with for a client that does not take it.
///
/// A stream whose end was handed over can't be reset by its task any more. So the end of larger responses waits until the
/// rest is sent, which costs a frame.
const TAIL: u64 = 16 * 1024;

// === impl OpenBody ===

impl<B> OpenBody<B> {
    /// Over HTTP/2, with the progress of its response.
    pub(crate) fn new(body: B, mut request: OpenRequest, progress: Option<Arc<Progress>>) -> Self {
        if let Some(progress) = &progress
            && let Some(seat) = request.seat.take()
        {
            progress.keep(seat);
        }
        Self { body, request, progress, has_ended: false }
    }
}

impl<B: Body> Body for OpenBody<B> {
    type Data = Counted<B::Data>;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let mut me = self.project();
        let progress = me.progress.as_ref();
        if !*me.has_ended
            && let Some(frame) = ready!(me.body.as_mut().poll_frame(cx))
        {
            if let Some(log) = &mut me.request.log {
                match &frame {
                    Ok(frame) => log.sent(frame.data_ref().map_or(0, Buf::remaining)),
                    Err(_) => log.ended(Ending::Failed),
                }
                // Then a server asks for no more.
                if me.body.is_end_stream() && frame.is_ok() {
                    log.ended(Ending::Complete);
                }
            }
            let count = |data| Counted::new(data, progress);
            return Poll::Ready(Some(frame.map(|frame| frame.map_data(count))));
        }
        if !std::mem::replace(me.has_ended, true)
            && let Some(log) = &mut me.request.log
        {
            log.ended(Ending::Complete);
        }
        progress.map_or(Poll::Ready(()), |progress| progress.poll_taken(cx)).map(|()| None)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream() && self.progress.as_ref().is_none_or(|progress| progress.untaken() <= TAIL)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use bytes::Bytes;
    use http_body_util::{Full, channel::Channel};

    use super::*;

    /// The next frame's data; `None` at the end.
    fn poll<B: Body<Data = Bytes> + Unpin>(body: &mut OpenBody<B>) -> Poll<Option<Counted<Bytes>>> {
        let frame = Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop()));
        frame.map(|frame| frame?.ok()?.into_data().ok())
    }

    #[tokio::test]
    async fn a_request_is_open_until_its_body_is_dropped() {
        let activity = Arc::new(Activity::default());
        let open = || activity.seen().requests.open();
        let request = OpenRequest::begin(Arc::clone(&activity), None);
        assert_eq!(open(), 1);
        let (mut sender, body) = Channel::<Bytes>::new(1);
        let mut body = OpenBody::new(Box::pin(body), request, None);
        assert!(poll(&mut body).is_pending());
        sender.send_data(Bytes::from_static(b"a")).await.unwrap();
        assert!(matches!(poll(&mut body), Poll::Ready(Some(_))));
        assert_eq!(open(), 1);
        drop(body);
        assert_eq!(open(), 0, "dropped while it waits");
        drop(OpenRequest::begin(Arc::clone(&activity), None));
        assert_eq!(open(), 0, "without an answer");
    }

    #[test]
    fn the_end_of_a_large_response_over_http_2_waits_for_the_client() {
        for (size, waits) in [(10, false), (16 * 1024, false), (16 * 1024 + 1, true)] {
            for progress in [None, Some(Arc::default())] {
                let waits = waits && progress.is_some();
                let request = OpenRequest::begin(Arc::default(), None);
                let mut body = OpenBody::new(Full::new(Bytes::from(vec![0; size])), request, progress);
                let Poll::Ready(Some(mut data)) = poll(&mut body) else { panic!("no data") };
                assert_eq!(body.is_end_stream(), !waits, "{size}");
                if waits {
                    assert!(poll(&mut body).is_pending(), "{size}");
                    data.advance(size);
                    assert!(matches!(poll(&mut body), Poll::Ready(None)), "{size}");
                }
            }
        }
    }
}
