use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use metrics::{Counter, counter};

/// Counts that are kept elsewhere, as far as the recorder knows them. What others keep may begin anew, and a counter must not.
#[derive(Debug, Default)]
pub(crate) struct Totals(Mutex<BTreeMap<&'static str, u64>>);

// === impl Totals ===

impl Totals {
    /// Brings a counter without labels up to date.
    pub(crate) fn tell(&self, name: &'static str, total: u64) {
        self.tell_to(&counter!(name), name, total);
    }

    pub(super) fn tell_to(&self, counter: &Counter, name: &'static str, total: u64) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = told.insert(name, total).unwrap_or(0);
        counter.increment(total.saturating_sub(before));
    }
}
