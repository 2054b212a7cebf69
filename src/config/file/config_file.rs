use std::{collections::BTreeMap, env, fmt, sync::Arc};

use aws_credential_types::Credentials;

use super::{
    cache,
    credentials::{self, NamedCredentials},
    loaded::{Document, Fingerprint, Loaded, MountFingerprint, aws_files},
    mount,
    source::{Places, Source},
    table::FileTable,
    transport,
};
use crate::{
    cache::Cache,
    config::{AbsentObject, Mount, MountBuilder, Replica, ReplicaCache, S3ProxyConfig},
    credentials::{CredentialsSource, from_keys},
    error::{ConfigError, ConfigErrorKind},
    origin::Transport,
};

/// A configuration from the text of a TOML file, parsed but not yet built, so that default credentials, which take an
/// `await`, are loaded only if a mount needs them.
///
/// ```
/// use tower_s3_proxy::{ConfigFile, credentials};
///
/// let text = r#"
///     region = "us-west-2"
///
///     [[mount]]
///     path = "/media"
///     bucket = "studio-media"
///     access_key_id = "${MEDIA_KEY}"
///     secret_access_key = "${MEDIA_SECRET}"
///
///     [[mount]]
///     path = "/docs"
///     bucket = "studio-docs"
///     prefix = "website"
///
///     [[mount.cache_control_rule]]
///     override = "public, max-age=31536000, immutable"
///     key = "assets/**"
/// "#;
///
/// // `ConfigFile::parse(text)` takes the variables from the environment of the process.
/// let file = ConfigFile::parse_with(text, |name| match name {
///     "MEDIA_KEY" => Some("AKIDEXAMPLE".to_owned()),
///     "MEDIA_SECRET" => Some("not-a-secret".to_owned()),
///     _ => None,
/// })?;
///
/// // Most programs call `file.load().await?`, which looks for the default credentials by itself.
/// let default = file.needs_default_credentials().then(|| credentials::fixed("AKIDEXAMPLE", "not-a-secret", None));
/// let config = file.build(default)?;
/// assert_eq!(config.mounts().len(), 2);
/// # Ok::<(), tower_s3_proxy::ConfigError>(())
/// ```
///
#[doc = include_str!("../../guide/links.md")]
#[doc = include_str!("../../guide/options.md")]
#[must_use = "a file serves nothing before `build`"]
pub struct ConfigFile {
    region: Option<String>,
    cache: Option<(Fingerprint, Cache)>,
    transport: Option<(Fingerprint, Transport)>,
    credentials: NamedCredentials,
    pub(super) mounts: Vec<FileMount>,
    /// Of each mount.
    fingerprints: Vec<MountFingerprint>,
    /// What an earlier text of the file has become.
    before: Arc<Loaded>,
}

/// The options of a file for all of its mounts.
pub(super) struct Shared<'f> {
    pub(super) region: Option<&'f str>,
    pub(super) cache: Option<&'f Cache>,
    pub(super) transport: Option<&'f Transport>,
    pub(super) credentials: &'f NamedCredentials,
}

/// A mount of the file, complete except for credentials.
pub(super) struct FileMount {
    /// Its place in the file, with which error messages begin: `line 7, mount 2 (at "/docs")`.
    pub(super) place: String,
    /// As given.
    pub(super) region: Option<String>,
    /// As given.
    pub(super) endpoint_url: Option<String>,
    pub(super) credentials: FileCredentials,
    pub(super) builder: MountBuilder,
    pub(super) replica: Option<Box<FileReplica>>,
}

/// The replica of a mount.
pub(super) struct FileReplica {
    /// The credentials are the mount's, unless it has its own.
    pub(super) mount: FileMount,
    pub(super) absent: AbsentObject,
    pub(super) cache: ReplicaCache,
}

#[derive(Clone)]
pub(super) enum FileCredentials {
    Anonymous,
    Keys(Credentials),
    Named(String),
    Default,
}

// === impl S3ProxyConfig ===

impl S3ProxyConfig {
    /// The configuration that the text of a TOML file describes; [`ConfigFile`] has its keys.
    ///
    /// `default_credentials` are for the mounts that neither have credentials nor are anonymous. To load them only if
    /// there are such mounts, or in the region that the file names, use [`ConfigFile`] itself.
    ///
    /// ```
    /// use tower_s3_proxy::S3ProxyConfig;
    ///
    /// let text = r#"
    ///     [[mount]]
    ///     bucket = "studio-media"
    ///     region = "us-west-2"
    ///     anonymous = true
    /// "#;
    /// let config = S3ProxyConfig::from_toml(text, None)?;
    /// # let _ = config;
    /// # Ok::<(), tower_s3_proxy::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`ConfigFile::parse`] and [`ConfigFile::build`].
    pub fn from_toml(
        text: &str,
        default_credentials: Option<CredentialsSource>,
    ) -> Result<Self, ConfigError> {
        ConfigFile::parse(text)?.build(default_credentials)
    }
}

// === impl ConfigFile ===

impl ConfigFile {
    /// Parses the text of a file, with variables from the environment of the process.
    ///
    /// # Errors
    ///
    /// [`ConfigErrorKind::File`] if it is not TOML, or has a key or a type that the [tables](Self#the-file) do not
    /// list; [`ConfigErrorKind::Missing`] if a variable is not set; [`ConfigErrorKind::Missing`],
    /// [`ConfigErrorKind::Contradiction`] or [`ConfigErrorKind::InvalidValue`] for values that make no valid mount. The
    /// message begins with the line, and never contains a key of credentials.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        Self::parse_with(text, |name| env::var(name).ok())
    }

    /// Like [`parse`](Self::parse), with variables from another source.
    ///
    /// # Errors
    ///
    /// As for [`parse`](Self::parse); a variable is not set if `variable` has no value for its name.
    pub fn parse_with(text: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        Self::read(Source::new(text, Places::Lines, &variable), Arc::default())
    }

    /// Parses the next text of a file that was loaded before, to [reload](crate::S3ProxyLayer::reload) the layer.
    ///
    /// What is as before is taken over: a cache and a transport whose tables are the same, and, as clones, the mounts of which
    /// nothing has changed, with credentials and connections. A mount that stores the same objects as before goes on with its
    /// part of the cache. What decides about that outside of the file counts as well: variables, files of certificates, and the
    /// files of the AWS CLI.
    ///
    /// ```no_run
    /// use tower_s3_proxy::{ConfigError, ConfigFile, S3ProxyConfig, S3ProxyLayer};
    ///
    /// async fn reload(layer: &S3ProxyLayer, config: &mut S3ProxyConfig, text: &str) -> Result<(), ConfigError> {
    ///     *config = ConfigFile::parse_after(text, config)?.load().await?;
    ///     layer.reload(config.clone());
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`parse`](Self::parse).
    pub fn parse_after(text: &str, before: &S3ProxyConfig) -> Result<Self, ConfigError> {
        let variable = |name: &str| env::var(name).ok();
        Self::read(Source::new(text, Places::Lines, &variable), before.loaded.clone())
    }

    /// Parses a text that comes in parts, each with a name, so that a program can take keys of the file on its command
    /// line.
    ///
    /// A part has one line or more. Messages begin with the name of the part in place of the line, or with neither if
    /// the name is empty.
    ///
    /// ```
    /// use tower_s3_proxy::ConfigFile;
    ///
    /// let parts = [
    ///     ("", "[[mount]]"),
    ///     ("--bucket", r#"bucket = "studio-media""#),
    ///     ("-o fallback", r#"fallback = "outer""#),
    /// ];
    /// let why = ConfigFile::parse_parts(parts, |_| None).unwrap_err();
    /// assert_eq!(why.to_string(), r#"-o fallback: fallback "outer": must be "none" or "inner""#);
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`parse_with`](Self::parse_with).
    pub fn parse_parts<'a>(
        parts: impl IntoIterator<Item = (&'a str, &'a str)>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let (mut text, mut ends) = (String::new(), Vec::new());
        for (name, part) in parts {
            text.push_str(part);
            text.push('\n');
            ends.push((name, text.len()));
        }
        Self::read(Source::new(&text, Places::Parts(&ends), &variable), Arc::default())
    }

    fn read(source: Source<'_>, before: Arc<Loaded>) -> Result<Self, ConfigError> {
        let table: FileTable = source.parse()?;
        let region = source.unless_empty("region", table.region.as_ref())?;
        // Read in any case: the text may be wrong.
        let cache = table.cache.as_ref().map(|table| cache::read(&source, table)).transpose()?;
        let transport = table.transport.as_ref().map(|table| transport::read(&source, table)).transpose()?;
        let document = Document::read(&source)?;
        let of_file = |key| document.fingerprint(key);
        let cache = cache.map(|new| {
            let fingerprint = of_file("cache");
            (fingerprint, before.cache(fingerprint).cloned().unwrap_or(new))
        });
        let transport = transport.map(|new| {
            let fingerprint = of_file("transport");
            (fingerprint, before.transport(fingerprint).cloned().unwrap_or(new))
        });
        let credentials = credentials::read(&source, &table.credentials, region.as_deref())?;
        let shared = Shared {
            region: region.as_deref(),
            cache: cache.as_ref().map(|(_, cache)| cache),
            transport: transport.as_ref().map(|(_, transport)| transport),
            credentials: &credentials,
        };
        let read = |(table, number)| mount::read(&source, table, number, &shared);
        let mounts: Vec<_> = table.mount.0.iter().zip(1..).map(read).collect::<Result<_, _>>()?;
        if mounts.is_empty() {
            let message = "the file has no mount: a mount begins with a line [[mount]]";
            return Err(ConfigError::new(ConfigErrorKind::Missing, message));
        }
        let fingerprints = document.mounts().collect();
        Ok(Self { region, cache, transport, credentials, mounts, fingerprints, before })
    }

    /// Replaces `${NAME}` by the variable and `$$` by a dollar sign, as in the text values of a file: for the tables that a program
    /// has in the file beside those of the layer, `[server]` and `[[listen]]`.
    ///
    /// # Errors
    ///
    /// [`ConfigErrorKind::Missing`] if a variable is not set; [`ConfigErrorKind::File`] for a `${` before anything else.
    pub fn expand(text: &str, variable: impl Fn(&str) -> Option<String>) -> Result<String, ConfigError> {
        Source::new(text, Places::Parts(&[]), &variable).expanded_text()
    }

    /// Whether a mount has no credentials, so that [`build`](Self::build) needs default ones.
    pub fn needs_default_credentials(&self) -> bool {
        self.mounts.iter().any(FileMount::needs_default_credentials)
    }

    /// The region in which to load default credentials (STS): the file's, or else that of the first mount that needs
    /// them.
    pub fn region(&self) -> Option<&str> {
        let of_mount = || self.mounts.iter().find(|mount| mount.needs_default_credentials())?.region();
        self.region.as_deref().or_else(of_mount)
    }

    /// The cache of `[cache]`, to purge it, to apply events, or to read its counters.
    pub fn cache(&self) -> Option<&Cache> {
        self.cache.as_ref().map(|(_, cache)| cache)
    }

    /// Builds the mounts with the credentials that the file describes. Mounts without credentials get the default
    /// chain, in the file's region (with the feature `aws-config`). Mounts whose credentials are a profile of the AWS CLI
    /// get its region and endpoint URL, too, unless they have their own.
    ///
    /// No source is asked yet: missing credentials show only when they are first needed.
    ///
    /// # Errors
    ///
    /// Those of [`build`](Self::build), and those of the constructors in [`credentials`](crate::credentials), with the
    /// line of the table.
    pub async fn load(mut self) -> Result<S3ProxyConfig, ConfigError> {
        let same = self.same_as_before(&aws_files());
        let new = || same.iter().map(Option::is_none);
        for mount in self.mounts.iter_mut().zip(new()).filter_map(|(mount, is_new)| is_new.then_some(mount)) {
            mount.add_settings(&self.credentials).await?;
            if let Some(replica) = &mut mount.replica {
                replica.mount.add_settings(&self.credentials).await?;
            }
        }
        let new: Vec<&FileMount> =
            self.mounts.iter().zip(new()).filter_map(|(mount, is_new)| is_new.then_some(mount)).collect();
        let default = match new.iter().any(|mount| mount.needs_default_credentials()) {
            true => credentials::default_source(self.region()).await?,
            false => None,
        };
        let used = new.into_iter().flat_map(FileMount::credentials_names);
        let named = credentials::load(&self.credentials, used).await?;
        self.assemble(same, default.as_ref(), &named)
    }

    /// Builds the mounts without loading credentials, which would take an `await`. `default_credentials` are for the
    /// mounts without credentials.
    ///
    /// # Errors
    ///
    /// Those of [`MountBuilder::build`] and [`S3ProxyConfig::new`], with the line of the mount;
    /// [`ConfigErrorKind::Missing`] if default credentials are needed and not given, or if a mount uses a table
    /// `[credentials.NAME]`, which needs [`load`](Self::load).
    #[expect(clippy::needless_pass_by_value, reason = "sources of credentials give them by value")]
    pub fn build(
        mut self,
        default_credentials: Option<CredentialsSource>,
    ) -> Result<S3ProxyConfig, ConfigError> {
        let mut same = self.same_as_before(&[]);
        for (same, mount) in same.iter_mut().zip(&self.mounts) {
            // Those that are given may be others.
            same.take_if(|_| mount.needs_default_credentials());
        }
        self.assemble(same, default_credentials.as_ref(), &BTreeMap::new())
    }

    /// The mounts of before that are made of the same, these AWS files included; `None` for those that are to be built.
    fn same_as_before(&mut self, aws_files: &[u8]) -> Vec<Option<Mount>> {
        let mounts = self.mounts.iter().zip(&mut self.fingerprints);
        let same = mounts.map(|(mount, fingerprint)| {
            if mount.asks_aws_files() {
                *fingerprint = fingerprint.and(aws_files);
            }
            self.before.mount(*fingerprint).cloned()
        });
        same.collect()
    }

    fn assemble(
        self,
        same: Vec<Option<Mount>>,
        default: Option<&CredentialsSource>,
        named: &BTreeMap<String, CredentialsSource>,
    ) -> Result<S3ProxyConfig, ConfigError> {
        let mut built: Vec<(String, Mount)> = Vec::with_capacity(self.mounts.len());
        for ((mut file_mount, fingerprint), same) in self.mounts.into_iter().zip(&self.fingerprints).zip(same)
        {
            let place = file_mount.place.clone();
            if let Some(stored) = self.before.stored_by(*fingerprint) {
                file_mount.builder = file_mount.builder.going_on_with(stored);
            }
            let mount = same.map_or_else(|| file_mount.build(default, named), Ok)?;
            if let Some((first, _)) = built.iter().find(|(_, other)| other.place() == mount.place()) {
                let message = format!("{place}: has the same path and host as {first}: change one of them");
                return Err(ConfigError::new(ConfigErrorKind::DuplicateMount, message));
            }
            built.push((place, mount));
        }
        let mounts: Vec<Mount> = built.into_iter().map(|(_, mount)| mount).collect();
        let of_mounts = self.fingerprints.into_iter().zip(mounts.iter().cloned()).collect();
        let loaded = Loaded { cache: self.cache, transport: self.transport, mounts: of_mounts };
        Ok(S3ProxyConfig { loaded: Arc::new(loaded), ..S3ProxyConfig::new(mounts)? })
    }
}

/// Omits the values, any of which may come from a variable.
impl fmt::Debug for ConfigFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mounts: Vec<_> = self.mounts.iter().map(|mount| &mount.place).collect();
        f.debug_struct("ConfigFile").field("mounts", &mounts).finish_non_exhaustive()
    }
}

// === impl FileMount ===

impl FileMount {
    fn needs_default_credentials(&self) -> bool {
        self.with_replica().any(|mount| matches!(mount.credentials, FileCredentials::Default))
    }

    /// The region, or what servers call theirs that speak S3's protocol, and rarely care.
    pub(super) fn region(&self) -> Option<&str> {
        self.region.as_deref().or(self.endpoint_url.as_ref().map(|_| "us-east-1"))
    }

    /// Adds what the AWS profile says and the mount does not.
    async fn add_settings(&mut self, named: &NamedCredentials) -> Result<(), ConfigError> {
        match &self.credentials {
            FileCredentials::Named(name) => {
                let Some(profile) = credentials::profile_of(named, name) else { return Ok(()) };
                if self.region.is_none() || self.endpoint_url.is_none() {
                    let told = credentials::settings(Some(profile)).await?;
                    self.region = self.region.take().or(told.region);
                    self.endpoint_url = self.endpoint_url.take().or(told.endpoint_url);
                }
            }
            // Before the usual region is guessed.
            FileCredentials::Default if self.region.is_none() && self.endpoint_url.is_some() => {
                self.region = credentials::settings(None).await?.region;
            }
            FileCredentials::Default | FileCredentials::Anonymous | FileCredentials::Keys(_) => {}
        }
        Ok(())
    }

    /// Whether the files of the AWS CLI decide about it.
    fn asks_aws_files(&self) -> bool {
        self.with_replica().any(|mount| match mount.credentials {
            FileCredentials::Named(_) | FileCredentials::Default => true,
            FileCredentials::Anonymous | FileCredentials::Keys(_) => false,
        })
    }

    fn credentials_names(&self) -> impl Iterator<Item = &str> {
        self.with_replica().filter_map(|mount| match &mount.credentials {
            FileCredentials::Named(name) => Some(&**name),
            FileCredentials::Anonymous | FileCredentials::Keys(_) | FileCredentials::Default => None,
        })
    }

    fn with_replica(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(self.replica.as_ref().map(|replica| &replica.mount))
    }

    fn build(
        self,
        default: Option<&CredentialsSource>,
        named: &BTreeMap<String, CredentialsSource>,
    ) -> Result<Mount, ConfigError> {
        let region = self.region().map(str::to_owned);
        let Self { place, endpoint_url, credentials, mut builder, replica, .. } = self;
        if let Some(replica) = replica {
            let FileReplica { mount, absent, cache } = *replica;
            builder = builder.replica(Replica::new(mount.build(default, named)?).absent(absent).cache(cache));
        }
        let missing = |why: &str| {
            let message = format!("{place}: credentials are missing: {why}");
            ConfigError::new(ConfigErrorKind::Missing, message)
        };
        let Some(region) = region else {
            let message = format!(
                "{place}: the region is missing: give region, for the mount or for the whole file; AWS_REGION counts for \
                 flags only, and region = \"${{AWS_REGION}}\" takes it; a profile's region, for credentials of that type"
            );
            return Err(ConfigError::new(ConfigErrorKind::Missing, message));
        };
        builder = builder.region(region);
        if let Some(url) = endpoint_url {
            builder = builder.endpoint_url(url);
        }
        let source = match credentials {
            FileCredentials::Anonymous => CredentialsSource::anonymous(),
            FileCredentials::Keys(keys) => from_keys(keys),
            FileCredentials::Named(name) => {
                named.get(&name).cloned().ok_or_else(|| missing("those with a name are for ConfigFile::load"))?
            }
            FileCredentials::Default => default.cloned().ok_or_else(|| {
                missing("give access_key_id and secret_access_key, or credentials = \"NAME\", or say anonymous = true")
            })?,
        };
        let built = builder.credentials(source).build();
        built.map_err(|why| ConfigError::new(why.kind(), format!("{place}: {why}")).caused_by(why))
    }
}
