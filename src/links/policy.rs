use std::time::Duration;

use super::{CloudFront, Distribution, LinkMemory, PublicHost, Redirect, Redirects};
use crate::{
    error::{ConfigError, ConfigErrorKind},
    route::MountPath,
    terms::Grant,
};

/// The links that a mount makes.
///
/// ```
/// use std::time::Duration;
///
/// use tower_s3_proxy::links::LinkPolicy;
///
/// let policy = LinkPolicy::new().longest(Duration::from_secs(60 * 60)).public_host("media.studio.example");
/// # let _ = policy;
/// ```
#[must_use = "it has no effect before `MountBuilder::links`"]
#[derive(Debug, Clone)]
pub struct LinkPolicy {
    longest: Duration,
    renew_below: u8,
    grant: Grant,
    public_host: Option<String>,
    endpoint: Option<String>,
    askers: Askers,
    redirects: Vec<Redirect>,
    cloudfront: Option<CloudFront>,
}

/// Who may ask the [endpoint](LinkPolicy::endpoint) of links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Askers {
    /// The clients that the mount's authorizer or selector lets have the object. A mount without either is refused.
    #[default]
    Authorized,
    /// Anybody, for a mount without an authorizer.
    Anybody,
}

/// The policy of a mount, parsed, and the links that were made by it.
#[derive(Debug)]
pub(crate) struct Links {
    pub(crate) longest: Duration,
    /// In percent.
    renew_below: u8,
    pub(crate) grant: Grant,
    pub(crate) public_host: Option<PublicHost>,
    /// A path below the mount's, without the slash before it.
    endpoint: Option<String>,
    pub(crate) askers: Askers,
    pub(crate) redirects: Redirects,
    pub(crate) cloudfront: Option<Distribution>,
    pub(crate) memory: LinkMemory,
}

/// Four hours.
const LONGEST: Duration = Duration::from_secs(4 * 60 * 60);

// === impl LinkPolicy ===

impl LinkPolicy {
    /// Links that read, for at most four hours.
    pub fn new() -> Self {
        Self {
            longest: LONGEST,
            renew_below: 50,
            grant: Grant::Read,
            public_host: None,
            endpoint: None,
            askers: Askers::default(),
            redirects: Vec::new(),
            cloudfront: None,
        }
    }

    /// The longest life of a link, in whole seconds; four hours by default. S3 allows seven days at most, and no more than
    /// the life that the credentials have left.
    pub fn longest(mut self, life: Duration) -> Self {
        self.longest = life;
        self
    }

    /// The part of a link's life, in percent, that is left at least to whoever gets it; 50 by default. Until then equal
    /// requests get the same link, so that browsers cache what they read by it. With 100, every request gets a new one.
    pub fn renew_below(mut self, percent: u8) -> Self {
        self.renew_below = percent;
        self
    }

    /// Whether there are links that write and delete objects, too; by default they only read. The mount itself must have the
    /// [same grant](crate::MountBuilder::grant).
    pub fn grant(mut self, grant: Grant) -> Self {
        self.grant = grant;
        self
    }

    /// The host in the links, in place of S3's, with or without `https://` and a port: a server that passes requests on to S3
    /// as they are, with S3's own host in `Host`. The signature is for S3's host.
    pub fn public_host(mut self, host: impl Into<String>) -> Self {
        self.public_host = Some(host.into());
        self
    }

    /// Answers requests for links at this path below the mount's, like `/_links`: `GET /media/_links?key=films/a.mp4`. The
    /// authorizer decides on each as on the request that the link is for. There is none by default.
    pub fn endpoint(mut self, path: impl Into<String>) -> Self {
        self.endpoint = Some(path.into());
        self
    }

    /// Who may ask the endpoint; only whom the mount's authorizer lets, by default.
    pub fn askers(mut self, askers: Askers) -> Self {
        self.askers = askers;
        self
    }

    /// Answers these reads with 307 and a link, in place of the object. Of several, one must fit. There are none by default.
    pub fn redirect(mut self, redirect: Redirect) -> Self {
        self.redirects.push(redirect);
        self
    }

    /// Makes links that read links of this CloudFront distribution, in place of S3's. They need no credentials, S3's bounds do
    /// not hold for them, and they serve GET and HEAD alike.
    pub fn cloudfront(mut self, distribution: CloudFront) -> Self {
        self.cloudfront = Some(distribution);
        self
    }

    pub(crate) fn parse(&self) -> Result<Links, ConfigError> {
        let Self { longest, renew_below, grant, public_host, endpoint, askers, redirects, cloudfront } = self;
        let invalid = |message: &str| Err(ConfigError::new(ConfigErrorKind::InvalidValue, message));
        if longest.as_secs() == 0 {
            return invalid("the longest life of links is less than a second: no link could ever be used");
        }
        if !(1..=100).contains(renew_below) {
            return invalid(
                "renew_below must be 1 to 100 percent: the part of a link's life that is left to its user",
            );
        }
        let public_host = public_host.as_deref().map(|host| {
            PublicHost::parse(host).map_err(|why| ConfigError::invalid("the public host of links", host, why))
        });
        let endpoint = endpoint.as_deref().map(|path| match MountPath::parse(path) {
            Ok(parsed) if parsed.depth() > 0 => Ok(parsed.as_str().trim_start_matches('/').to_owned()),
            Ok(_) => {
                Err(ConfigError::invalid("the endpoint of links", path, "must have a name, like \"/_links\""))
            }
            Err(why) => Err(ConfigError::invalid("the endpoint of links", path, why)),
        });
        let redirects = Redirects::new(redirects).map_err(|why| {
            ConfigError::new(ConfigErrorKind::InvalidValue, format!("a redirect to links: {why}"))
        })?;
        Ok(Links {
            longest: *longest,
            renew_below: *renew_below,
            grant: *grant,
            public_host: public_host.transpose()?,
            endpoint: endpoint.transpose()?,
            askers: *askers,
            redirects,
            cloudfront: cloudfront.as_ref().map(CloudFront::parse).transpose()?,
            memory: LinkMemory::default(),
        })
    }
}

impl Default for LinkPolicy {
    fn default() -> Self {
        Self::new()
    }
}

// === impl Links ===

impl Links {
    /// The same policy for other credentials, whose links are others.
    pub(crate) fn apart(&self) -> Self {
        Self {
            longest: self.longest,
            renew_below: self.renew_below,
            grant: self.grant,
            public_host: self.public_host.clone(),
            endpoint: self.endpoint.clone(),
            askers: self.askers,
            redirects: self.redirects.clone(),
            cloudfront: self.cloudfront.clone(),
            memory: LinkMemory::default(),
        }
    }

    /// Whether this rest of a path, behind the mount's, asks for links.
    pub(crate) fn is_endpoint(&self, rest: &str) -> bool {
        self.endpoint.as_deref() == Some(rest)
    }

    pub(crate) fn has_endpoint(&self) -> bool {
        self.endpoint.is_some()
    }

    /// For how long a link of this life is handed out.
    pub(crate) fn fresh_for(&self, life: Duration) -> Duration {
        life * u32::from(100_u8.saturating_sub(self.renew_below)) / 100
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_that_makes_no_usable_link_is_refused() {
        for (policy, hint) in [
            (LinkPolicy::new(), None),
            (LinkPolicy::new().longest(Duration::from_secs(1)), None),
            (LinkPolicy::new().longest(Duration::from_millis(999)), Some("less than a second")),
            (LinkPolicy::new().renew_below(0), Some("1 to 100 percent")),
            (LinkPolicy::new().renew_below(1), None),
            (LinkPolicy::new().renew_below(100), None),
            (LinkPolicy::new().renew_below(101), Some("1 to 100 percent")),
            (LinkPolicy::new().public_host("media.test/x"), Some("without a path")),
            (LinkPolicy::new().endpoint("/_links"), None),
            (LinkPolicy::new().endpoint("/"), Some("must have a name")),
            (LinkPolicy::new().endpoint("_links"), Some("begin with")),
            (LinkPolicy::new().endpoint("/a/../b"), Some("dot segments")),
            (
                LinkPolicy::new().redirect(Redirect::always().key("a[")),
                Some("a redirect to links: key \"a[\""),
            ),
        ] {
            match (policy.parse(), hint) {
                (Ok(_), None) => {}
                (Err(why), Some(hint)) => assert!(why.to_string().contains(hint), "{policy:?}: {why}"),
                (parsed, hint) => panic!("{policy:?}: {parsed:?}, not {hint:?}"),
            }
        }
    }

    #[test]
    fn a_link_is_handed_out_until_its_last_part_begins() {
        let life = Duration::from_secs(600);
        for (percent, secs) in [(1, 594), (50, 300), (90, 60), (100, 0)] {
            let links = LinkPolicy::new().renew_below(percent).parse().unwrap();
            assert_eq!(links.fresh_for(life), Duration::from_secs(secs), "{percent} %");
        }
    }
}
