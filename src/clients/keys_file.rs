use std::{path::PathBuf, sync::Mutex, time::SystemTime};

/// The file that a table of client keys is from.
pub(crate) struct KeysFile {
    pub(crate) path: PathBuf,
    /// Its state when it was last read.
    pub(crate) seen: Mutex<Option<Stamp>>,
}

/// What tells two states of a file apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) modified: Option<SystemTime>,
    pub(crate) length: u64,
}
