use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// Reads the text of the configuration file.
///
/// A pipe, as of `--config <(…)`, gives its text once: it is kept for those who ask again.
pub(crate) fn read(path: &Path) -> io::Result<String> {
    static OF_PIPES: Mutex<BTreeMap<PathBuf, String>> = Mutex::new(BTreeMap::new());
    if fs::metadata(path)?.is_file() {
        return fs::read_to_string(path);
    }
    let mut kept = OF_PIPES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(text) = kept.get(path) {
        return Ok(text.clone());
    }
    let text = fs::read_to_string(path)?;
    kept.insert(path.to_owned(), text.clone());
    Ok(text)
}
