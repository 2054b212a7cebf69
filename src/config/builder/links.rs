//! The links that the mount makes.

use super::{BucketChoice, MountBuilder};
use crate::{
    credentials::Signing,
    error::{ConfigError, ConfigErrorKind},
    links::{Askers, LinkPolicy, Links},
    terms::Grant,
};

/// # Links
impl MountBuilder {
    /// The links that [`Mount::presign`](crate::Mount::presign) makes. By default they only read, for at most four hours.
    pub fn links(mut self, policy: LinkPolicy) -> Self {
        self.links = Some(policy);
        self
    }

    pub(super) fn parse_links(&self) -> Result<Links, ConfigError> {
        let Some(policy) = &self.links else { return LinkPolicy::new().parse() };
        let links = policy.parse()?;
        let contradiction = |message: &str| Err(ConfigError::new(ConfigErrorKind::Contradiction, message));
        let of_bucket = &self.terms.of_bucket;
        if of_bucket.customer_key.is_some() {
            return contradiction(
                "links and a customer key contradict each other: whoever uses a link would need the key",
            );
        }
        if links.grant == Grant::ReadWrite && of_bucket.grant == Grant::Read {
            return contradiction(
                "links write what the mount's credentials may: set the mount's grant to read-write, too",
            );
        }
        let is_anonymous =
            self.credentials.as_ref().is_some_and(|source| matches!(source.signing(), Signing::Anonymous));
        if is_anonymous && links.cloudfront.is_none() && (links.has_endpoint() || !links.redirects.is_empty())
        {
            return contradiction(
                "the bucket is public, so there is nothing to sign links with: leave out the endpoint and the redirects",
            );
        }
        if links.cloudfront.is_some() && !matches!(self.bucket, BucketChoice::Fixed(_)) {
            return contradiction(
                "a distribution of CloudFront has one bucket, and this mount has many: give each bucket a mount",
            );
        }
        if links.has_endpoint() && links.askers == Askers::Authorized && !self.access.knows_who_asks() {
            let message = "the endpoint would give links to anybody: give the mount an authorizer or a log-in, or say that anybody \
                           may ask (askers)";
            return Err(ConfigError::new(ConfigErrorKind::Missing, message));
        }
        Ok(links)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BucketName, Mount, encryption::CustomerKey};

    #[test]
    fn links_that_could_not_work_are_refused() {
        let mount =
            || Mount::builder(BucketName::parse("studio-media").unwrap()).region("us-west-2").anonymous();
        let writing = || LinkPolicy::new().grant(Grant::ReadWrite);
        for (builder, hint) in [
            (mount().links(LinkPolicy::new()), None),
            (mount().links(writing()), Some("set the mount's grant to read-write, too")),
            (mount().links(writing()).grant(Grant::ReadWrite), None),
            (mount().links(LinkPolicy::new()).customer_key(CustomerKey::from([7; 32])), Some("customer key")),
            (mount().customer_key(CustomerKey::from([7; 32])), None),
        ] {
            match (builder.build(), hint) {
                (Ok(_), None) => {}
                (Err(why), Some(hint)) => {
                    assert_eq!(why.kind(), ConfigErrorKind::Contradiction);
                    assert!(why.to_string().contains(hint), "{why}");
                }
                (built, hint) => panic!("{built:?}, not {hint:?}"),
            }
        }
    }
}
