//! Finds the bucket in `Host`.

use s3s::S3Result;
use s3s::host::{S3Host, VirtualHost};

/// `bucket.DOMAIN` names a bucket in its host; with any other host the path does.
#[derive(Clone, Debug, Default)]
pub(crate) struct Domains(Vec<String>);

// === impl Domains ===

impl Domains {
    pub(crate) fn push(&mut self, domain: String) {
        self.0.push(domain.to_ascii_lowercase());
    }

    pub(crate) fn bucket(&self, host: &str) -> Option<String> {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
            _ => host,
        };
        let name = name.to_ascii_lowercase();
        self.0.iter().find_map(|domain| {
            let bucket = name.strip_suffix(domain.as_str())?.strip_suffix('.')?;
            Some(bucket.to_owned())
        })
    }
}

impl S3Host for Domains {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        let parsed = VirtualHost::new(host);
        Ok(match self.bucket(host) {
            Some(bucket) => parsed.with_bucket(bucket),
            None => parsed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_stands_before_a_known_domain() {
        let mut domains = Domains::default();
        domains.push("s3.example.test".to_owned());
        for (host, bucket) in [
            ("media.s3.example.test:9000", Some("media")),
            ("a.b.s3.example.test", Some("a.b")),
            ("s3.example.test:9000", None),
            ("xs3.example.test", None),
            ("127.0.0.1:9000", None),
            ("localhost", None),
        ] {
            assert_eq!(domains.bucket(host).as_deref(), bucket, "{host}");
        }
    }
}
