//! Links of the proxy's own.

use super::{BucketChoice, MountBuilder};
use crate::{
    access::{Guard, OwnLinks, Place},
    config::SitePolicy,
    error::{ConfigError, ConfigErrorKind},
    route::{HostName, KeyMapping, MountPath},
};

/// # Own links
impl MountBuilder {
    /// Serves objects by links of the proxy's own, too, which [`Mount::own_link`](crate::Mount::own_link) makes: reads, folders and
    /// pages below the prefix of a link, without a log-in and without a question to the authorizer.
    ///
    /// Their responses are for the client's own cache alone, and one object has one place in the proxy's cache, whatever link
    /// leads to it.
    pub fn own_links(mut self, links: OwnLinks) -> Self {
        self.own_links = Some(links);
        self
    }

    pub(super) fn check_own_links(&self, site: Option<&SitePolicy>) -> Result<(), ConfigError> {
        let Some(links) = &self.own_links else { return Ok(()) };
        let is_refused = matches!(self.access.guard, Some(Guard::LinksOnly));
        let knows_who_asks = self.access.selector.is_some()
            || self.access.authorizer.is_some()
            || (self.access.guard.is_some() && !is_refused);
        let message = match &self.bucket {
            BucketChoice::Resolver(_) => {
                "a function names the bucket, and an own link is for one bucket: give the bucket, or let the path name it"
            }
            _ if site.is_some_and(SitePolicy::has_releases) => {
                "own links are for keys, and the releases of a website move them: leave out one of them"
            }
            _ if links.answers_unlinked() && !knows_who_asks => {
                "anybody could read without a link: give the mount a log-in or an authorizer, or refuse such requests (unlinked)"
            }
            _ if !links.answers_unlinked() && knows_who_asks => {
                "requests without a link are refused (unlinked), and the mount has a log-in, an authorizer or a selector: leave out one of them"
            }
            _ => return Ok(()),
        };
        Err(ConfigError::new(ConfigErrorKind::Contradiction, message))
    }

    /// What a link is for.
    pub(super) fn place(
        &self,
        host: Option<&HostName>,
        path: &MountPath,
        keys: &KeyMapping,
        site: Option<&SitePolicy>,
    ) -> Place {
        let codings = site.map(|site| site.codings.as_slice()).unwrap_or_default();
        Place {
            host: host.map(|host| host.as_str().to_owned()).unwrap_or_default(),
            path: path.as_str().to_owned(),
            bucket: match &self.bucket {
                BucketChoice::Fixed(name) => name.to_string(),
                BucketChoice::FromPath(_) | BucketChoice::Resolver(_) => String::new(),
            },
            prefix: keys.prefix().to_owned(),
            suffixes: codings.iter().map(|coding| coding.suffix()).collect(),
        }
    }
}
