use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::Response;

use super::{ListingPage, Pages, hide::Hidden};
use crate::{
    cache::Folders,
    error::{ConfigError, ConfigErrorKind},
};

/// Listings of a mount: a path that ends with a slash shows what is in that folder, as a page or as JSON.
///
/// ```
/// use tower_s3_proxy::{BucketName, Mount, listing::Listing};
///
/// let listing = Listing::new().hide("*.tmp").hide("internal");
/// let mount = Mount::builder(BucketName::parse("studio-media")?).region("us-west-2").listing(listing);
/// # let _ = mount;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// See the [guide](crate::guide::listings).
#[must_use = "it does nothing before `MountBuilder::listing`"]
#[derive(Debug, Clone)]
pub struct Listing {
    hide: Vec<String>,
    dotfiles: Dotfiles,
    remember: Duration,
    page_size: u16,
    notes: Vec<String>,
    template: Option<Template>,
}

/// Whether names that begin with a dot are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Dotfiles {
    #[default]
    Hidden,
    Shown,
}

/// A function of the embedder that makes the page.
#[derive(Clone)]
pub(crate) struct Template(Arc<TemplateFn>);

type TemplateFn = dyn Fn(&ListingPage) -> Response<Bytes> + Send + Sync;

/// The same, checked.
#[derive(Debug)]
pub(crate) struct ListPolicy {
    pub(crate) hidden: Hidden,
    /// How long a page is shown without asking S3 again.
    pub(crate) remember: Duration,
    pub(crate) page_size: u16,
    /// The names of notes, of which the first that exists is shown.
    pub(crate) notes: Vec<String>,
    pub(crate) template: Option<Template>,
}

/// The listings of a mount, or of the same mount with other credentials.
#[derive(Debug, Clone)]
pub(crate) struct MountListing {
    pub(crate) policy: Arc<ListPolicy>,
    pub(crate) pages: Arc<Pages>,
    /// The changes that the mount hears of.
    pub(crate) folders: Arc<Folders>,
    /// Tells what one set of credentials may see from what another may.
    pub(crate) scope: u32,
}

/// S3's own limit ([S3 API, `ListObjectsV2`](https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html)).
const LARGEST_PAGE: u16 = 1000;

// === impl Listing ===

impl Listing {
    /// Listings without names that begin with a dot, of up to 1,000 entries a page, remembered for five seconds.
    pub fn new() -> Self {
        Self {
            hide: Vec::new(),
            dotfiles: Dotfiles::default(),
            remember: Duration::from_secs(5),
            page_size: LARGEST_PAGE,
            notes: vec!["README.md".to_owned()],
            template: None,
        }
    }

    /// Hides what matches this glob, and all that is below it. It is matched with the path behind the mount; without a slash with
    /// each name in it: `*.tmp`, `internal`, `drafts/*/raw`. What is hidden can still be read by its path.
    pub fn hide(mut self, glob: impl Into<String>) -> Self {
        self.hide.push(glob.into());
        self
    }

    /// Shows names that begin with a dot. Off by default.
    pub fn show_dotfiles(mut self, on: bool) -> Self {
        self.dotfiles = if on { Dotfiles::Shown } else { Dotfiles::Hidden };
        self
    }

    /// How long a page is remembered, so that S3 is not asked again; 5 s by default, zero for not at all. Writes through the proxy
    /// and purges of the mount's cache end it.
    pub fn remember(mut self, time: Duration) -> Self {
        self.remember = time;
        self
    }

    /// The most entries of a page: 1 to 1,000, which is also the default.
    pub fn page_size(mut self, entries: u16) -> Self {
        self.page_size = entries;
        self
    }

    /// The names of objects that are shown below the folder that they are in, of which the first that exists counts; `README.md`
    /// without this call. Markdown is rendered if the name ends with `.md`, other notes are shown as text.
    pub fn notes<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.notes = names.into_iter().map(Into::into).collect();
        self
    }

    /// Makes pages by a function of yours, which does not wait. `Content-Length`, `Vary` and, if there is none, an entity tag are
    /// added to its response; a `Content-Security-Policy` is yours to choose. JSON stays as it is.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http::Response;
    /// use tower_s3_proxy::listing::{Listing, ListingPage};
    ///
    /// let names = Listing::new().template(|page: &ListingPage| {
    ///     let names: Vec<_> = page.entries().iter().map(|entry| entry.name()).collect();
    ///     let mut response = Response::new(Bytes::from(names.join("\n")));
    ///     response.headers_mut().insert("content-type", "text/plain; charset=utf-8".parse().unwrap());
    ///     response
    /// });
    /// # let _ = names;
    /// ```
    pub fn template(
        mut self,
        template: impl Fn(&ListingPage) -> Response<Bytes> + Send + Sync + 'static,
    ) -> Self {
        self.template = Some(Template(Arc::new(template)));
        self
    }

    pub(crate) fn check(&self) -> Result<ListPolicy, ConfigError> {
        let hidden = Hidden::new(self.dotfiles, &self.hide).map_err(|why| {
            let message = format!("what a listing hides: {why}");
            ConfigError::new(ConfigErrorKind::InvalidValue, message)
        })?;
        if !(1..=LARGEST_PAGE).contains(&self.page_size) {
            let message =
                format!("pages of listings with {} entries: give 1 to {LARGEST_PAGE}", self.page_size);
            return Err(ConfigError::new(ConfigErrorKind::InvalidValue, message));
        }
        if let Some(name) = self.notes.iter().find(|name| name.is_empty() || name.contains('/')) {
            let rule = "must be a name without a slash, like \"README.md\"";
            return Err(ConfigError::invalid("the note of a folder", name, rule));
        }
        Ok(ListPolicy {
            hidden,
            remember: self.remember,
            page_size: self.page_size,
            notes: self.notes.clone(),
            template: self.template.clone(),
        })
    }
}

impl Default for Listing {
    fn default() -> Self {
        Self::new()
    }
}

// === impl Template ===

impl Template {
    pub(super) fn make(&self, page: &ListingPage) -> Response<Bytes> {
        (self.0)(page)
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Template")
    }
}

// === impl MountListing ===

impl MountListing {
    pub(crate) fn new(policy: ListPolicy, folders: Arc<Folders>) -> Self {
        Self { policy: Arc::new(policy), pages: Arc::default(), folders, scope: 0 }
    }

    /// The same for another set of credentials.
    pub(crate) fn scoped(&self, scope: u32) -> Self {
        Self { scope, ..self.clone() }
    }
}
