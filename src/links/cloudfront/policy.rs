use std::{
    fmt::Write,
    net::Ipv4Addr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// What a custom policy says besides the end.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Covered {
    /// A glob of keys, in place of the one key.
    pub(crate) keys: Option<String>,
    pub(crate) network: Option<SourceNetwork>,
    /// In whole seconds.
    pub(crate) not_before: Option<SystemTime>,
}

/// The IPv4 addresses that may use a link: CloudFront takes no others here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SourceNetwork {
    address: Ipv4Addr,
    bits: u8,
}

// === impl Covered ===

impl Covered {
    /// Whether the policy can be left to CloudFront, which makes it of the URL and its end ("canned").
    pub(super) fn is_canned(&self) -> bool {
        *self == Self::default()
    }
}

/// The policy statement without spaces, as it is signed ([CloudFront developer guide, "Create a signed URL using a custom
/// policy"](https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-creating-signed-url-custom-policy.html)).
/// A canned one has the end only.
pub(super) fn statement(resource: &str, ends: SystemTime, covered: &Covered) -> String {
    // An encoded URL and a glob of an encoded path: nothing needs an escape.
    let mut conditions = format!("\"DateLessThan\":{{\"AWS:EpochTime\":{}}}", seconds(ends));
    if let Some(begins) = covered.not_before {
        // CloudFront refuses before and at this time.
        let after = seconds(begins).saturating_sub(1);
        let _ = write!(conditions, ",\"DateGreaterThan\":{{\"AWS:EpochTime\":{after}}}");
    }
    if let Some(SourceNetwork { address, bits }) = covered.network {
        let _ = write!(conditions, ",\"IpAddress\":{{\"AWS:SourceIp\":\"{address}/{bits}\"}}");
    }
    format!("{{\"Statement\":[{{\"Resource\":\"{resource}\",\"Condition\":{{{conditions}}}}}]}}")
}

pub(super) fn seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).as_ref().map_or(0, Duration::as_secs)
}

// === impl SourceNetwork ===

impl SourceNetwork {
    /// An address, or a network like `192.0.2.0/24`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/').unwrap_or((text, "32"));
        let (address, bits): (Ipv4Addr, u8) = (address.parse().ok()?, bits.parse().ok()?);
        (bits <= 32).then_some(Self { address, bits })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_the_documented_one() {
        let at = |secs| UNIX_EPOCH + Duration::from_secs(secs);
        let file = "https://d111111abcdef8.cloudfront.net/images/horizon.jpg";
        let network = SourceNetwork::parse("192.0.2.0/24");
        for (covered, conditions) in [
            (Covered::default(), r#""DateLessThan":{"AWS:EpochTime":1426500000}"#),
            (
                Covered { network, ..Covered::default() },
                r#""DateLessThan":{"AWS:EpochTime":1426500000},"IpAddress":{"AWS:SourceIp":"192.0.2.0/24"}"#,
            ),
            (
                Covered { not_before: Some(at(1_426_400_001)), ..Covered::default() },
                r#""DateLessThan":{"AWS:EpochTime":1426500000},"DateGreaterThan":{"AWS:EpochTime":1426400000}"#,
            ),
        ] {
            let expected =
                format!(r#"{{"Statement":[{{"Resource":"{file}","Condition":{{{conditions}}}}}]}}"#);
            assert_eq!(statement(file, at(1_426_500_000), &covered), expected);
        }
    }

    #[test]
    fn a_network_is_of_ipv4() {
        for (text, network) in [
            ("192.0.2.0/24", Some(([192, 0, 2, 0], 24))),
            ("192.0.2.7", Some(([192, 0, 2, 7], 32))),
            ("0.0.0.0/0", Some(([0; 4], 0))),
            ("192.0.2.0/33", None),
            ("192.0.2/24", None),
            ("2001:db8::/32", None),
            ("192.0.2.0/24/8", None),
            ("", None),
        ] {
            let expected = network.map(|(address, bits)| SourceNetwork { address: address.into(), bits });
            assert_eq!(SourceNetwork::parse(text), expected, "{text:?}");
        }
    }
}
