//! A response of S3 from before a purge, against the purge.

use std::sync::Arc;

use loom::thread;

use crate::{
    cache::{Epochs, Purge, sync::Mutex},
    check,
    object::{BucketName, ObjectKey},
};

const KEY: ObjectKey = ObjectKey("a");

#[derive(Default)]
struct Desk {
    epochs: Epochs,
    kept: Mutex<Option<&'static str>>,
}

// === impl Desk ===

impl Desk {
    fn purge(&self, what: Purge<'_>) {
        self.epochs.purge(what, || *self.kept.lock().unwrap() = None);
    }

    fn put(&self, said: &'static str, epoch: u64) {
        self.epochs.put(
            (&KEY, epoch),
            || *self.kept.lock().unwrap() = Some(said),
            || {
                let mut kept = self.kept.lock().unwrap();
                if *kept == Some(said) {
                    *kept = None;
                }
            },
        );
    }
}

pub(crate) fn what_was_asked_before_a_purge_is_not_kept() {
    for what in [Purge::Key { bucket: &BucketName, key: &KEY }, Purge::Everything] {
        check(move || {
            let desk = Arc::new(Desk::default());
            let epoch = desk.epochs.of(&KEY);
            let purging = {
                let desk = Arc::clone(&desk);
                thread::spawn(move || desk.purge(what))
            };
            desk.put("old", epoch);
            purging.join().unwrap();
            assert_eq!(*desk.kept.lock().unwrap(), None);
            desk.put("new", desk.epochs.of(&KEY));
            assert_eq!(*desk.kept.lock().unwrap(), Some("new"), "what is asked for afterwards stays");
        });
    }
}
