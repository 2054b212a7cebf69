use std::{fmt, fs};

use sha2::{Digest, Sha256};
use toml::{Table, Value};

use super::source::Source;
use crate::{
    cache::{Cache, MountCache},
    config::Mount,
    error::ConfigError,
    origin::Transport,
};

/// What a configuration was loaded from, part by part, so that the file's next text takes over what is the same in it.
#[derive(Default)]
pub(crate) struct Loaded {
    pub(super) cache: Option<(Fingerprint, Cache)>,
    pub(super) transport: Option<(Fingerprint, Transport)>,
    pub(super) mounts: Vec<(MountFingerprint, Mount)>,
}

/// By which a part of the file is told to be the same as before. It does not show the part's secrets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Fingerprint([u8; 32]);

#[derive(Clone, Copy)]
pub(super) struct MountFingerprint {
    /// Of everything that the mount is made of.
    whole: Fingerprint,
    /// Of what decides which objects it stores in the cache, and with which fields.
    stored: Fingerprint,
}

/// The text of a file as values, with its variables expanded.
pub(super) struct Document(Table);

/// The keys of `[[mount]]` that change nothing of what the cache has of the mount's objects. A key that is missing here costs
/// the mount its part of the cache when it changes, and nothing else.
const NOT_STORED: [&str; 19] = [
    "bad_path",
    "budget",
    "circuit_breaker",
    "cors",
    "errors",
    "fallback",
    "forward_auth",
    "hedge",
    "hotlinks",
    "links",
    "listing",
    "max_bytes_per_second",
    "max_in_flight",
    "max_queued",
    "own_links",
    "presigned",
    "queue_timeout_ms",
    "retry",
    "users",
];

// === impl Loaded ===

impl Loaded {
    pub(super) fn cache(&self, fingerprint: Fingerprint) -> Option<&Cache> {
        self.cache.as_ref().and_then(|(before, cache)| (*before == fingerprint).then_some(cache))
    }

    pub(super) fn transport(&self, fingerprint: Fingerprint) -> Option<&Transport> {
        self.transport.as_ref().and_then(|(before, transport)| (*before == fingerprint).then_some(transport))
    }

    /// The mount that was made of the same.
    pub(super) fn mount(&self, fingerprint: MountFingerprint) -> Option<&Mount> {
        self.mounts.iter().find_map(|(before, mount)| (before.whole == fingerprint.whole).then_some(mount))
    }

    /// The part of the cache with the objects that such a mount would store.
    pub(super) fn stored_by(&self, fingerprint: MountFingerprint) -> Option<&MountCache> {
        let mount = self
            .mounts
            .iter()
            .find_map(|(before, mount)| (before.stored == fingerprint.stored).then_some(mount));
        mount.and_then(|mount| mount.0.cache.as_ref())
    }
}

impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaded").finish_non_exhaustive()
    }
}

// === impl Document ===

impl Document {
    pub(super) fn read(source: &Source<'_>) -> Result<Self, ConfigError> {
        let mut table: Table = source.parse_as()?;
        table.iter_mut().for_each(|(key, value)| expand(source, key, value));
        Ok(Self(table))
    }

    /// Of the table or value of this name; that of nothing if there is none.
    pub(super) fn fingerprint(&self, key: &str) -> Fingerprint {
        Fingerprint::of([self.0.get(key)])
    }

    /// Of each mount, in their order.
    pub(super) fn mounts(&self) -> impl Iterator<Item = MountFingerprint> {
        let shared = ["region", "transport", "cache", "credentials"].map(|key| self.0.get(key));
        let mounts = self.0.get("mount").and_then(Value::as_array).into_iter().flatten();
        mounts.map(move |mount| {
            let mut stored = mount.clone();
            if let Value::Table(table) = &mut stored {
                table.retain(|key, _| NOT_STORED.iter().all(|name| key != *name));
            }
            let of = |mount| Fingerprint::of(shared.iter().copied().chain([Some(mount)]));
            MountFingerprint { whole: of(mount), stored: of(&stored) }
        })
    }
}

/// The value as the reader of the file takes it, and with the content of the file that it names.
///
/// What is wrong with it is told where it is read.
fn expand(source: &Source<'_>, key: &str, value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Some(expanded) = source.expanded(text) {
                *text = expanded;
            }
            if key == "ca_file" {
                text.push_str(&fs::read_to_string(&*text).unwrap_or_default());
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| expand(source, key, value)),
        Value::Table(table) => table.iter_mut().for_each(|(key, value)| expand(source, key, value)),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {}
    }
}

// === impl Fingerprint ===

impl Fingerprint {
    fn of<'v>(values: impl IntoIterator<Item = Option<&'v Value>>) -> Self {
        let mut digest = Sha256::new();
        for value in values {
            let text = value.map(Value::to_string).unwrap_or_default();
            digest.update(text.len().to_be_bytes());
            digest.update(text);
        }
        Self(digest.finalize().into())
    }

    fn and(self, other: &[u8]) -> Self {
        let digest = Sha256::new().chain_update(self.0).chain_update(other);
        Self(digest.finalize().into())
    }
}

// === impl MountFingerprint ===

impl MountFingerprint {
    /// With what decides about it outside of the file.
    pub(super) fn and(self, other: &[u8]) -> Self {
        Self { whole: self.whole.and(other), stored: self.stored.and(other) }
    }
}

/// What the files of the AWS CLI contain, from which profiles and default credentials are taken.
#[cfg(feature = "aws-config")]
pub(super) fn aws_files() -> Vec<u8> {
    use std::{env, path::PathBuf};

    let home = env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let files = [("AWS_CONFIG_FILE", "config"), ("AWS_SHARED_CREDENTIALS_FILE", "credentials")];
    let contents = files.map(|(variable, name)| {
        let path = env::var_os(variable).map_or_else(|| home.join(".aws").join(name), PathBuf::from);
        fs::read(path).unwrap_or_default()
    });
    let mut all = contents[0].len().to_be_bytes().to_vec();
    all.extend(contents.concat());
    all
}

#[cfg(not(feature = "aws-config"))]
pub(super) fn aws_files() -> Vec<u8> {
    Vec::new()
}
