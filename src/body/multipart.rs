use std::{
    collections::VecDeque,
    fmt,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http_body::Frame;

use super::{ExactBody, rest::PartFuture};
use crate::{
    error::BoxError,
    origin::Pace,
    request::{ByteRange, Span},
    response::Multipart,
};

/// A `multipart/byteranges` body. Its parts are read from S3 one after the other; parts close to each other share a
/// read.
pub(crate) struct MultipartBody {
    plan: Multipart,
    read: Box<dyn Fn(ByteRange) -> PartFuture + Send>,
    /// The spans that are not yet requested.
    later: VecDeque<Span>,
    /// The span that is being sent, and those requested ahead of their turn. Only the heads of the latter are awaited:
    /// their bytes stay with S3 until their turn, except what a connection's buffer takes.
    asked: VecDeque<AskedSpan>,
    /// The number of part heads sent.
    begun: usize,
    /// The rest of the part that is being sent.
    part: Option<ByteRange>,
    remaining: u64,
}

struct AskedSpan {
    span: Span,
    answer: SpanAnswer,
}

enum SpanAnswer {
    Awaited(PartFuture),
    /// Boxed: it is large beside the other.
    Here(Box<SpanBody>),
    /// The request failed ahead of its turn. It may have waited for the span before it to end, which a slow client reads: it
    /// is repeated when its turn has come.
    Failed,
}

/// The bytes of a span, those between its parts included.
struct SpanBody {
    body: ExactBody,
    /// Received, but not used yet.
    rest: Bytes,
    /// The offset in the object at which `rest` begins.
    at: u64,
    /// Parts whose heads are not sent yet.
    parts: usize,
}

/// With more, S3 would be asked for bytes that the client may never take.
const AT_ONCE: usize = 3;

/// In bytes: the rest of a span at which the next ones are requested.
const NEAR: u64 = 256 * 1024;

// === impl MultipartBody ===

impl MultipartBody {
    /// `first` is the body of the first of the plan's spans; `read` asks for another one.
    pub(crate) fn new(
        plan: Multipart,
        spans: Vec<Span>,
        first: ExactBody,
        read: impl Fn(ByteRange) -> PartFuture + Send + 'static,
    ) -> Self {
        let mut later = VecDeque::from(spans);
        let first = later
            .pop_front()
            .map(|span| AskedSpan { span, answer: SpanAnswer::Here(Box::new(SpanBody::new(first, span))) });
        Self {
            later,
            remaining: plan.content_length(),
            plan,
            read: Box::new(read),
            asked: first.into_iter().collect(),
            begun: 0,
            part: None,
        }
    }

    pub(super) fn remaining(&self) -> u64 {
        self.remaining
    }

    pub(super) fn poll_frame(
        &mut self,
        pace: Pace,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(match ready!(self.poll_data(pace, cx)) {
            Some(Ok(data)) => {
                self.remaining = self.remaining.saturating_sub(data.len() as u64);
                Some(Ok(Frame::data(data)))
            }
            Some(Err(error)) => {
                // The promised length cannot be taken back: nothing follows an error.
                self.remaining = 0;
                self.asked.clear();
                self.later.clear();
                Some(Err(error))
            }
            None => None,
        })
    }

    fn poll_data(&mut self, pace: Pace, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BoxError>>> {
        if self.remaining == 0 {
            return Poll::Ready(None);
        }
        loop {
            self.ask_ahead(cx)?;
            let body = match self.asked.front_mut() {
                None => return Poll::Ready(Some(Ok(self.plan.end()))),
                Some(AskedSpan { answer: SpanAnswer::Awaited(_), .. }) => return Poll::Pending,
                Some(AskedSpan { span, answer: answer @ SpanAnswer::Failed }) => {
                    *answer = SpanAnswer::Awaited((self.read)(span.range));
                    continue;
                }
                Some(AskedSpan { answer: SpanAnswer::Here(body), .. }) => body,
            };
            match self.part {
                Some(part) => {
                    let data = ready!(body.poll_part(part, pace, cx))?;
                    self.part = part.after(data.len() as u64);
                    return Poll::Ready(Some(Ok(data)));
                }
                None if body.parts > 0 => {
                    body.parts -= 1;
                    self.part = self.plan.ranges().nth(self.begun);
                    let head = self.plan.part_head(self.begun).unwrap_or_default();
                    self.begun += 1;
                    return Poll::Ready(Some(Ok(head)));
                }
                None => drop(self.asked.pop_front()),
            }
        }
    }

    /// Keeps a few requests in flight when the current span nears its end. Not earlier: S3 closes connections that
    /// nobody reads.
    fn ask_ahead(&mut self, cx: &mut Context<'_>) -> Result<(), BoxError> {
        let is_near = self.asked.iter().all(|asked| match &asked.answer {
            SpanAnswer::Awaited(_) | SpanAnswer::Failed => true,
            SpanAnswer::Here(body) => body.body.remaining() <= NEAR,
        });
        while (is_near || self.asked.is_empty())
            && self.asked.len() < AT_ONCE
            && let Some(span) = self.later.pop_front()
        {
            self.asked.push_back(AskedSpan { span, answer: SpanAnswer::Awaited((self.read)(span.range)) });
        }
        for (turn, AskedSpan { span, answer }) in self.asked.iter_mut().enumerate() {
            if let SpanAnswer::Awaited(awaited) = answer
                && let Poll::Ready(answered) = awaited.as_mut().poll(cx)
            {
                *answer = match answered {
                    Ok(body) => SpanAnswer::Here(Box::new(SpanBody::new(body, *span))),
                    Err(error) if turn == 0 => return Err(error),
                    Err(_) => SpanAnswer::Failed,
                };
            }
        }
        Ok(())
    }
}

// === impl SpanBody ===

impl SpanBody {
    fn new(body: ExactBody, span: Span) -> Self {
        Self { body, rest: Bytes::new(), at: span.range.first(), parts: span.parts }
    }

    /// The next bytes of the rest of a part; bytes before it are dropped.
    fn poll_part(
        &mut self,
        part: ByteRange,
        pace: Pace,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Bytes, BoxError>> {
        loop {
            let between = usize::try_from(part.first() - self.at).unwrap_or(usize::MAX);
            let dropped = between.min(self.rest.len());
            self.rest.advance(dropped);
            self.at += dropped as u64;
            if !self.rest.is_empty() {
                let wanted = usize::try_from(part.len()).unwrap_or(usize::MAX);
                let data = self.rest.split_to(wanted.min(self.rest.len()));
                self.at += data.len() as u64;
                return Poll::Ready(Ok(data));
            }
            match ready!(self.body.poll_frame(pace, cx)).transpose()? {
                Some(frame) => self.rest = frame.into_data().unwrap_or_default(),
                None => return Poll::Ready(Err("a part lies outside the range that was read for it".into())),
            }
        }
    }
}

impl fmt::Debug for MultipartBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MultipartBody").field("plan", &self.plan).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::Pin,
        sync::{Arc, Mutex},
        task::Waker,
    };

    use aws_smithy_types::body::SdkBody;

    use super::*;
    use crate::{
        origin::{End, WireBody},
        response::Boundary,
    };

    fn range(first: u64, last: u64) -> ByteRange {
        ByteRange::new(first, last).unwrap()
    }

    /// The bytes of a range of an object whose bytes count up.
    fn bytes(range: ByteRange) -> Vec<u8> {
        (range.first()..=range.last()).map(|at| u8::try_from(at % 251).unwrap()).collect()
    }

    fn part(range: ByteRange) -> ExactBody {
        let body = WireBody::from(SdkBody::from(bytes(range)));
        ExactBody::new(body, 0, range.len(), End::Told)
    }

    fn plan(ranges: &[ByteRange]) -> Multipart {
        Multipart::new(ranges.iter().copied(), 10_000_000, None, Boundary::random())
    }

    fn spans(plan: &Multipart) -> Vec<Span> {
        plan.spans(10_000_000).expect("there are few")
    }

    fn expected(plan: &Multipart) -> Vec<u8> {
        let parts = plan.ranges().enumerate();
        let mut all: Vec<u8> = parts
            .flat_map(|(n, range)| [plan.part_head(n).unwrap().to_vec(), bytes(range)].concat())
            .collect();
        all.extend_from_slice(&plan.end());
        all
    }

    fn poll(body: &mut MultipartBody) -> Option<Result<Bytes, String>> {
        match body.poll_frame(Pace::Full, &mut Context::from_waker(Waker::noop())) {
            Poll::Ready(frame) => frame.map(|frame| match frame {
                Ok(frame) => Ok(frame.into_data().unwrap()),
                Err(error) => Err(error.to_string()),
            }),
            Poll::Pending => panic!("it waits"),
        }
    }

    #[test]
    fn the_parts_come_in_their_order_and_are_as_long_as_was_said() {
        let plan = plan(&[range(100, 199), range(0, 9), range(5000, 5000)]);
        let (expected, length) = (expected(&plan), plan.content_length());
        let mut body = MultipartBody::new(plan.clone(), spans(&plan), part(range(100, 199)), |range| {
            Box::pin(async move { Ok(part(range)) })
        });
        assert_eq!(body.remaining(), length);
        let mut got = Vec::new();
        while let Some(data) = poll(&mut body) {
            got.extend_from_slice(&data.unwrap());
            assert_eq!(body.remaining(), length - got.len() as u64);
        }
        assert!(got == expected);
        assert_eq!(poll(&mut body), None);
    }

    #[test]
    fn parts_are_asked_for_when_their_turn_is_near() {
        let large = range(0, 4 * NEAR);
        let plan = plan(&[
            large,
            range(5_000_000, 5_000_009),
            range(6_000_000, 6_000_009),
            range(7_000_000, 7_000_009),
        ]);
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&asked);
        // Bytes come in pieces, so that there is a time when a part is neither begun nor nearly over.
        let first = ExactBody::new(
            WireBody::from(SdkBody::from_body_1_x(Pieces(
                bytes(large).chunks(65_536).map(Bytes::copy_from_slice).collect(),
            ))),
            0,
            large.len(),
            End::Told,
        );
        let mut body = MultipartBody::new(plan.clone(), spans(&plan), first, move |range| {
            noted.lock().unwrap().push(range.first());
            Box::pin(async move { Ok(part(range)) })
        });
        poll(&mut body);
        poll(&mut body);
        assert!(asked.lock().unwrap().is_empty(), "S3 is not asked for what the client may never take");
        while asked.lock().unwrap().is_empty() {
            assert!(poll(&mut body).unwrap().is_ok());
        }
        assert_eq!(*asked.lock().unwrap(), [5_000_000, 6_000_000], "no more than three are under way");
        while let Some(data) = poll(&mut body) {
            data.unwrap();
        }
        assert_eq!(*asked.lock().unwrap(), [5_000_000, 6_000_000, 7_000_000]);
    }

    struct Pieces(VecDeque<Bytes>);

    impl http_body::Body for Pieces {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
        }
    }

    #[test]
    fn parts_that_are_close_are_read_in_one_go() {
        let ranges = [range(10, 19), range(150, 159), range(400, 400), range(100_000, 100_009), range(0, 9)];
        let plan = plan(&ranges);
        let expected = expected(&plan);
        for piece in [1, 7, 140, 1000] {
            let asked = Arc::new(Mutex::new(Vec::new()));
            let noted = Arc::clone(&asked);
            let read = move |span: ByteRange| {
                let pieces = bytes(span).chunks(piece).map(Bytes::copy_from_slice).collect();
                let body = WireBody::from(SdkBody::from_body_1_x(Pieces(pieces)));
                ExactBody::new(body, 0, span.len(), End::Told)
            };
            let mut body =
                MultipartBody::new(plan.clone(), spans(&plan), read(range(10, 400)), move |span| {
                    noted.lock().unwrap().push((span.first(), span.last()));
                    let body = read(span);
                    Box::pin(async move { Ok(body) })
                });
            let mut got = Vec::new();
            while let Some(data) = poll(&mut body) {
                got.extend_from_slice(&data.unwrap());
            }
            assert!(got == expected, "{piece}");
            assert_eq!(*asked.lock().unwrap(), [(100_000, 100_009), (0, 9)]);
        }
    }

    /// A slow client can keep the first from ending until the others have waited too long.
    #[test]
    fn a_part_that_fails_ahead_of_its_turn_is_asked_for_once_more() {
        let ranges = [range(0, 9), range(100_000, 100_009), range(200_000, 200_009)];
        let plan = plan(&ranges);
        let expected = expected(&plan);
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&asked);
        let mut body = MultipartBody::new(plan.clone(), spans(&plan), part(ranges[0]), move |range| {
            let mut noted = noted.lock().unwrap();
            noted.push(range.first());
            let is_second = noted.len() > 2;
            Box::pin(
                async move { if is_second { Ok(part(range)) } else { Err("too much is in flight".into()) } },
            )
        });
        let mut got = Vec::new();
        while let Some(data) = poll(&mut body) {
            got.extend_from_slice(&data.unwrap());
        }
        assert!(got == expected);
        assert_eq!(*asked.lock().unwrap(), [100_000, 200_000, 100_000, 200_000]);
    }

    #[test]
    fn nothing_comes_behind_a_part_that_fails() {
        let plan = plan(&[range(0, 9), range(100_000, 100_009), range(200_000, 200_009)]);
        let mut body = MultipartBody::new(plan.clone(), spans(&plan), part(range(0, 9)), |range| {
            Box::pin(
                async move { if range.first() == 100_000 { Err("changed".into()) } else { Ok(part(range)) } },
            )
        });
        let error = loop {
            if let Err(error) = poll(&mut body).expect("an error comes before the end") {
                break error;
            }
        };
        assert_eq!(error, "changed");
        assert_eq!((body.remaining(), poll(&mut body)), (0, None));
    }
}
