//! The mount as a website.

use super::{BucketChoice, MountBuilder};
use crate::{
    config::{SitePolicy, Website},
    error::{ConfigError, ConfigErrorKind},
    response::{ContentTypeFix, Fallback},
    route::KeyMapping,
};

/// # Websites
impl MountBuilder {
    /// Serves the mount as a website: index documents, redirects to folders, pages for what is missing.
    pub fn website(mut self, website: Website) -> Self {
        self.website = Some(website);
        self
    }

    pub(super) fn parse_website(&self, keys: &KeyMapping) -> Result<Option<SitePolicy>, ConfigError> {
        let Some(website) = &self.website else { return Ok(None) };
        let site = website.check(keys)?;
        if self.answers.fallback == Fallback::Inner && site.answers_missing() {
            let message = "what is missing goes to the inner service (fallback), and to a page of the bucket (not_found, \
                           single_page, from): leave out one of them";
            return Err(ConfigError::new(ConfigErrorKind::Contradiction, message));
        }
        if let BucketChoice::FromPath(_) = &self.bucket
            && let Some(page) = site.pages().find(|page| !page.contains('/'))
        {
            let message = format!(
                "the page {page:?}: paths of this mount begin with a bucket, and so do those of its pages, like \
                 \"studio-site/404.html\""
            );
            return Err(ConfigError::new(ConfigErrorKind::Contradiction, message));
        }
        if !site.codings.is_empty() && self.cache.is_none() {
            let message = "precompressed files are looked for before each file, and nothing remembers what there is not: give \
                           the mount a cache";
            return Err(ConfigError::new(ConfigErrorKind::Contradiction, message));
        }
        if !site.codings.is_empty() && self.content_type == ContentTypeFix::AsStored {
            let message = "precompressed files have the type of the file that they stand for, by its extension: types can't be \
                           passed on as stored";
            return Err(ConfigError::new(ConfigErrorKind::Contradiction, message));
        }
        if site.live.is_some() {
            self.check_live_website()?;
        }
        Ok(Some(site))
    }

    fn check_live_website(&self) -> Result<(), ConfigError> {
        let message = match &self.bucket {
            BucketChoice::FromPath(_) | BucketChoice::Resolver(_) => {
                "a website with releases, rules or the bucket's own configuration needs a mount of one bucket: give each bucket a mount of its own"
            }
            BucketChoice::Fixed(_) if self.cache_bust_segment => {
                "a segment against caches (cache_bust_segment) would stand before the paths that a website's releases and redirects are for: leave it \
                 out"
            }
            BucketChoice::Fixed(_) => return Ok(()),
        };
        Err(ConfigError::new(ConfigErrorKind::Contradiction, message))
    }
}
