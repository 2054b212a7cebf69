use std::time::Duration;

use http::StatusCode;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    Live, Releases, RuleFiles, SiteSource,
    releases::{ReleasePolicy, key_of},
};
use crate::{
    error::{ConfigError, ConfigErrorKind},
    object::ObjectKey,
    published::{BucketSite, Watched},
    request::Coding,
    route::KeyMapping,
};

/// A mount as a website: paths that name no object lead to index documents, and what is missing to pages of the bucket.
///
/// ```
/// use tower_s3_proxy::{BucketName, Mount, website::Website};
///
/// let site = Website::new().clean_urls(true).not_found("404.html");
/// let mount = Mount::builder(BucketName::parse("studio-site")?).region("us-west-2").website(site);
/// # let _ = mount;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// See the [guide](crate::guide::websites).
#[must_use = "it does nothing before `MountBuilder::website`"]
#[derive(Debug, Clone)]
pub struct Website {
    source: SiteSource,
    index: Option<Vec<String>>,
    clean_urls: bool,
    single_page: Option<String>,
    errors: Vec<(u16, String)>,
    precompressed: Vec<Precompressed>,
    releases: Option<Releases>,
    rules: bool,
    refresh: Option<Duration>,
}

/// A coding in which a site has its files beside themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Precompressed {
    /// `app.js.br`.
    Brotli,
    /// `app.js.zst`.
    Zstd,
    /// `app.js.gz`.
    Gzip,
}

/// The same, checked. Keys are as in a path: encoded, and without the mount's prefix.
#[derive(Debug)]
pub(crate) struct SitePolicy {
    pub(crate) index: Vec<String>,
    pub(crate) clean_urls: CleanUrls,
    pub(crate) single_page: Option<String>,
    errors: Vec<(StatusCode, String)>,
    /// The page for errors 4xx that have none of their own.
    client_error: Option<String>,
    /// In the order in which they are preferred.
    pub(crate) codings: Vec<Coding>,
    /// Of a site that can change while it is served.
    pub(crate) live: Option<Live>,
}

/// Whether `/about` is `about.html`, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CleanUrls {
    Yes,
    No,
}

// === impl Website ===

impl Website {
    /// A site whose folders have `index.html`.
    pub fn new() -> Self {
        Self {
            source: SiteSource::Mount,
            index: None,
            clean_urls: false,
            single_page: None,
            errors: Vec::new(),
            precompressed: Vec::new(),
            releases: None,
            rules: false,
            refresh: None,
        }
    }

    /// A site as the bucket's own website configuration has it (GetBucketWebsite): index document, error document, redirects. The
    /// bucket stays private. It has no other options than [`refresh`](Self::refresh), which is five minutes without that call.
    pub fn from_bucket() -> Self {
        Self { source: SiteSource::Bucket, ..Self::new() }
    }

    /// The names of index documents, of which the first that exists is served for a path that ends with a slash; `index.html`
    /// without this call.
    pub fn index<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.index = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// Serves `about.html` for `/about`, if there is no object `about`.
    pub fn clean_urls(mut self, on: bool) -> Self {
        self.clean_urls = on;
        self
    }

    /// The page that browsers get for every path without an object when they navigate, with status 200: that of an application
    /// which has its own paths. Pictures, scripts and the like that are missing are still missing.
    pub fn single_page(mut self, key: impl Into<String>) -> Self {
        self.single_page = Some(key.into());
        self
    }

    /// The page for what is missing; its status stays 404.
    pub fn not_found(self, key: impl Into<String>) -> Self {
        self.error_document(404, key)
    }

    /// The page of the bucket for responses of this status, from 400 to 599. The status stays.
    pub fn error_document(mut self, status: u16, key: impl Into<String>) -> Self {
        self.errors.push((status, key.into()));
        self
    }

    /// Serves `app.js.br`, `app.js.zst` or `app.js.gz` for `/app.js` to clients that take that coding (`Accept-Encoding`), with the
    /// type of `app.js`. Of those that a client likes as much, the one that is named first here comes first. It needs a cache,
    /// which remembers what there is not. Types that are compressed already are not looked for.
    pub fn precompressed(mut self, codings: impl IntoIterator<Item = Precompressed>) -> Self {
        self.precompressed = codings.into_iter().collect();
        self
    }

    /// Serves one of several releases, of which an object of the bucket names the current one.
    pub fn releases(mut self, releases: Releases) -> Self {
        self.releases = Some(releases);
        self
    }

    /// Reads the files `_headers` and `_redirects`, of the current release or of the mount, and serves what they say. They themselves
    /// are then served to nobody.
    pub fn rules(mut self, on: bool) -> Self {
        self.rules = on;
        self
    }

    /// How long the current release and the rules are taken as they are, before the objects that say so are looked at again; 5 s
    /// without this call, a second at least. A purge of the object makes a change known at once.
    pub fn refresh(mut self, time: Duration) -> Self {
        self.refresh = Some(time);
        self
    }

    pub(super) fn check(&self, keys: &KeyMapping) -> Result<SitePolicy, ConfigError> {
        if self.source == SiteSource::Bucket && self.has_options() {
            let message = "the website is that of the bucket's own configuration (from): leave out all options but refresh_secs (refresh), or from";
            return Err(ConfigError::new(ConfigErrorKind::Contradiction, message));
        }
        let names = self.index.clone().unwrap_or_else(|| vec![INDEX.to_owned()]);
        let index = names.iter().map(|name| match name.contains('/') {
            false => in_path("the index document", name),
            true => Err(ConfigError::invalid("the index document", name, "must be a name without a slash")),
        });
        let errors = self.errors.iter().map(|(status, key)| {
            let known = StatusCode::from_u16(*status).ok();
            let known = known.filter(|status| status.is_client_error() || status.is_server_error());
            let known = known.ok_or_else(|| {
                let message = format!("an error document for the status {status}: give one from 400 to 599");
                ConfigError::new(ConfigErrorKind::InvalidValue, message)
            })?;
            Ok((known, in_path("the error document", key)?))
        });
        let errors = errors.collect::<Result<Vec<_>, ConfigError>>()?;
        let is_second = |(n, (status, _)): (usize, &(StatusCode, String))| {
            errors.iter().take(n).any(|(other, _)| other == status).then_some(status.as_u16())
        };
        if let Some(status) = errors.iter().enumerate().find_map(is_second) {
            let message = format!(
                "two pages for the status {status} (not_found is that of 404): leave out one of them"
            );
            return Err(ConfigError::new(ConfigErrorKind::Contradiction, message));
        }
        let single_page = self
            .single_page
            .as_deref()
            .map(|key| in_path("the single page (single_page)", key))
            .transpose()?;
        Ok(SitePolicy {
            index: index.collect::<Result<_, _>>()?,
            clean_urls: if self.clean_urls { CleanUrls::Yes } else { CleanUrls::No },
            single_page,
            errors,
            client_error: None,
            codings: self.precompressed.iter().map(|coding| coding.coding()).collect(),
            live: self.check_live(keys)?,
        })
    }

    /// Whether the builder was told anything that the bucket's configuration tells, or goes with no other.
    fn has_options(&self) -> bool {
        let Self { index, clean_urls, single_page, errors, precompressed, releases, rules, .. } = self;
        index.is_some()
            || *clean_urls
            || single_page.is_some()
            || !errors.is_empty()
            || !precompressed.is_empty()
            || releases.is_some()
            || *rules
    }

    fn check_live(&self, keys: &KeyMapping) -> Result<Option<Live>, ConfigError> {
        if self.releases.is_none() && !self.rules && self.source == SiteSource::Mount {
            return match self.refresh {
                Some(_) => {
                    let message = "a website is read again (refresh_secs, refresh), and nothing of it changes by itself: give it \
                                   releases or rules, or leave that out";
                    Err(ConfigError::new(ConfigErrorKind::Contradiction, message))
                }
                None => Ok(None),
            };
        }
        let usual = match self.source {
            SiteSource::Mount => REFRESH,
            SiteSource::Bucket => REFRESH_OF_BUCKET,
        };
        let refresh = self.refresh.unwrap_or(usual);
        if refresh < LEAST_REFRESH {
            let message = format!(
                "a website is read again after {refresh:?} (refresh_secs, refresh): give at least {LEAST_REFRESH:?}"
            );
            return Err(ConfigError::new(ConfigErrorKind::InvalidValue, message));
        }
        let releases: Option<ReleasePolicy> =
            self.releases.as_ref().map(|releases| releases.check(keys)).transpose()?;
        let [fields, redirects] = RuleFiles::NAMES.map(|name| key_of("the file of rules", name, keys));
        let rules = if self.rules { Some([fields?, redirects?]) } else { None };
        Ok(Some(Live { releases, rules, source: self.source, refresh, watched: Watched::default() }))
    }
}

const INDEX: &str = "index.html";

const REFRESH: Duration = Duration::from_secs(5);
const REFRESH_OF_BUCKET: Duration = Duration::from_secs(300);
const LEAST_REFRESH: Duration = Duration::from_secs(1);

impl Default for Website {
    fn default() -> Self {
        Self::new()
    }
}

// === impl Precompressed ===

impl Precompressed {
    fn coding(self) -> Coding {
        match self {
            Self::Brotli => Coding::Brotli,
            Self::Zstd => Coding::Zstd,
            Self::Gzip => Coding::Gzip,
        }
    }
}

/// A key as a path has it.
pub(super) fn in_path(what: &str, key: &str) -> Result<String, ConfigError> {
    const PATH: &AsciiSet =
        &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');
    let proper = !key.starts_with('/') && !key.ends_with('/') && ObjectKey::new(key).is_ok();
    match proper {
        true => Ok(utf8_percent_encode(key, PATH).to_string()),
        false => Err(ConfigError::invalid(
            what,
            key,
            "must be a key, behind the mount's prefix and without a slash at either end",
        )),
    }
}

// === impl SitePolicy ===

impl SitePolicy {
    pub(crate) fn has_releases(&self) -> bool {
        self.live.as_ref().is_some_and(|live| live.releases.is_some())
    }

    /// That of a bucket's own configuration. What cannot be the key of a page is none.
    pub(crate) fn of_bucket(site: Option<&BucketSite>) -> Self {
        let page = |key: &String| in_path("the page", key).ok();
        Self {
            index: site.and_then(|site| site.index.as_ref()).and_then(page).into_iter().collect(),
            clean_urls: CleanUrls::No,
            single_page: None,
            errors: Vec::new(),
            client_error: site.and_then(|site| site.error.as_ref()).and_then(page),
            codings: Vec::new(),
            live: None,
        }
    }

    /// Whether the bucket has a page for what is missing.
    pub(crate) fn answers_missing(&self) -> bool {
        let of_bucket = self.live.as_ref().is_some_and(|live| live.source == SiteSource::Bucket);
        of_bucket || self.single_page.is_some() || self.error_document(StatusCode::NOT_FOUND).is_some()
    }

    /// The paths of the pages for what is missing, and for errors.
    pub(crate) fn pages(&self) -> impl Iterator<Item = &str> {
        self.single_page.iter().chain(self.errors.iter().map(|(_, key)| key)).map(String::as_str)
    }

    /// The page for a status.
    pub(crate) fn error_document(&self, status: StatusCode) -> Option<&str> {
        let own = self.errors.iter().find(|(known, _)| *known == status).map(|(_, key)| key.as_str());
        own.or_else(|| self.client_error.as_deref().filter(|_| status.is_client_error()))
    }
}
