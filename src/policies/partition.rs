/// A part of AWS with its own names, accounts and certificates ([IAM user guide, "Amazon Resource
/// Names"](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Partition {
    /// The second part of its ARNs.
    pub(crate) name: String,
    /// The end of its services' names.
    pub(crate) domain: &'static str,
}

// === impl Partition ===

impl Partition {
    pub(crate) fn of_region(region: &str) -> Self {
        let known = PARTITIONS.iter().find(|(prefix, ..)| region.starts_with(prefix));
        let (name, domain) = known.map_or(("aws", COMMERCIAL), |(_, name, domain)| (*name, *domain));
        Self { name: name.to_owned(), domain }
    }
}

const COMMERCIAL: &str = "amazonaws.com";

/// The beginnings of region names outside the commercial partition, as in the SDK's endpoint rules.
const PARTITIONS: [(&str, &str, &str); 7] = [
    ("cn-", "aws-cn", "amazonaws.com.cn"),
    ("us-gov-", "aws-us-gov", COMMERCIAL),
    ("us-iso-", "aws-iso", "c2s.ic.gov"),
    ("us-isob-", "aws-iso-b", "sc2s.sgov.gov"),
    ("eu-isoe-", "aws-iso-e", "cloud.adc-e.uk"),
    ("us-isof-", "aws-iso-f", "csp.hci.ic.gov"),
    ("eusc-", "aws-eusc", "amazonaws.eu"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_tells_its_partition() {
        for (region, name, domain) in [
            ("us-west-2", "aws", "amazonaws.com"),
            ("eu-central-1", "aws", "amazonaws.com"),
            ("cn-north-1", "aws-cn", "amazonaws.com.cn"),
            ("us-gov-west-1", "aws-us-gov", "amazonaws.com"),
            ("us-iso-east-1", "aws-iso", "c2s.ic.gov"),
            ("us-isob-east-1", "aws-iso-b", "sc2s.sgov.gov"),
            ("eusc-de-east-1", "aws-eusc", "amazonaws.eu"),
        ] {
            assert_eq!(Partition::of_region(region), Partition { name: name.to_owned(), domain }, "{region}");
        }
    }
}
