//! A read that many follow: its bytes, its end, and the list of reads in flight.

use std::{
    collections::HashMap,
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Waker},
};

use bytes::Bytes;
use loom::{future::block_on, thread};

use crate::{
    cache::{
        Fill, FillError, FillReader, Fills, Gathered, MemoryPool, Pages, Piece, Segments, Source, StateId,
        sync::Mutex,
    },
    check,
    origin::Pace,
    request::ByteRange,
};

const STATE: StateId = StateId(1);

/// In bytes, of blocks.
const SIZE: u64 = 2;

const OBJECT: &[u8] = b"abcd";

fn range(first: u64, last: u64) -> ByteRange {
    ByteRange::new(first, last).unwrap()
}

fn piece(first: usize, end: usize) -> Bytes {
    Bytes::from_static(&OBJECT[first..end])
}

fn fill(first: u64, last: u64) -> Arc<Fill> {
    Fill::new(range(first, last), SIZE, Pages::new(0), MemoryPool::default().reserve(0))
}

fn read(mut reader: FillReader) -> Result<Vec<u8>, FillError> {
    block_on(async {
        reader.opened().await?;
        let mut bytes = Vec::new();
        while let Some(piece) = poll_fn(|cx| reader.poll_data(usize::MAX, cx)).await {
            match piece? {
                Piece::Bytes(data) => bytes.extend_from_slice(&data),
                Piece::Stored => unreachable!("it is not handed over"),
            }
        }
        Ok(bytes)
    })
}

fn is_ready(future: impl Future) -> bool {
    pin!(future).poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

/// One who was there before the first byte and has asked with another waker, and one who comes late for a part.
pub(crate) fn every_byte_comes_once_and_in_order() {
    check(|| {
        let fill = fill(0, 3);
        let mut early = fill.reader(range(0, 3)).unwrap();
        assert!(!is_ready(poll_fn(|cx| early.poll_data(usize::MAX, cx))));
        let early = thread::spawn(move || read(early).unwrap());
        let late = {
            let fill = Arc::clone(&fill);
            thread::spawn(move || read(fill.reader(range(1, 2)).unwrap()).unwrap())
        };
        fill.open();
        fill.push(piece(0, 2));
        fill.push(piece(2, 4));
        fill.complete();
        assert_eq!(early.join().unwrap(), OBJECT);
        assert_eq!(late.join().unwrap(), &OBJECT[1..3]);
    });
}

pub(crate) fn what_fails_fails_for_all() {
    check(|| {
        let fill = fill(0, 3);
        let early = fill.reader(range(0, 3)).unwrap();
        let early = thread::spawn(move || read(early).is_err());
        let late = {
            let fill = Arc::clone(&fill);
            thread::spawn(move || fill.reader(range(2, 3)).is_none_or(|reader| read(reader).is_err()))
        };
        fill.open();
        fill.push(piece(0, 2));
        fill.fail(FillError::Changed);
        assert!(early.join().unwrap(), "not all came");
        assert!(late.join().unwrap(), "not all came");
    });
}

/// Who was let in gets all of it, though the last one before it leaves at that time.
pub(crate) fn a_fill_is_not_given_up_while_someone_joins() {
    check(|| {
        let fill = fill(0, 3);
        let first = fill.reader(range(0, 3)).unwrap();
        let leaving = thread::spawn(move || drop(first));
        let joining = {
            let fill = Arc::clone(&fill);
            thread::spawn(move || fill.reader(range(0, 3)).map(read))
        };
        fill.open();
        fill.push(piece(0, 2));
        let is_given_up = is_ready(fill.abandoned()) && fill.give_up(|_| false);
        if !is_given_up {
            fill.push(piece(2, 4));
            fill.complete();
        }
        leaving.join().unwrap();
        match joining.join().unwrap() {
            Some(read) => assert_eq!(read.unwrap(), OBJECT),
            None => assert!(is_given_up),
        }
    });
}

/// One that goes while another comes, and goes, too.
pub(crate) fn the_last_one_is_noticed() {
    check(|| {
        let fill = fill(0, 3);
        let first = fill.reader(range(0, 3)).unwrap();
        let leaving = thread::spawn(move || drop(first));
        let passing = {
            let fill = Arc::clone(&fill);
            thread::spawn(move || drop(fill.reader(range(0, 1))))
        };
        block_on(async {
            loop {
                fill.abandoned().await;
                if fill.give_up(|_| false) {
                    break;
                }
            }
        });
        leaving.join().unwrap();
        passing.join().unwrap();
        assert!(fill.reader(range(0, 1)).is_none(), "it was given up");
    });
}

/// A cache of one object, and S3.
struct Desk {
    fills: Fills,
    /// Whether the head is there.
    head: Mutex<bool>,
    blocks: Mutex<HashMap<u64, Bytes>>,
    /// Not part of the model: it takes no turns.
    asked: AtomicUsize,
}

fn read_all(mut segments: Segments) -> Result<Vec<u8>, FillError> {
    block_on(async {
        let mut bytes = Vec::new();
        segments.opened().await?;
        while let Some(data) = poll_fn(|cx| segments.poll_data(Pace::Full, cx)).await {
            bytes.extend_from_slice(&data?);
        }
        Ok(bytes)
    })
}

impl Source for Arc<Desk> {
    fn stored(&mut self, range: ByteRange) -> Option<Bytes> {
        let block = self.blocks.lock().unwrap().get(&(range.first() / SIZE)).cloned()?;
        let skip = usize::try_from(range.first() % SIZE).unwrap();
        let end = block.len().min(skip + usize::try_from(range.len()).unwrap());
        Some(block.slice(skip..end))
    }

    fn ask(&mut self, range: ByteRange, to: &mut Segments) {
        let is_stored = |number| self.blocks.lock().unwrap().contains_key(&number);
        let total = OBJECT.len() as u64;
        let Gathered { asked, .. } = self.fills.gather(STATE, total, range, is_stored, to);
        asked.iter().for_each(|fill| self.pump(fill));
    }
}

// === impl Desk ===

impl Desk {
    fn new() -> Arc<Self> {
        let (fills, head, blocks) = (Fills::new(SIZE, Pages::new(0)), Mutex::default(), Mutex::default());
        Arc::new(Self { fills, head, blocks, asked: AtomicUsize::new(0) })
    }

    /// As the crate reads a fill, and stores it.
    fn pump(&self, fill: &Arc<Fill>) {
        let (first, end) = (fill.range.first(), fill.range.last() + 1);
        self.asked.fetch_add(usize::try_from(end - first).unwrap(), Ordering::Relaxed);
        fill.open();
        fill.push(piece(usize::try_from(first).unwrap(), usize::try_from(end).unwrap()));
        for (number, block) in (first / SIZE..).zip(fill.blocks()) {
            self.blocks.lock().unwrap().insert(number, block);
        }
        fill.hand_over();
        self.fills.remove(STATE, fill);
    }

    /// Reads as the crate does, with the reads that it begins done by the same thread.
    fn get(self: &Arc<Self>, first: u64, last: u64) -> Result<Vec<u8>, FillError> {
        let mut segments = Segments::default();
        let mut desk = Arc::clone(self);
        desk.ask(range(first, last), &mut segments);
        segments.set_source(Box::new(desk));
        read_all(segments)
    }

    /// If the head is there.
    fn get_known(self: &Arc<Self>, first: u64, last: u64) -> Option<Result<Vec<u8>, FillError>> {
        let is_known = *self.head.lock().unwrap();
        is_known.then(|| self.get(first, last))
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

/// A read that begins and ends while others look where the bytes are.
pub(crate) fn what_was_read_is_found() {
    check(|| {
        let desk = Desk::new();
        let others = [(0, 1), (1, 1)].map(|(first, last)| {
            let desk = Arc::clone(&desk);
            thread::spawn(move || desk.get_known(first, last))
        });
        let put = || {
            *desk.head.lock().unwrap() = true;
            Some(())
        };
        let ((), fill) = desk.fills.begin(STATE, range(0, 1), put).unwrap();
        desk.pump(&fill);
        let [whole, part] = others.map(|other| other.join().unwrap());
        assert!(whole.is_none_or(|whole| whole.unwrap() == OBJECT[..2]));
        assert!(part.is_none_or(|part| part.unwrap() == OBJECT[1..2]));
        assert_eq!(desk.asked(), 2, "each byte once");
        assert!(!desk.fills.has(STATE), "nothing is left in the list");
    });
}

/// A head that a purge takes away at once: who found it goes on, or hears of it.
pub(crate) fn nobody_waits_for_what_is_not_kept() {
    check(|| {
        let desk = Desk::new();
        let other = {
            let desk = Arc::clone(&desk);
            thread::spawn(move || desk.get_known(0, 1))
        };
        let put = || {
            *desk.head.lock().unwrap() = true;
            *desk.head.lock().unwrap() = false;
            None::<()>
        };
        assert!(desk.fills.begin(STATE, range(0, 1), put).is_none());
        match other.join().unwrap() {
            None | Some(Err(FillError::Changed)) => assert_eq!(desk.asked(), 0),
            Some(read) => assert_eq!(read.unwrap(), &OBJECT[..2]),
        }
        assert!(!desk.fills.has(STATE), "nothing is left in the list");
    });
}

/// Ranges that overlap, in blocks that none of them has all of.
pub(crate) fn blocks_are_asked_for_once() {
    check(|| {
        let desk = Desk::new();
        let other = {
            let desk = Arc::clone(&desk);
            thread::spawn(move || desk.get(0, 3))
        };
        assert_eq!(desk.get(1, 2).unwrap(), &OBJECT[1..3]);
        assert_eq!(other.join().unwrap().unwrap(), OBJECT);
        assert_eq!(desk.asked(), OBJECT.len(), "each byte once");
        assert!(!desk.fills.has(STATE), "nothing is left in the list");
    });
}

/// One that follows a fill while it hands over finds the rest in the store.
pub(crate) fn a_reader_goes_on_from_the_store() {
    check(|| {
        let desk = Desk::new();
        let begun = desk.fills.begin(STATE, range(0, 3), || Some(())).unwrap();
        let fill = begun.1;
        let mut segments = Segments::default();
        segments.follow(fill.reader(range(1, 3)).unwrap());
        segments.set_source(Box::new(Arc::clone(&desk)));
        let reading = thread::spawn(move || read_all(segments));
        desk.pump(&fill);
        assert_eq!(reading.join().unwrap().unwrap(), &OBJECT[1..]);
        assert_eq!(desk.asked(), OBJECT.len(), "nothing is asked for twice");
    });
}
