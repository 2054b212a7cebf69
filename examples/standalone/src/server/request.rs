use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::{
    activity::Activity,
    admission::{Seat, StreamSeat},
};

/// A request in flight: from its head until its response is taken to the end or given up.
#[derive(Debug)]
pub(crate) struct OpenRequest {
    activity: Arc<Activity>,
    /// Whether it waits for this process or S3, not for the client.
    is_waiting: bool,
    /// How many others were in flight on its connection when it began.
    others: u64,
    /// Its place, if it is not the first of its connection.
    seat: Option<StreamSeat>,
}

// === impl OpenRequest ===

impl OpenRequest {
    pub(crate) fn begin(activity: Arc<Activity>) -> Self {
        let others = activity.begin();
        Self { activity, is_waiting: true, others, seat: None }
    }

    /// Makes sure that there is a place for it. The first request of a connection has the connection's.
    pub(crate) fn take_seat(&mut self, connection: &Seat) -> bool {
        if self.others > 0 {
            self.seat = connection.stream();
        }
        self.others == 0 || self.seat.is_some()
    }

    fn set_waiting(&mut self, is_waiting: bool) {
        match (self.is_waiting, is_waiting) {
            (false, true) => self.activity.wait(),
            (true, false) => self.activity.stop_waiting(),
            (true, true) | (false, false) => return,
        }
        self.is_waiting = is_waiting;
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.set_waiting(false);
        self.activity.end();
    }
}

pin_project! {
    /// The body of a response, whose request is in flight until it ends.
    pub(crate) struct OpenBody<B> {
        #[pin]
        body: B,
        request: OpenRequest,
    }
}

// === impl OpenBody ===

impl<B> OpenBody<B> {
    pub(crate) fn new(body: B, mut request: OpenRequest) -> Self {
        request.set_waiting(false);
        Self { body, request }
    }
}

impl<B: Body> Body for OpenBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let me = self.project();
        let frame = me.body.poll_frame(cx);
        me.request.set_waiting(frame.is_pending());
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Full, channel::Channel};

    use super::*;

    fn counts(activity: &Activity) -> (u64, u64) {
        let requests = activity.seen().requests;
        (requests.waiting(), requests.open())
    }

    #[tokio::test]
    async fn a_request_is_open_until_its_body_is_dropped_and_waits_while_the_body_does() {
        let activity = Arc::new(Activity::default());
        let request = OpenRequest::begin(Arc::clone(&activity));
        assert_eq!(counts(&activity), (1, 1));
        let (mut sender, body) = Channel::<bytes::Bytes>::new(1);
        let mut body = OpenBody::new(Box::pin(body), request);
        assert_eq!(counts(&activity), (0, 1));
        assert!(futures_poll(&mut body).is_pending());
        assert_eq!(counts(&activity), (1, 1));
        sender.send_data(bytes::Bytes::from_static(b"a")).await.unwrap();
        assert!(body.frame().await.is_some());
        assert_eq!(counts(&activity), (0, 1));
        assert!(futures_poll(&mut body).is_pending());
        drop(body);
        assert_eq!(counts(&activity), (0, 0), "dropped while it waits");
    }

    #[test]
    fn a_request_without_an_answer_ends_too() {
        let activity = Arc::new(Activity::default());
        drop(OpenRequest::begin(Arc::clone(&activity)));
        assert_eq!(counts(&activity), (0, 0));
        drop(OpenBody::new(Full::<bytes::Bytes>::default(), OpenRequest::begin(Arc::clone(&activity))));
        assert_eq!(counts(&activity), (0, 0));
    }

    fn futures_poll<B: Body + Unpin>(body: &mut B) -> Poll<()> {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        Pin::new(body).poll_frame(&mut cx).map(|_| ())
    }
}
