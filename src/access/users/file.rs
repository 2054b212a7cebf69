use std::{fs, path::Path, sync::Arc};

use super::{Users, table::Table};
use crate::{
    access::watched_file::WatchedFile,
    error::{ConfigError, ConfigErrorKind},
};

// === impl Users ===

/// # From files
impl Users {
    /// The users of a file, which [`reload`](Self::reload) reads again.
    ///
    /// # Errors
    ///
    /// [`ConfigErrorKind::File`] if it cannot be read, and those of [`parse`](Self::parse), all with its path.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let file = WatchedFile::new(path.as_ref());
        Ok(Self::with(read(file.path())?, Some(file)))
    }

    /// Reads the file again if it looks different from the last time, by its length and the time of its last change, and says
    /// whether it did. Of a file that is not right nothing is taken over, and one look finds the same fault once.
    ///
    /// Does nothing for users that are from no file.
    ///
    /// # Errors
    ///
    /// Those of [`load`](Self::load).
    pub fn reload(&self) -> Result<bool, ConfigError> {
        let Some(file) = &self.0.file else { return Ok(false) };
        if !file.has_changed() {
            return Ok(false);
        }
        self.0.table.store(Arc::new(read(file.path())?));
        Ok(true)
    }
}

fn read(path: &Path) -> Result<Table, ConfigError> {
    let at = |kind, why: String| ConfigError::new(kind, format!("{}: {why}", path.display()));
    let text =
        fs::read_to_string(path).map_err(|why| at(ConfigErrorKind::File, why.to_string()).caused_by(why))?;
    Table::parse(&text).map_err(|why| at(why.kind(), why.to_string()))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    const HASH: &str = "$2y$04$abcdefghijklmnopqrstuuTA3V9q0UyHhyIcwWXz6ZtYbGFcE7k9e";

    #[test]
    fn a_file_that_changes_is_read_again_and_a_wrong_one_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users");
        let set = |text: &str, seconds: u64| {
            fs::write(&path, text).unwrap();
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds);
            fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        };
        assert!(Users::load(&path).unwrap_err().to_string().contains("users: "));
        set(&format!("ada:{HASH}"), 0);
        let users = Users::load(&path).unwrap();
        assert!(!users.reload().unwrap());
        set(&format!("grace:{HASH}"), 1);
        assert!(users.reload().unwrap());
        assert_eq!(format!("{users:?}"), "[\"grace\"]");
        set(&format!("ada:{HASH}\nhunter2"), 2);
        let why = users.reload().unwrap_err().to_string();
        assert!(why.ends_with("users: line 2: must be NAME:HASH"), "{why}");
        assert!(!users.reload().unwrap(), "told once");
        assert_eq!(format!("{users:?}"), "[\"grace\"]");
        fs::remove_file(&path).unwrap();
        assert!(users.reload().is_err());
        assert!(!users.reload().unwrap());
        set(&format!("ada:{HASH}"), 0);
        assert!(users.reload().unwrap());
        assert_eq!(format!("{users:?}"), "[\"ada\"]");
    }
}
