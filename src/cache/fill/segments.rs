use std::{
    collections::VecDeque,
    fmt,
    task::{Context, Poll, ready},
};

use bytes::Bytes;

use super::{Fill, FillError, FillReader, progress::Piece};
use crate::{origin::Pace, request::ByteRange};

/// Bytes of one state of an object, from the store and from fills, one after the other.
///
/// Blocks are taken out of the store only when it is their turn, so that a slow client holds one and not all of them:
/// nothing counts a block that is evicted while it is held.
#[derive(Default)]
pub(crate) struct Segments {
    queue: VecDeque<Segment>,
    remaining: u64,
    /// Provides the bytes that are [`Later`](Segment::Later).
    source: Option<Box<dyn Source>>,
}

#[derive(Debug)]
enum Segment {
    Here(Bytes),
    Coming(FillReader),
    Later(ByteRange),
}

/// Provides the bytes of one state of an object, as a body gets to them.
pub(crate) trait Source: Send {
    /// The first bytes of the range that the store has in one piece, if it has any.
    fn stored(&mut self, range: ByteRange) -> Option<Bytes>;

    /// Requests the first bytes of the range, or all of them, and adds them as coming; adds nothing if they are no
    /// longer available.
    fn ask(&mut self, range: ByteRange, to: &mut Segments);
}

// === impl Segments ===

impl Segments {
    pub(crate) fn push(&mut self, data: Bytes) {
        self.remaining += data.len() as u64;
        self.queue.push_back(Segment::Here(data));
    }

    pub(crate) fn follow(&mut self, reader: FillReader) {
        self.remaining += reader.remaining();
        self.queue.push_back(Segment::Coming(reader));
    }

    /// Adds bytes that the store has, to take when it is their turn.
    pub(crate) fn later(&mut self, range: ByteRange) {
        self.remaining += range.len();
        if let Some(Segment::Later(before)) = self.queue.back_mut()
            && let Some(joined) = ByteRange::new(before.first(), range.last())
            && before.last() + 1 == range.first()
        {
            *before = joined;
            return;
        }
        self.queue.push_back(Segment::Later(range));
    }

    /// Whether a [`Source`] is needed, or may be.
    pub(crate) fn needs_source(&self) -> bool {
        self.queue.iter().any(|segment| !matches!(segment, Segment::Here(_)))
    }

    pub(crate) fn set_source(&mut self, source: Box<dyn Source>) {
        self.source = Some(source);
    }

    /// Waits until it is certain that the first segment on its way will come.
    pub(crate) async fn opened(&mut self) -> Result<(), FillError> {
        let first = self.queue.iter_mut().find_map(|segment| match segment {
            Segment::Coming(reader) => Some(reader),
            Segment::Here(_) | Segment::Later(_) => None,
        });
        match first {
            Some(reader) => reader.opened().await,
            None => Ok(()),
        }
    }

    /// Whether [`opened`](Self::opened) waits for this fill.
    pub(crate) fn opens_with(&self, fill: &Fill) -> bool {
        let first = self.queue.iter().find_map(|segment| match segment {
            Segment::Coming(reader) => Some(reader),
            Segment::Here(_) | Segment::Later(_) => None,
        });
        first.is_some_and(|reader| reader.follows(fill))
    }

    /// The bytes, if they are one piece that is already here, or none.
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

    /// Whether nothing was added.
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(crate) fn remaining(&self) -> u64 {
        self.remaining
    }

    pub(crate) fn poll_data(
        &mut self,
        pace: Pace,
        cx: &Context<'_>,
    ) -> Poll<Option<Result<Bytes, FillError>>> {
        let polled = ready!(self.poll_segment(pace, cx));
        match &polled {
            Some(Ok(data)) => self.remaining = self.remaining.saturating_sub(data.len() as u64),
            // Nothing follows an error.
            Some(Err(_)) => {
                self.queue.clear();
                self.remaining = 0;
            }
            None => {}
        }
        Poll::Ready(polled)
    }

    fn poll_segment(&mut self, pace: Pace, cx: &Context<'_>) -> Poll<Option<Result<Bytes, FillError>>> {
        while let Some(segment) = self.queue.front_mut() {
            match segment {
                Segment::Here(data) => {
                    let first = data.split_to(data.len().min(pace.at_most()));
                    if data.is_empty() {
                        self.queue.pop_front();
                    }
                    if !first.is_empty() {
                        return Poll::Ready(Some(Ok(at(pace, first))));
                    }
                }
                Segment::Coming(reader) => match ready!(reader.poll_data(pace.at_most(), cx)) {
                    Some(Ok(Piece::Bytes(data))) => return Poll::Ready(Some(Ok(at(pace, data)))),
                    // A response that has not begun is turned away earlier than this one need be.
                    Some(Ok(Piece::Stored) | Err(FillError::TurnedAway(_))) => {
                        let rest = reader.rest();
                        self.queue.pop_front();
                        self.put_back(rest);
                    }
                    Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                    None => drop(self.queue.pop_front()),
                },
                Segment::Later(range) => {
                    let range = *range;
                    self.queue.pop_front();
                    if let Some(data) = self.take(range, pace)? {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
            }
        }
        Poll::Ready(None)
    }

    /// The next bytes of a range; `None` if they are in the queue now.
    fn take(&mut self, range: ByteRange, pace: Pace) -> Result<Option<Bytes>, FillError> {
        let source = self.source.as_mut().ok_or(FillError::Changed)?;
        if let Some(mut data) = source.stored(range) {
            data.truncate(pace.at_most());
            self.put_back(range.after(data.len() as u64));
            return Ok(Some(at(pace, data)));
        }
        let mut asked = Self::default();
        source.ask(range, &mut asked);
        if asked.remaining == 0 {
            return Err(FillError::Changed);
        }
        self.put_back(range.after(asked.remaining));
        for segment in asked.queue.into_iter().rev() {
            self.queue.push_front(segment);
        }
        Ok(None)
    }

    fn put_back(&mut self, rest: Option<ByteRange>) {
        if let Some(rest) = rest {
            self.queue.push_front(Segment::Later(rest));
        }
    }
}

/// What a client is given: of a slow one, not to keep the block that it is a part of.
fn at(pace: Pace, data: Bytes) -> Bytes {
    match pace {
        Pace::Full => data,
        Pace::Slow => Bytes::copy_from_slice(&data),
    }
}

impl fmt::Debug for Segments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Segments").field("remaining", &self.remaining).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, Mutex},
        task::Waker,
    };

    use super::*;
    use crate::{
        cache::{fill::MemoryPool, store::Pages},
        error::{ProxyError, ProxyErrorKind},
    };

    const OBJECT: &[u8] = b"0123456789";

    /// A store of blocks of four bytes.
    #[derive(Clone, Default)]
    struct Blocks(Arc<Mutex<Desk>>);

    #[derive(Default)]
    struct Desk {
        stored: Vec<u64>,
        asked: Vec<(u64, u64)>,
    }

    impl Source for Blocks {
        fn stored(&mut self, range: ByteRange) -> Option<Bytes> {
            let block = range.first() / 4;
            let end = ((block + 1) * 4 - 1).min(range.last());
            let is_here = self.0.lock().unwrap().stored.contains(&block);
            is_here.then(|| piece(range.first(), end))
        }

        fn ask(&mut self, range: ByteRange, to: &mut Segments) {
            self.0.lock().unwrap().asked.push((range.first(), range.last()));
            let fill = fill(range);
            to.follow(fill.reader(range).unwrap());
            fill.open();
            fill.push(piece(range.first(), range.last()));
            fill.complete();
        }
    }

    fn piece(first: u64, last: u64) -> Bytes {
        Bytes::from_static(&OBJECT[usize::try_from(first).unwrap()..=usize::try_from(last).unwrap()])
    }

    fn range(first: u64, last: u64) -> ByteRange {
        ByteRange::new(first, last).unwrap()
    }

    fn fill(range: ByteRange) -> Arc<Fill> {
        Fill::new(range, 4, Pages::new(0), MemoryPool::default().reserve(range.len()))
    }

    fn next(segments: &mut Segments) -> Option<Result<Bytes, String>> {
        match segments.poll_data(Pace::Full, &Context::from_waker(Waker::noop())) {
            Poll::Ready(next) => next.map(|data| data.map_err(|why| why.to_string())),
            Poll::Pending => panic!("it waits"),
        }
    }

    fn all(segments: &mut Segments) -> Vec<u8> {
        std::iter::from_fn(|| next(segments)).flat_map(Result::unwrap).collect()
    }

    #[test]
    fn blocks_are_taken_out_of_the_store_when_it_is_their_turn() {
        let blocks = Blocks::default();
        blocks.0.lock().unwrap().stored = vec![0, 1];
        let mut segments = Segments::default();
        segments.later(range(1, 3));
        segments.later(range(4, 9));
        segments.set_source(Box::new(blocks.clone()));
        assert_eq!(segments.remaining(), 9);
        assert_eq!(next(&mut segments).unwrap().unwrap(), "123");
        // Evicted while the client reads: from there on, missing bytes are requested.
        blocks.0.lock().unwrap().stored = vec![2];
        assert_eq!(all(&mut segments), b"456789");
        assert_eq!(segments.remaining(), 0);
        assert_eq!(blocks.0.lock().unwrap().asked, [(4, 9)]);
    }

    #[test]
    fn a_reader_goes_on_from_the_store_when_the_fill_is_over() {
        let fill = fill(range(0, 9));
        let mut segments = Segments::default();
        segments.follow(fill.reader(range(2, 8)).unwrap());
        let blocks = Blocks::default();
        segments.set_source(Box::new(blocks.clone()));
        fill.open();
        fill.push(piece(0, 4));
        assert_eq!(next(&mut segments).unwrap().unwrap(), "23");
        fill.push(piece(5, 9));
        assert_eq!(fill.blocks().concat(), OBJECT);
        blocks.0.lock().unwrap().stored = vec![0, 1, 2];
        fill.hand_over();
        assert_eq!(all(&mut segments), b"45678");
        assert_eq!(blocks.0.lock().unwrap().asked, []);
    }

    /// The one that asked for the fill is told so, and is none of these.
    #[test]
    fn a_reader_of_a_fill_that_is_turned_away_asks_for_the_rest_itself() {
        let fill = fill(range(0, 9));
        let mut segments = Segments::default();
        segments.follow(fill.reader(range(2, 8)).unwrap());
        let blocks = Blocks::default();
        segments.set_source(Box::new(blocks.clone()));
        fill.fail(FillError::TurnedAway(Box::new(ProxyError::new(ProxyErrorKind::Overloaded).into())));
        assert_eq!(all(&mut segments), b"2345678");
        assert_eq!(blocks.0.lock().unwrap().asked, [(2, 8)]);
    }

    #[test]
    fn nothing_comes_behind_an_error() {
        let mut segments = Segments::default();
        segments.later(range(0, 3));
        segments.push(piece(4, 5));
        assert!(next(&mut segments).unwrap().is_err(), "there is no source");
        assert_eq!(segments.remaining(), 0);
        assert_eq!(next(&mut segments), None);
    }
}
