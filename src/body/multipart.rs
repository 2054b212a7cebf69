use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::Frame;

use super::ExactBody;
use crate::{error::BoxError, request::ByteRange, response::Multipart};

/// A `multipart/byteranges` body, whose parts are read from S3 one after the other.
pub(crate) struct MultipartBody {
    plan: Multipart,
    read: Box<dyn Fn(ByteRange) -> PartFuture + Send>,
    /// The parts that are not yet asked for.
    later: VecDeque<ByteRange>,
    /// The part that is being sent, and those asked for ahead of their turn. No more than their heads are awaited:
    /// their bytes stay with S3 until they are wanted, but for what a connection's buffer takes.
    asked: VecDeque<AskedPart>,
    /// How many part heads were sent.
    begun: usize,
    remaining: u64,
}

/// The answer to a question for a part.
pub(crate) type PartFuture = Pin<Box<dyn Future<Output = Result<ExactBody, BoxError>> + Send>>;

enum AskedPart {
    Awaited(PartFuture),
    Here { body: ExactBody, has_head: bool },
}

/// More would ask S3 for what the client may never take.
const AT_ONCE: usize = 3;

/// In bytes: what is left of a part when the next ones are asked for.
const NEAR: u64 = 256 * 1024;

// === impl MultipartBody ===

impl MultipartBody {
    /// `first` is the first part's body; `read` asks for another.
    pub(crate) fn new(
        plan: Multipart,
        first: ExactBody,
        read: impl Fn(ByteRange) -> PartFuture + Send + 'static,
    ) -> Self {
        Self {
            later: plan.ranges().skip(1).collect(),
            remaining: plan.content_length(),
            plan,
            read: Box::new(read),
            asked: VecDeque::from([AskedPart::Here { body: first, has_head: false }]),
            begun: 0,
        }
    }

    pub(super) fn remaining(&self) -> u64 {
        self.remaining
    }

    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(match ready!(self.poll_data(cx)) {
            Some(Ok(data)) => {
                self.remaining = self.remaining.saturating_sub(data.len() as u64);
                Some(Ok(Frame::data(data)))
            }
            Some(Err(error)) => {
                // There is no going back on the length: nothing comes behind an error.
                self.remaining = 0;
                self.asked.clear();
                self.later.clear();
                Some(Err(error))
            }
            None => None,
        })
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BoxError>>> {
        if self.remaining == 0 {
            return Poll::Ready(None);
        }
        loop {
            self.ask_ahead(cx)?;
            match self.asked.front_mut() {
                None => return Poll::Ready(Some(Ok(self.plan.end()))),
                Some(AskedPart::Awaited(_)) => return Poll::Pending,
                Some(AskedPart::Here { has_head: has_head @ false, .. }) => {
                    *has_head = true;
                    let head = self.plan.part_head(self.begun).unwrap_or_default();
                    self.begun += 1;
                    return Poll::Ready(Some(Ok(head)));
                }
                Some(AskedPart::Here { body, .. }) => match ready!(body.poll_frame(cx)).transpose()? {
                    Some(frame) => {
                        let data = frame.into_data().unwrap_or_default();
                        return Poll::Ready(Some(Ok(data)));
                    }
                    None => drop(self.asked.pop_front()),
                },
            }
        }
    }

    /// Keeps a few questions under way, when what is being sent comes to its end: S3 closes connections that nobody reads.
    fn ask_ahead(&mut self, cx: &mut Context<'_>) -> Result<(), BoxError> {
        let is_near = self.asked.iter().all(|part| match part {
            AskedPart::Awaited(_) => true,
            AskedPart::Here { body, .. } => body.remaining() <= NEAR,
        });
        while (is_near || self.asked.is_empty())
            && self.asked.len() < AT_ONCE
            && let Some(range) = self.later.pop_front()
        {
            self.asked.push_back(AskedPart::Awaited((self.read)(range)));
        }
        for part in &mut self.asked {
            if let AskedPart::Awaited(answer) = part
                && let Poll::Ready(answered) = answer.as_mut().poll(cx)
            {
                *part = AskedPart::Here { body: answered?, has_head: false };
            }
        }
        Ok(())
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
        let body = WireBody::Sdk(SdkBody::from(bytes(range)));
        ExactBody::new(body, 0, range.len(), End::Told)
    }

    fn plan(ranges: &[ByteRange]) -> Multipart {
        Multipart::new(ranges.iter().copied(), 10_000_000, None, Boundary::random())
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
        match body.poll_frame(&mut Context::from_waker(Waker::noop())) {
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
        let mut body =
            MultipartBody::new(plan, part(range(100, 199)), |range| Box::pin(async move { Ok(part(range)) }));
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
            WireBody::Sdk(SdkBody::from_body_1_x(Pieces(
                bytes(large).chunks(65_536).map(Bytes::copy_from_slice).collect(),
            ))),
            0,
            large.len(),
            End::Told,
        );
        let mut body = MultipartBody::new(plan, first, move |range| {
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
    fn nothing_comes_behind_a_part_that_fails() {
        let plan = plan(&[range(0, 9), range(100, 109), range(200, 209)]);
        let mut body = MultipartBody::new(plan, part(range(0, 9)), |range| {
            Box::pin(
                async move { if range.first() == 100 { Err("changed".into()) } else { Ok(part(range)) } },
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
