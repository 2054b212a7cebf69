use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::Frame;

use super::Stretch;
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
pub(crate) type PartFuture = Pin<Box<dyn Future<Output = Result<Stretch, BoxError>> + Send>>;

enum AskedPart {
    Awaited(PartFuture),
    Here { body: Stretch, has_head: bool },
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
        first: Stretch,
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
