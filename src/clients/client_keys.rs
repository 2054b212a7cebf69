use std::{collections::HashMap, fmt, sync::Arc};

use arc_swap::ArcSwap;

use super::ClientKey;
#[cfg(feature = "toml")]
use crate::access::WatchedFile;
use crate::error::{ConfigError, ConfigErrorKind};

/// A table of the keys of S3 clients, which mounts can share. Clones are the same table.
///
/// Its content can be [replaced](Self::replace) while requests are served: each request goes by the table at its beginning.
#[derive(Clone)]
pub struct ClientKeys(Arc<Shared>);

struct Shared {
    table: ArcSwap<Table>,
    #[cfg(feature = "toml")]
    file: Option<WatchedFile>,
}

/// By access keys.
type Table = HashMap<String, Arc<ClientKey>>;

// === impl ClientKeys ===

impl ClientKeys {
    /// A table of these keys.
    ///
    /// # Errors
    ///
    /// [`ConfigErrorKind::InvalidValue`] for a key that no client can use, [`ConfigErrorKind::Contradiction`] if two have the
    /// same access key, and [`ConfigErrorKind::Missing`] if there are none.
    pub fn new(keys: impl IntoIterator<Item = ClientKey>) -> Result<Self, ConfigError> {
        Ok(Self(Arc::new(Shared {
            table: ArcSwap::from_pointee(table(keys)?),
            #[cfg(feature = "toml")]
            file: None,
        })))
    }

    /// A table that is from a file.
    #[cfg(feature = "toml")]
    pub(crate) fn of_file(
        keys: impl IntoIterator<Item = ClientKey>,
        file: WatchedFile,
    ) -> Result<Self, ConfigError> {
        let table = ArcSwap::from_pointee(table(keys)?);
        Ok(Self(Arc::new(Shared { table, file: Some(file) })))
    }

    /// Replaces all keys by these, at once.
    ///
    /// # Errors
    ///
    /// Those of [`new`](Self::new); the table stays as it was then.
    pub fn replace(&self, keys: impl IntoIterator<Item = ClientKey>) -> Result<(), ConfigError> {
        self.0.table.store(Arc::new(table(keys)?));
        Ok(())
    }

    pub(crate) fn find(&self, access_key: &str) -> Option<Arc<ClientKey>> {
        self.0.table.load().get(access_key).cloned()
    }

    #[cfg(feature = "toml")]
    pub(crate) fn file(&self) -> Option<&WatchedFile> {
        self.0.file.as_ref()
    }
}

fn table(keys: impl IntoIterator<Item = ClientKey>) -> Result<Table, ConfigError> {
    let mut table = Table::new();
    for key in keys {
        key.check()?;
        let name = key.access_key().to_owned();
        if table.insert(name.clone(), Arc::new(key)).is_some() {
            let message = format!("two keys have the access key {name:?}: give each its own");
            return Err(ConfigError::new(ConfigErrorKind::Contradiction, message));
        }
    }
    if table.is_empty() {
        let message = "no key of S3 clients: give at least one, or leave the table out";
        return Err(ConfigError::new(ConfigErrorKind::Missing, message));
    }
    Ok(table)
}

/// Without the secrets.
impl fmt::Debug for ClientKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = self.0.table.load();
        f.debug_list().entries(table.values()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> ClientKey {
        ClientKey::new(name, "hush-hush")
    }

    #[test]
    fn a_table_is_replaced_as_a_whole_or_not_at_all() {
        let keys = ClientKeys::new([key("one"), key("two")]).unwrap();
        let same = keys.clone();
        assert!(keys.replace([key("three"), key("three")]).is_err());
        assert!(keys.replace([key("three"), key("/")]).is_err());
        assert!(keys.replace([]).is_err());
        assert!(same.find("one").is_some() && same.find("three").is_none());
        keys.replace([key("three")]).unwrap();
        assert!(same.find("one").is_none() && same.find("three").is_some());
        assert!(!format!("{keys:?}").contains("hush"));
    }
}
