/// The parts of an ARN, `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`, where region and account can be empty ([IAM
/// user guide, "Amazon Resource Names"](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arn<'t> {
    pub(crate) partition: &'t str,
    pub(crate) service: &'t str,
    pub(crate) region: &'t str,
    pub(crate) account: &'t str,
    pub(crate) resource: &'t str,
}

// === impl Arn ===

impl<'t> Arn<'t> {
    pub(crate) fn parse(text: &'t str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let arn = parts.next().filter(|arn| *arn == "arn");
        let partition = arn.and(parts.next()).filter(|partition| is_name(partition))?;
        let [service, region, account, resource] =
            [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
        Some(Self { partition, service, region, account, resource })
    }
}

/// Whether the text can be the name of a partition or a region.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resource_is_all_that_is_left() {
        let arn = Arn::parse("arn:aws:s3-object-lambda:us-west-2:1:accesspoint:a:b").unwrap();
        assert_eq!((arn.service, arn.region, arn.account), ("s3-object-lambda", "us-west-2", "1"));
        assert_eq!(arn.resource, "accesspoint:a:b");
        assert_eq!(Arn::parse("arn:aws:s3:us-west-2:1"), None);
        assert_eq!(Arn::parse("arn::s3:us-west-2:1:a"), None);
    }
}
