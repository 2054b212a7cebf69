//! Who asks S3 for an object's head, and who waits for that.

use std::{collections::HashMap, sync::Arc};

use super::{
    ObjectId,
    sync::{Mutex, MutexGuard, PoisonError, watch},
};

/// The questions under way, one for each object. `T` is what they bring for all who wait.
pub(crate) struct Flights<T>(Arc<Mutex<HashMap<ObjectId, watch::Receiver<Option<T>>>>>);

/// The part of a request in a question.
pub(crate) enum Turn<T> {
    /// To ask, and to tell the others.
    Lead(Lead<T>),
    /// To wait for what the leader tells.
    Follow(Follow<T>),
    /// To look again: someone has asked since.
    Late,
}

/// The right to ask. Dropped without a word, it goes to one of those who wait.
pub(crate) struct Lead<T> {
    flights: Flights<T>,
    id: ObjectId,
    outcome: watch::Sender<Option<T>>,
}

pub(crate) struct Follow<T>(watch::Receiver<Option<T>>);

// === impl Flights ===

impl<T> Flights<T> {
    /// Takes the turn that there is. Who would lead had looked before whether it has to ask, and `is_due` looks once
    /// more.
    pub(crate) fn turn(&self, id: &ObjectId, is_due: impl FnOnce() -> bool) -> Turn<T> {
        let mut flights = self.lock();
        if let Some(outcome) = flights.get(id) {
            return Turn::Follow(Follow(outcome.clone()));
        }
        // Under the lock: who led until now has kept its answer before it left.
        if !is_due() {
            return Turn::Late;
        }
        let (sender, receiver) = watch::channel(None);
        flights.insert(id.clone(), receiver);
        drop(flights);
        Turn::Lead(Lead { flights: self.clone(), id: id.clone(), outcome: sender })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ObjectId, watch::Receiver<Option<T>>>> {
        // Insertion and removal leave nothing half-done.
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
    /// Ends the question: who comes from now on asks anew.
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
    /// What the leader told; `None` if it went away, so that someone else has to ask.
    pub(crate) async fn outcome(mut self) -> Option<T> {
        match self.0.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone(),
            Err(_) => None,
        }
    }
}
