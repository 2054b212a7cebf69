use std::{
    collections::VecDeque,
    task::{Context, Poll, ready},
};

use bytes::Bytes;

use super::{RunError, RunReader};

/// Bytes from the cache, and from reads of S3 that the cache follows, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Segments {
    queue: VecDeque<Segment>,
    remaining: u64,
}

#[derive(Debug)]
enum Segment {
    Here(Bytes),
    Coming(RunReader),
}

// === impl Segments ===

impl Segments {
    pub(crate) fn push(&mut self, data: Bytes) {
        self.remaining += data.len() as u64;
        self.queue.push_back(Segment::Here(data));
    }

    pub(crate) fn follow(&mut self, reader: RunReader) {
        self.remaining += reader.remaining();
        self.queue.push_back(Segment::Coming(reader));
    }

    /// Waits until it is certain that what comes first comes.
    pub(crate) async fn opened(&mut self) -> Result<(), RunError> {
        for segment in &mut self.queue {
            if let Segment::Coming(reader) = segment {
                return reader.opened().await;
            }
        }
        Ok(())
    }

    /// Taken apart where it is one piece that is here, or nothing.
    pub(crate) fn into_single(mut self) -> Result<Option<Bytes>, Self> {
        match (self.queue.pop_front(), self.queue.len()) {
            (None, _) => Ok(None),
            (Some(Segment::Here(data)), 0) => Ok(Some(data)),
            (Some(first), _) => {
                self.queue.push_front(first);
                Err(self)
            }
        }
    }

    pub(crate) fn remaining(&self) -> u64 {
        self.remaining
    }

    pub(crate) fn poll_data(&mut self, cx: &Context<'_>) -> Poll<Option<Result<Bytes, RunError>>> {
        let polled = ready!(self.poll_segment(cx));
        if let Some(Err(_)) = &polled {
            // Nothing comes behind an error.
            self.queue.clear();
            self.remaining = 0;
        }
        Poll::Ready(polled)
    }

    fn poll_segment(&mut self, cx: &Context<'_>) -> Poll<Option<Result<Bytes, RunError>>> {
        while let Some(segment) = self.queue.front_mut() {
            let data = match segment {
                Segment::Here(data) => {
                    let data = std::mem::take(data);
                    self.queue.pop_front();
                    data
                }
                Segment::Coming(reader) => match ready!(reader.poll_data(cx)).transpose()? {
                    Some(data) => data,
                    None => {
                        self.queue.pop_front();
                        continue;
                    }
                },
            };
            if !data.is_empty() {
                self.remaining = self.remaining.saturating_sub(data.len() as u64);
                return Poll::Ready(Some(Ok(data)));
            }
        }
        Poll::Ready(None)
    }
}
