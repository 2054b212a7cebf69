use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

/// A file that is read again when it looks different.
#[derive(Debug)]
pub(crate) struct WatchedFile {
    path: PathBuf,
    /// Its state when it was last looked at.
    seen: Mutex<Option<Stamp>>,
}

/// What tells two states of a file apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
}

// === impl WatchedFile ===

impl WatchedFile {
    /// As it looks now: before it is read.
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), seen: Mutex::new(stamp(path)) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it looks different from the last time, by its length and the time of its last change.
    pub(crate) fn has_changed(&self) -> bool {
        let now = stamp(&self.path);
        let before = std::mem::replace(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner), now);
        before != now
    }
}

/// `None` if there is no such file: then reading it says why.
fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    Some(Stamp { modified: metadata.modified().ok(), length: metadata.len() })
}
