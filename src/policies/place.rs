use super::{partition::Partition, pattern::BucketPattern};
use crate::{object::BucketName, terms::Arn};

/// The place of a mount's objects, as policies name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Buckets(Vec<BucketPattern>),
    AccessPoint(AccessPoint),
    /// A bucket of S3 Express One Zone.
    Directory {
        arn: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AccessPoint {
    /// With a slash before its name: S3 also accepts a colon there, but IAM does not.
    pub(super) arn: String,
    /// The bucket behind it, which its ARN does not name.
    pub(super) bucket: Option<BucketName>,
}

/// A bucket that policies cannot name, and what to name instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Nameless(pub(super) &'static str);

// === impl Place ===

impl Place {
    /// The place of a mount of one bucket. `owner` is the account of a directory bucket, if it is known.
    pub(super) fn of(
        bucket: &BucketName,
        partition: &Partition,
        region: &str,
        owner: Option<&str>,
    ) -> Result<Self, Nameless> {
        let name = bucket.as_str();
        if name.starts_with("arn:") {
            return AccessPoint::parse(name).map(Self::AccessPoint);
        }
        if name.ends_with("-s3alias") {
            return Err(Nameless(
                "policies cannot name aliases of access points: give the ARN of the access point",
            ));
        }
        if name.ends_with("--xa-s3") {
            return Err(Nameless(
                "access points of directory buckets are not supported: give the bucket behind it",
            ));
        }
        if name.ends_with("--x-s3") {
            // Names of directory buckets are unique in their zone, across accounts.
            let owner = owner.unwrap_or("*");
            let arn = format!("arn:{}:s3express:{region}:{owner}:bucket/{name}", partition.name);
            return Ok(Self::Directory { arn });
        }
        Ok(Self::Buckets(vec![BucketPattern::exact(name)]))
    }

    /// The resources of actions on the objects whose keys begin with a match of the pattern `prefix`.
    pub(super) fn objects(&self, partition: &Partition, prefix: &str) -> Vec<String> {
        match self {
            Self::Buckets(patterns) => {
                patterns.iter().map(|bucket| format!("{}/{prefix}*", bucket.arn(partition))).collect()
            }
            Self::AccessPoint(point) => vec![format!("{}/object/{prefix}*", point.arn)],
            // S3 Express has permissions on its buckets, not on their objects.
            Self::Directory { arn } => vec![arn.clone()],
        }
    }

    /// The resources of actions on the bucket.
    pub(super) fn buckets(&self, partition: &Partition) -> Vec<String> {
        match self {
            Self::Buckets(patterns) => patterns.iter().map(|bucket| bucket.arn(partition)).collect(),
            Self::AccessPoint(point) => vec![point.arn.clone()],
            Self::Directory { arn } => vec![arn.clone()],
        }
    }

    /// Whether it is one bucket, whose name is known.
    pub(super) fn is_one_bucket(&self) -> bool {
        match self {
            Self::Buckets(patterns) => {
                matches!(&patterns[..], [one] if one.is_exact && !one.pattern.contains(['*', '?']))
            }
            Self::AccessPoint(_) | Self::Directory { .. } => true,
        }
    }
}

// === impl AccessPoint ===

impl AccessPoint {
    fn parse(arn: &str) -> Result<Self, Nameless> {
        let no_access_point = Nameless(
            "of the ARNs, only those of access points are supported: arn:aws:s3:REGION:ACCOUNT:accesspoint/NAME",
        );
        let arn = Arn::parse(arn).filter(|arn| arn.service == "s3").ok_or(no_access_point)?;
        let Arn { partition, region, account, resource, .. } = arn;
        let name = resource.strip_prefix("accesspoint").and_then(|name| name.strip_prefix(['/', ':']));
        let is_name =
            |text: &str| text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        match name {
            Some(name)
                if [partition, region, account, name].into_iter().all(is_name) && !region.is_empty() =>
            {
                let arn = format!("arn:{partition}:s3:{region}:{account}:accesspoint/{name}");
                Ok(Self { arn, bucket: None })
            }
            _ => Err(no_access_point),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_bucket_has_its_resources() {
        for (bucket, region, owner, objects, of_bucket) in [
            ("media", "us-west-2", None, "arn:aws:s3:::media/web/*", "arn:aws:s3:::media"),
            ("media", "cn-north-1", None, "arn:aws-cn:s3:::media/web/*", "arn:aws-cn:s3:::media"),
            ("media", "us-gov-west-1", None, "arn:aws-us-gov:s3:::media/web/*", "arn:aws-us-gov:s3:::media"),
            // Of tenants of Ceph.
            ("studio:media", "default", None, "arn:aws:s3::studio:media/web/*", "arn:aws:s3::studio:media"),
            (":media", "default", None, "arn:aws:s3:::media/web/*", "arn:aws:s3:::media"),
            (
                "arn:aws:s3:us-west-2:111122223333:accesspoint:films",
                "us-west-2",
                None,
                "arn:aws:s3:us-west-2:111122223333:accesspoint/films/object/web/*",
                "arn:aws:s3:us-west-2:111122223333:accesspoint/films",
            ),
            (
                "media--usw2-az1--x-s3",
                "us-west-2",
                Some("111122223333"),
                "arn:aws:s3express:us-west-2:111122223333:bucket/media--usw2-az1--x-s3",
                "arn:aws:s3express:us-west-2:111122223333:bucket/media--usw2-az1--x-s3",
            ),
        ] {
            let partition = Partition::of_region(region);
            let place = Place::of(&BucketName::parse(bucket).unwrap(), &partition, region, owner).unwrap();
            assert_eq!(place.objects(&partition, "web/"), [objects], "{bucket}");
            assert_eq!(place.buckets(&partition), [of_bucket], "{bucket}");
            assert!(place.is_one_bucket());
        }
    }

    #[test]
    fn what_policies_cannot_name_says_what_would_help() {
        let partition = Partition::of_region("us-west-2");
        for (bucket, hint) in [
            ("my-ap-hrzrlukc5m36ft7okagglf3gmwluquse1b-s3alias", "give the ARN"),
            ("films--usw2-az1--xa-s3", "give the bucket"),
            (
                "arn:aws:s3-object-lambda:us-west-2:111122223333:accesspoint/films",
                "only those of access points",
            ),
            ("arn:aws:s3-outposts:us-west-2:111122223333:outpost/op-1/accesspoint/films", "only those"),
            ("arn:aws:s3:us-west-2:111122223333:accesspoint/*", "only those"),
            ("arn:aws:s3::111122223333:accesspoint/a.mrap", "only those"),
        ] {
            let bucket = BucketName::parse(bucket).unwrap();
            let Nameless(why) = Place::of(&bucket, &partition, "us-west-2", None).unwrap_err();
            assert!(why.contains(hint), "{bucket}: {why}");
        }
    }
}
