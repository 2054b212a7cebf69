//! Decides which request asks S3 for an object's head, and which ones wait for it.

use std::{collections::HashMap, sync::Arc};

use super::{
    ObjectId,
    sync::{Mutex, MutexGuard, PoisonError, watch},
};

/// The requests for heads in flight, one for each object. `T` is the outcome for all that wait.
pub(crate) struct Flights<T>(Arc<Mutex<HashMap<ObjectId, watch::Receiver<Option<T>>>>>);

/// The role of a request.
pub(crate) enum Turn<T> {
    /// It asks S3, and tells the others.
    Lead(Lead<T>),
    /// It waits for the leader's outcome.
    Follow(Follow<T>),
    /// It looks into the cache again: another request has asked since.
    Late,
}

/// The right to ask. If it is dropped without an outcome, it passes to one of the waiting requests.
pub(crate) struct Lead<T> {
    flights: Flights<T>,
    id: ObjectId,
    outcome: watch::Sender<Option<T>>,
}

pub(crate) struct Follow<T>(watch::Receiver<Option<T>>);

// === impl Flights ===

impl<T> Flights<T> {
    /// Takes the available turn. The caller has already checked that it must ask; `is_due` checks once more before it
    /// leads.
    pub(crate) fn turn(&self, id: &ObjectId, is_due: impl FnOnce() -> bool) -> Turn<T> {
        let mut flights = self.lock();
        if let Some(outcome) = flights.get(id) {
            return Turn::Follow(Follow(outcome.clone()));
        }
        // Under the lock: the previous leader has stored its response before it left.
        if !is_due() {
            return Turn::Late;
        }
        let (sender, receiver) = watch::channel(None);
        flights.insert(id.clone(), receiver);
        drop(flights);
        Turn::Lead(Lead { flights: self.clone(), id: id.clone(), outcome: sender })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ObjectId, watch::Receiver<Option<T>>>> {
        // Insertions and removals leave nothing half-done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Clone for Flights<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Flights<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

// === impl Lead ===

impl<T> Lead<T> {
    /// Ends the flight: later requests ask S3 again.
    pub(crate) fn tell(self, outcome: T) {
        self.outcome.send_replace(Some(outcome));
    }
}

impl<T> Drop for Lead<T> {
    fn drop(&mut self) {
        self.flights.lock().remove(&self.id);
    }
}

// === impl Follow ===

impl<T: Clone> Follow<T> {
    /// The leader's outcome; `None` if the leader was dropped, so that another request must ask.
    pub(crate) async fn outcome(mut self) -> Option<T> {
        match self.0.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone(),
            Err(_) => None,
        }
    }
}
