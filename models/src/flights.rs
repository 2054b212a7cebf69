//! The single flight for a head: one request asks, the others wait.

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Waker},
};

use loom::{future::block_on, thread};

use crate::{
    cache::{Flights, ObjectId, Turn, sync::Mutex},
    check,
};

const ID: ObjectId = ObjectId(1);

/// A cache with room for one head, and S3. What is counted is not part of the model, so it takes no turns.
#[derive(Default)]
struct Desk {
    flights: Flights<()>,
    kept: Mutex<Option<u32>>,
    asking: AtomicUsize,
    asked: AtomicUsize,
}

/// Where the future of a request is dropped that has to ask.
#[derive(Debug, Clone, Copy)]
enum Leaves {
    BeforeItAsks,
    BeforeItKeeps,
    BeforeItTells,
    Never,
}

// === impl Desk ===

impl Desk {
    fn new() -> Arc<Self> {
        Arc::default()
    }

    fn kept(&self) -> Option<u32> {
        *self.kept.lock().unwrap()
    }

    fn turn(&self) -> Turn<()> {
        self.flights.turn(&ID, || self.kept().is_none())
    }

    /// As the crate's `Fetch::through_memory`. `None` if it left.
    async fn request(&self, leaves: Leaves) -> Option<u32> {
        loop {
            if let Some(kept) = self.kept() {
                return Some(kept);
            }
            match self.turn() {
                Turn::Late => {}
                Turn::Follow(follow) => _ = follow.outcome().await,
                Turn::Lead(lead) => {
                    if let Leaves::BeforeItAsks = leaves {
                        return None;
                    }
                    let number = self.asked.fetch_add(1, Ordering::Relaxed);
                    assert_eq!(self.asking.fetch_add(1, Ordering::Relaxed), 0, "two ask at the same time");
                    // S3 answers, and others do what they do.
                    thread::yield_now();
                    self.asking.fetch_sub(1, Ordering::Relaxed);
                    if let Leaves::BeforeItKeeps = leaves {
                        return None;
                    }
                    *self.kept.lock().unwrap() = u32::try_from(number).ok();
                    if let Leaves::BeforeItTells = leaves {
                        return None;
                    }
                    lead.tell(());
                }
            }
        }
    }

    fn begin(self: &Arc<Self>, leaves: Leaves) -> thread::JoinHandle<Option<u32>> {
        let desk = Arc::clone(self);
        thread::spawn(move || block_on(desk.request(leaves)))
    }

    /// How often S3 was asked, when all is done.
    fn asked(&self) -> usize {
        *self.kept.lock().unwrap() = None;
        assert!(matches!(self.turn(), Turn::Lead(_)), "nobody asks any more");
        self.asked.load(Ordering::Relaxed)
    }
}

pub(crate) fn requests_are_one_question() {
    check(|| {
        let desk = Desk::new();
        let others = [desk.begin(Leaves::Never), desk.begin(Leaves::Never)];
        assert_eq!(block_on(desk.request(Leaves::Never)), Some(0));
        for other in others {
            assert_eq!(other.join().unwrap(), Some(0));
        }
        assert_eq!(desk.asked(), 1);
    });
}

pub(crate) fn a_leader_that_goes_away_hands_on() {
    for leaves in [Leaves::BeforeItAsks, Leaves::BeforeItKeeps, Leaves::BeforeItTells] {
        check(move || {
            let desk = Desk::new();
            let first = desk.begin(leaves);
            let other = desk.begin(Leaves::Never);
            assert!(block_on(desk.request(Leaves::Never)).is_some());
            assert!(other.join().unwrap().is_some());
            first.join().unwrap();
            let (asked, most) = (desk.asked(), if let Leaves::BeforeItKeeps = leaves { 2 } else { 1 });
            assert!((1..=most).contains(&asked), "{leaves:?}: {asked}");
        });
    }
}

pub(crate) fn a_follower_that_goes_away() {
    check(|| {
        let desk = Desk::new();
        let first = desk.begin(Leaves::Never);
        let leaving = {
            let desk = Arc::clone(&desk);
            thread::spawn(move || {
                if let Turn::Follow(follow) = desk.turn() {
                    let mut outcome = pin!(follow.outcome());
                    _ = outcome.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                }
            })
        };
        assert_eq!(block_on(desk.request(Leaves::Never)), Some(0));
        assert_eq!(first.join().unwrap(), Some(0));
        leaving.join().unwrap();
        assert_eq!(desk.asked(), 1);
    });
}
