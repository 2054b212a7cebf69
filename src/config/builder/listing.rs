//! Listings of folders.

use std::sync::Arc;

use super::MountBuilder;
use crate::{
    cache::Folders,
    config::{PresignedRequests, SitePolicy},
    error::{ConfigError, ConfigErrorKind},
    listing::{Listing, MountListing},
};

/// # Listings
impl MountBuilder {
    /// Shows what is in a folder, to those who ask for a path that ends with a slash.
    pub fn listing(mut self, listing: Listing) -> Self {
        self.listing = Some(listing);
        self
    }

    pub(super) fn parse_listing(
        &self,
        website: Option<&SitePolicy>,
    ) -> Result<Option<MountListing>, ConfigError> {
        let Some(listing) = &self.listing else { return Ok(None) };
        let live = website.and_then(|site| site.live.as_ref());
        // The files of a website's rules are served to nobody.
        let policy = match live.is_some_and(|live| live.rules.is_some()) {
            true => listing.clone().hide("_headers").hide("_redirects").check()?,
            false => listing.check()?,
        };
        let has_single_page = website.is_some_and(|site| site.single_page.is_some());
        let has_releases = live.is_some_and(|live| live.releases.is_some());
        let signs_nothing = self.presigned.as_ref().is_some_and(PresignedRequests::signs_nothing);
        let message = if has_single_page {
            "what is missing is an application's page (single_page), and a folder is a listing: leave out one of them"
        } else if has_releases {
            "a listing shows the bucket as it is, and a website with releases the current one alone: leave out one of them"
        } else if signs_nothing {
            "the mount takes signed requests alone (unsigned), and listings are for others: leave out one of them"
        } else {
            let folders = self.cache.as_ref().map_or_else(Arc::<Folders>::default, |cache| cache.folders());
            return Ok(Some(MountListing::new(policy, folders)));
        };
        Err(ConfigError::new(ConfigErrorKind::Contradiction, message))
    }
}
