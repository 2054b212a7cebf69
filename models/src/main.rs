//! Explores the interleavings of a single flight's threads. `cargo run --release -p models`, or `… -- fills` for some
//! of them.
//!
//! Each model starts a few threads and asserts what must hold at the end. The checker also finds a thread whose wake
//! never comes: it reports a deadlock.

mod cache;
mod epochs;
mod error;
mod flights;
mod object;
mod origin;
mod request;
mod fills;

use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use loom::model::Builder;

const MODELS: &[(&str, fn())] = &[
    ("flights: requests at the same time are one question", flights::requests_are_one_question),
    ("flights: a leader that goes away hands on", flights::a_leader_that_goes_away_hands_on),
    ("flights: a follower that goes away holds up nobody", flights::a_follower_that_goes_away),
    ("fills: every byte comes once and in order", fills::every_byte_comes_once_and_in_order),
    ("fills: what fails, fails for all", fills::what_fails_fails_for_all),
    ("fills: a fill is not given up while someone joins", fills::a_fill_is_not_given_up_while_someone_joins),
    ("fills: that the last reader has gone is noticed", fills::the_last_one_is_noticed),
    ("fills: what was read is found in the list or in the store", fills::what_was_read_is_found),
    ("fills: nobody waits for what is not kept", fills::nobody_waits_for_what_is_not_kept),
    ("fills: blocks are asked for once", fills::blocks_are_asked_for_once),
    ("fills: a reader goes on from the store", fills::a_reader_goes_on_from_the_store),
    ("epochs: what was asked before a purge is not kept", epochs::what_was_asked_before_a_purge_is_not_kept),
];

fn main() {
    let wanted = env::args().nth(1).unwrap_or_default();
    for (name, model) in MODELS.iter().filter(|(name, _)| name.contains(&wanted)) {
        println!("{name}");
        model();
    }
}

/// Goes through all interleavings in which a thread is interrupted no more often than that: few mistakes need more. Another
/// bound is `LOOM_MAX_PREEMPTIONS`.
fn check(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(PREEMPTIONS));
    let (count, begin) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let counted = Arc::clone(&count);
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        model();
    });
    println!("    {} interleavings, {:.1?}", count.load(Ordering::Relaxed), begin.elapsed());
}

const PREEMPTIONS: usize = 3;
