//! A read that many follow: its bytes, its end, and the list of those under way.

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
    cache::{Gathered, Pages, Rooms, Run, RunError, RunReader, Runs, Segments, StateId, sync::Mutex},
    check,
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

fn run(first: u64, last: u64) -> Arc<Run> {
    Run::new(range(first, last), SIZE, Pages::new(0), Rooms::default().take(0))
}

fn read(mut reader: RunReader) -> Result<Vec<u8>, RunError> {
    block_on(async {
        reader.opened().await?;
        let mut bytes = Vec::new();
        while let Some(data) = poll_fn(|cx| reader.poll_data(cx)).await {
            bytes.extend_from_slice(&data?);
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
        let run = run(0, 3);
        let mut early = run.reader(range(0, 3)).unwrap();
        assert!(!is_ready(poll_fn(|cx| early.poll_data(cx))));
        let early = thread::spawn(move || read(early).unwrap());
        let late = {
            let run = Arc::clone(&run);
            thread::spawn(move || read(run.reader(range(1, 2)).unwrap()).unwrap())
        };
        run.open();
        run.push(piece(0, 2));
        run.push(piece(2, 4));
        run.complete();
        assert_eq!(early.join().unwrap(), OBJECT);
        assert_eq!(late.join().unwrap(), &OBJECT[1..3]);
    });
}

pub(crate) fn what_fails_fails_for_all() {
    check(|| {
        let run = run(0, 3);
        let early = run.reader(range(0, 3)).unwrap();
        let early = thread::spawn(move || read(early).is_err());
        let late = {
            let run = Arc::clone(&run);
            thread::spawn(move || run.reader(range(2, 3)).is_none_or(|reader| read(reader).is_err()))
        };
        run.open();
        run.push(piece(0, 2));
        run.fail(RunError::Changed);
        assert!(early.join().unwrap(), "not all came");
        assert!(late.join().unwrap(), "not all came");
    });
}

/// Who was let in gets all of it, though the last one before it leaves at that time.
pub(crate) fn a_run_is_not_given_up_while_someone_joins() {
    check(|| {
        let run = run(0, 3);
        let first = run.reader(range(0, 3)).unwrap();
        let leaving = thread::spawn(move || drop(first));
        let joining = {
            let run = Arc::clone(&run);
            thread::spawn(move || run.reader(range(0, 3)).map(read))
        };
        run.open();
        run.push(piece(0, 2));
        let is_given_up = is_ready(run.abandoned()) && run.give_up(|_| false);
        if !is_given_up {
            run.push(piece(2, 4));
            run.complete();
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
        let run = run(0, 3);
        let first = run.reader(range(0, 3)).unwrap();
        let leaving = thread::spawn(move || drop(first));
        let passing = {
            let run = Arc::clone(&run);
            thread::spawn(move || drop(run.reader(range(0, 1))))
        };
        block_on(async {
            loop {
                run.abandoned().await;
                if run.give_up(|_| false) {
                    break;
                }
            }
        });
        leaving.join().unwrap();
        passing.join().unwrap();
        assert!(run.reader(range(0, 1)).is_none(), "it was given up");
    });
}

/// A cache of one object, and S3.
struct Desk {
    runs: Runs,
    /// Whether the head is there.
    head: Mutex<bool>,
    blocks: Mutex<HashMap<u64, Bytes>>,
    /// Not part of the model: it takes no turns.
    asked: AtomicUsize,
}

// === impl Desk ===

impl Desk {
    fn new() -> Arc<Self> {
        let (runs, head, blocks) = (Runs::new(SIZE, Pages::new(0)), Mutex::default(), Mutex::default());
        Arc::new(Self { runs, head, blocks, asked: AtomicUsize::new(0) })
    }

    /// As the crate's `Source::pump` and those who call it.
    fn pump(&self, run: &Arc<Run>) {
        let (first, end) = (run.range.first(), run.range.last() + 1);
        self.asked.fetch_add(usize::try_from(end - first).unwrap(), Ordering::Relaxed);
        run.open();
        run.push(piece(usize::try_from(first).unwrap(), usize::try_from(end).unwrap()));
        for (number, block) in (first / SIZE..).zip(run.blocks()) {
            self.blocks.lock().unwrap().insert(number, block);
        }
        run.complete();
        self.runs.remove(STATE, run);
    }

    /// Reads as the crate does, with the reads that it begins done by the same thread.
    fn get(&self, first: u64, last: u64) -> Result<Vec<u8>, RunError> {
        let mut segments = Segments::default();
        let kept = |number| self.blocks.lock().unwrap().get(&number).cloned();
        let total = OBJECT.len() as u64;
        let Gathered { asked, .. } = self.runs.gather(STATE, total, range(first, last), kept, &mut segments);
        asked.iter().for_each(|run| self.pump(run));
        let mut bytes = Vec::new();
        block_on(async {
            segments.opened().await?;
            while let Some(data) = poll_fn(|cx| segments.poll_data(cx)).await {
                bytes.extend_from_slice(&data?);
            }
            Ok(bytes)
        })
    }

    /// If the head is there.
    fn get_known(&self, first: u64, last: u64) -> Option<Result<Vec<u8>, RunError>> {
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
        let ((), run) = desk.runs.begin(STATE, range(0, 1), put).unwrap();
        desk.pump(&run);
        let [whole, part] = others.map(|other| other.join().unwrap());
        assert!(whole.is_none_or(|whole| whole.unwrap() == OBJECT[..2]));
        assert!(part.is_none_or(|part| part.unwrap() == OBJECT[1..2]));
        assert_eq!(desk.asked(), 2, "each byte once");
        assert!(!desk.runs.has(STATE), "nothing is left in the list");
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
        assert!(desk.runs.begin(STATE, range(0, 1), put).is_none());
        match other.join().unwrap() {
            None | Some(Err(RunError::Changed)) => assert_eq!(desk.asked(), 0),
            Some(read) => assert_eq!(read.unwrap(), &OBJECT[..2]),
        }
        assert!(!desk.runs.has(STATE), "nothing is left in the list");
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
        assert!(!desk.runs.has(STATE), "nothing is left in the list");
    });
}
