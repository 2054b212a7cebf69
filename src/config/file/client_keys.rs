//! The file of client keys: tables `[[key]]`.

use std::{env, fs, path::Path};

use serde::Deserialize;
use toml::Spanned;

use super::{
    source::{Places, Source},
    table::{Tables, Text},
};
use crate::{
    access::WatchedFile,
    clients::{ClientAccess, ClientKey, ClientKeys},
    error::{ConfigError, ConfigErrorKind},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileTable {
    #[serde(default)]
    key: Tables<KeyTable>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct KeyTable {
    access_key: Option<Text>,
    secret_key: Option<Text>,
    prefixes: Option<Spanned<Vec<Text>>>,
    access: Option<Text>,
}

// === impl ClientKeys ===

/// # From files
impl ClientKeys {
    /// The keys that the text of a TOML file has, each in a table `[[key]]`. `${NAME}` in a value stands for the variable
    /// `NAME` of the environment, as in [`ConfigFile`](crate::ConfigFile).
    ///
    /// ```
    /// use tower_s3_proxy::clients::ClientKeys;
    ///
    /// let keys = ClientKeys::from_toml(r#"
    ///     [[key]]
    ///     access_key = "ingest"
    ///     secret_key = "not-a-secret"
    ///     prefixes = ["raw/", "done/"]
    ///     access = "read-write"
    /// "#)?;
    /// # let _ = keys;
    /// # Ok::<(), tower_s3_proxy::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ConfigErrorKind::File`] if it is not such a file, and those of [`new`](Self::new). The message begins with the line,
    /// and never has a secret.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        Self::new(parse(text)?)
    }

    /// The keys of a file, which [`reload`](Self::reload) reads again.
    ///
    /// # Errors
    ///
    /// [`ConfigErrorKind::File`] if it cannot be read, and those of [`from_toml`](Self::from_toml), all with its path.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let file = WatchedFile::new(path);
        let keys = read(path)?;
        let in_file = |why| at(path, &why);
        Self::of_file(keys, file).map_err(in_file)
    }

    /// Reads the file again if it looks different from the last time, by its length and the time of its last change, and says
    /// whether it did. The table of a file that is not right stays as it is, and one look finds the same fault once.
    ///
    /// Does nothing for a table that is from no file.
    ///
    /// # Errors
    ///
    /// Those of [`load`](Self::load).
    pub fn reload(&self) -> Result<bool, ConfigError> {
        let Some(file) = self.file() else { return Ok(false) };
        if !file.has_changed() {
            return Ok(false);
        }
        self.replace(read(file.path())?).map_err(|why| at(file.path(), &why))?;
        Ok(true)
    }
}

fn read(path: &Path) -> Result<Vec<ClientKey>, ConfigError> {
    let text = fs::read_to_string(path).map_err(|why| {
        let message = format!("{}: {why}", path.display());
        ConfigError::new(ConfigErrorKind::File, message).caused_by(why)
    })?;
    parse(&text).map_err(|why| at(path, &why))
}

fn at(path: &Path, why: &ConfigError) -> ConfigError {
    ConfigError::new(why.kind(), format!("{}: {why}", path.display()))
}

fn parse(text: &str) -> Result<Vec<ClientKey>, ConfigError> {
    let variable = |name: &str| env::var(name).ok();
    let source = Source::new(text, Places::Lines, &variable);
    let FileTable { key } = source.parse_as()?;
    key.0.iter().map(|table| client_key(&source, table)).collect()
}

fn client_key(source: &Source<'_>, table: &Spanned<KeyTable>) -> Result<ClientKey, ConfigError> {
    let span = table.span();
    let KeyTable { access_key, secret_key, prefixes, access } = table.get_ref();
    let part = |name: &str, text: &Option<Text>| {
        let missing = || source.error(ConfigErrorKind::Missing, span.clone(), format!("a key needs {name}"));
        source.unless_empty(name, text.as_ref())?.ok_or_else(missing)
    };
    let mut key = ClientKey::new(part("access_key", access_key)?, part("secret_key", secret_key)?);
    let choices = [("read", ClientAccess::Read), ("read-write", ClientAccess::ReadWrite)];
    if let Some(access) = source.choice("access", access.as_ref(), choices)? {
        key = key.access(access);
    }
    if let Some(prefixes) = prefixes {
        if prefixes.get_ref().is_empty() {
            let message = "prefixes: the list is empty: leave it out for every object";
            return Err(source.error(ConfigErrorKind::InvalidValue, prefixes.span(), message));
        }
        for prefix in source.list("prefixes", prefixes.get_ref())? {
            key = key.prefix(prefix);
        }
    }
    key.check().map_err(|why| source.error(why.kind(), span, &why))?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    const GOOD: &str = "[[key]]\naccess_key = \"reader\"\nsecret_key = \"hush-hush\"\n";

    #[test]
    fn a_fault_of_the_file_is_told_with_its_line_and_without_a_secret() {
        for (text, expected) in [
            (GOOD.to_owned(), None),
            (format!("{GOOD}prefixes = [\"raw/\"]\naccess = \"read-write\"\n"), None),
            (String::new(), Some("no key of S3 clients")),
            ("[[key]]\naccess_key = \"reader\"\n".to_owned(), Some("line 1: a key needs secret_key")),
            (
                format!("{GOOD}acess = \"read\"\n"),
                Some("line 4, column 1: unknown key `acess`: did you mean `access`?"),
            ),
            (
                format!("{GOOD}access = \"write\"\n"),
                Some("line 4: access \"write\": must be \"read\" or \"read-write\""),
            ),
            (format!("{GOOD}prefixes = []\n"), Some("line 4: prefixes: the list is empty")),
            (format!("{GOOD}prefixes = [\"/a\"]\n"), Some("line 1: the prefix \"/a\" of \"reader\"")),
            (format!("{GOOD}{GOOD}"), Some("two keys have the access key \"reader\"")),
            (
                GOOD.replace("hush-hush", "hush"),
                Some("line 1: the secret key of \"reader\": give at least 8"),
            ),
            (GOOD.replace("\"hush-hush\"", "4711471147"), Some("must be text in quotes")),
        ] {
            let told = ClientKeys::from_toml(&text).map(drop).map_err(|why| why.to_string());
            match expected {
                None => assert_eq!(told, Ok(())),
                Some(expected) => {
                    let why = told.expect_err(expected);
                    assert!(why.starts_with(expected) || why.contains(expected), "{why}");
                    assert!(!why.contains("hush") && !why.contains("4711"), "{why}");
                }
            }
        }
    }

    #[test]
    fn a_file_that_changes_is_read_again_and_its_fault_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.toml");
        let set = |text: &str, seconds: u64| {
            fs::write(&path, text).unwrap();
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds);
            fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        };
        assert!(ClientKeys::load(&path).unwrap_err().to_string().contains("keys.toml"));
        set(GOOD, 0);
        let keys = ClientKeys::load(&path).unwrap();
        assert!(!keys.reload().unwrap());
        set(&GOOD.replace("reader", "writer"), 1);
        assert!(keys.reload().unwrap());
        assert!(keys.find("writer").is_some() && keys.find("reader").is_none());
        set("[[key]]", 2);
        assert!(keys.reload().unwrap_err().to_string().contains("keys.toml: line 1: a key needs access_key"));
        assert!(!keys.reload().unwrap(), "told once");
        fs::remove_file(&path).unwrap();
        assert!(keys.reload().is_err());
        assert!(!keys.reload().unwrap() && keys.find("writer").is_some());
        set(GOOD, 0);
        assert!(keys.reload().unwrap());
        assert!(keys.find("reader").is_some());
    }
}
