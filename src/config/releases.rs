use super::website::in_path;
use crate::{
    error::{ConfigError, ConfigErrorKind},
    object::{InvalidKey, ObjectKey},
    published::{Deployed, ReleaseId},
    route::KeyMapping,
};

/// The releases of a website: each in a folder of its own, and a small object that names the current one.
///
/// ```
/// use tower_s3_proxy::website::{Releases, Website};
///
/// // releases/42/index.html is served as /index.html while the object `current` reads "42".
/// let site = Website::new().releases(Releases::new("releases").current("current").keep(3));
/// # let _ = site;
/// ```
///
/// See the [guide](crate::guide::websites).
#[must_use = "it does nothing before `Website::releases`"]
#[derive(Debug, Clone)]
pub struct Releases {
    prefix: String,
    current: String,
    keep: usize,
}

/// The same, checked.
#[derive(Debug)]
pub(crate) struct ReleasePolicy {
    /// The path of the folder of releases, behind the mount's: encoded, and empty or with a slash at the end.
    folder: String,
    /// The object that names the current release.
    pub(crate) current: ObjectKey,
    pub(crate) keep: usize,
}

// === impl Releases ===

impl Releases {
    /// Releases in the folders `PREFIX/ID/`, behind the mount's prefix. Without a prefix they are `ID/`.
    pub fn new(prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), current: "current".to_owned(), keep: KEPT }
    }

    /// The key of the object that names the current release, behind the mount's prefix; `current` without this call. Its first
    /// line is the id. More lines can name the releases before it, the newest first.
    pub fn current(mut self, key: impl Into<String>) -> Self {
        self.current = key.into();
        self
    }

    /// In how many of the releases before it an asset is looked for that the current one lacks and that has a hash in its name;
    /// 3 without this call, 20 at most.
    pub fn keep(mut self, releases: usize) -> Self {
        self.keep = releases;
        self
    }

    pub(super) fn check(&self, keys: &KeyMapping) -> Result<ReleasePolicy, ConfigError> {
        let folder = match self.prefix.trim_end_matches('/') {
            "" => String::new(),
            prefix => format!("{}/", in_path("the folder of releases", prefix)?),
        };
        let current = key_of("the object that names the current release", &self.current, keys)?;
        if self.is_served() {
            let message = format!(
                "the object {:?} that names the current release lies in the folder of a release, whose files are served: give it \
                 a key beside those folders",
                self.current
            );
            return Err(ConfigError::new(ConfigErrorKind::Contradiction, message));
        }
        if self.keep > MAX_KEPT {
            let message = format!(
                "{} earlier releases: each is one more request for an asset that is missing, so give at most {MAX_KEPT}",
                self.keep
            );
            return Err(ConfigError::new(ConfigErrorKind::InvalidValue, message));
        }
        Ok(ReleasePolicy { folder, current, keep: self.keep })
    }

    /// Whether the object that names the current release could be a file of one.
    fn is_served(&self) -> bool {
        let in_folder = match self.prefix.trim_end_matches('/') {
            "" => Some(self.current.as_str()),
            prefix => self.current.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('/')),
        };
        in_folder.is_some_and(|name| name.contains('/'))
    }
}

/// An object of the mount.
pub(super) fn key_of(what: &str, key: &str, keys: &KeyMapping) -> Result<ObjectKey, ConfigError> {
    let encoded = in_path(what, key)?;
    keys.key(&encoded).map_err(|why: InvalidKey| ConfigError::invalid(what, key, why))
}

const KEPT: usize = 3;
const MAX_KEPT: usize = 20;

// === impl ReleasePolicy ===

impl ReleasePolicy {
    /// The path of a release behind the mount's; the current one is 0.
    pub(crate) fn folder(&self, deployed: &Deployed, n: usize) -> Option<String> {
        deployed.nth(n).map(|id: &ReleaseId| format!("{}{}/", self.folder, id.as_str()))
    }
}
