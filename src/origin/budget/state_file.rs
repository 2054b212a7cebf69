use std::{
    fs, io,
    path::{Path, PathBuf},
    str::FromStr,
};

use crate::error::{ConfigError, ConfigErrorKind};

/// Where counts outlive the process.
#[derive(Debug)]
pub(super) struct StateFile(PathBuf);

/// The counts of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counts {
    /// Since 1970, by the budget's own midnight.
    pub(super) day: u64,
    pub(super) requests: u64,
    pub(super) bytes: u64,
}

/// With which a file of this form begins.
const FORM: &str = "tower-s3-proxy budget 1:";

// === impl StateFile ===

impl StateFile {
    /// The file, and its counts, if it exists.
    ///
    /// # Errors
    ///
    /// It is none of ours, or it could not be written.
    pub(super) fn open(path: &Path) -> Result<(Self, Option<Counts>), ConfigError> {
        let error = |message: String| {
            ConfigError::new(
                ConfigErrorKind::InvalidValue,
                format!("the state of the budget, {path:?}: {message}"),
            )
        };
        let file = Self(path.to_owned());
        let counts = match fs::read_to_string(path) {
            Ok(text) => Some(text.parse().map_err(|()| {
                error("it is no file with counts of a budget: give another name, or remove it".to_owned())
            })?),
            Err(why) if why.kind() == io::ErrorKind::NotFound => None,
            Err(why) => return Err(error(format!("it cannot be read: {why}"))),
        };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if folder.is_some_and(|folder| !folder.is_dir()) {
            return Err(error("its folder does not exist: create it".to_owned()));
        }
        Ok((file, counts))
    }

    /// Replaces the file whole: a crash leaves the old counts or the new ones.
    pub(super) fn save(&self, counts: Counts) -> io::Result<()> {
        let Self(path) = self;
        let mut name = path.as_os_str().to_owned();
        name.push(".new");
        let Counts { day, requests, bytes } = counts;
        fs::write(&name, format!("{FORM} day {day} requests {requests} bytes {bytes}\n"))?;
        fs::rename(&name, path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

// === impl Counts ===

impl FromStr for Counts {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut words = text.strip_prefix(FORM).ok_or(())?.split_ascii_whitespace();
        let mut number = |name| {
            let is_it = words.next() == Some(name);
            words.next().filter(|_| is_it).and_then(|word| word.parse().ok()).ok_or(())
        };
        Ok(Self { day: number("day")?, requests: number("requests")?, bytes: number("bytes")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("media.budget");
        let (file, none) = StateFile::open(&path).unwrap();
        assert_eq!(none, None);
        for counts in [Counts { day: 20_788, requests: 7, bytes: u64::MAX }, Counts::default()] {
            file.save(counts).unwrap();
            assert_eq!(StateFile::open(&path).unwrap().1, Some(counts));
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn what_is_no_state_is_refused_and_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        for text in ["", "hello", "tower-s3-proxy budget 1: day x requests 1 bytes 1", FORM] {
            fs::write(&path, text).unwrap();
            let told = StateFile::open(&path).unwrap_err().to_string();
            assert!(told.contains("notes.txt") && told.contains("remove it"), "{text:?}: {told}");
        }
        let told = StateFile::open(&folder.path().join("no/such")).unwrap_err().to_string();
        assert!(told.contains("create it"), "{told}");
        let told = StateFile::open(folder.path()).unwrap_err().to_string();
        assert!(told.contains("cannot be read"), "{told}");
    }
}
