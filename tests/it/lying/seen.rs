use std::time::SystemTime;

use demo_s3::SeenRequest;

use super::{date::parse_amz_date, object::KEY};
use crate::support::BUCKET;

/// A request as an origin saw it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// With the query.
    pub(crate) path: String,
    /// In their order, with their names in lower case.
    pub(crate) fields: Vec<(String, String)>,
    /// Byte for byte, up to the empty line; shorter only if the connection ended before.
    pub(crate) raw: String,
}

// === impl Seen ===

impl Seen {
    pub(super) fn parse(raw: &[u8]) -> Self {
        let raw = String::from_utf8_lossy(raw).into_owned();
        let mut lines = raw.split("\r\n");
        let mut words = lines.next().unwrap_or_default().split(' ');
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let fields = lines.filter_map(|line| line.split_once(':'));
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            fields: fields
                .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
                .collect(),
            raw: raw.clone(),
        }
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn access_key(&self) -> Option<&str> {
        self.credential(0)
    }

    /// The region that it is signed for.
    pub(crate) fn region(&self) -> Option<&str> {
        self.credential(2)
    }

    /// Whether it is for the one key that there is.
    pub(super) fn is_for_object(&self) -> bool {
        self.path.split('?').next() == Some(&format!("/{BUCKET}/{KEY}"))
    }

    /// When the signer thinks that it is.
    pub(crate) fn signed_at(&self) -> Option<SystemTime> {
        parse_amz_date(self.field("x-amz-date")?)
    }

    /// A part of `Credential=KEY/DATE/REGION/SERVICE/aws4_request`.
    fn credential(&self, part: usize) -> Option<&str> {
        let (_, scope) = self.field("authorization")?.split_once("Credential=")?;
        scope.split(['/', ',']).nth(part)
    }
}

impl From<SeenRequest> for Seen {
    fn from(seen: SeenRequest) -> Self {
        let fields = seen.headers.iter();
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        Self {
            method: seen.method.to_string(),
            path: seen.uri,
            fields: fields.map(|(name, value)| (name.to_string(), text(value))).collect(),
            raw: String::new(),
        }
    }
}
