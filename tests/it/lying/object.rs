use std::time::{Duration, SystemTime};

use bytes::Bytes;

/// The one object that an origin knows, in one version.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) bytes: Bytes,
    /// Without its quotes.
    pub(crate) tag: String,
    pub(crate) modified: SystemTime,
    /// What else it was stored with.
    pub(crate) fields: Vec<(&'static str, &'static str)>,
}

/// Its key. There is no other.
pub(crate) const KEY: &str = "object";

// === impl Object ===

impl Object {
    /// Bytes that show where they are from, modified on 2015-10-21 at 07:28:00.
    pub(crate) fn of_size(size: usize) -> Self {
        Self {
            bytes: noise(size, 0),
            tag: "9b2cf535f27731c974343645a3985328".to_owned(),
            modified: SystemTime::UNIX_EPOCH + Duration::from_secs(1_445_412_480),
            fields: vec![("content-type", "image/webp"), ("cache-control", "max-age=60, public")],
        }
    }

    pub(crate) fn tagged(mut self, tag: &str) -> Self {
        tag.clone_into(&mut self.tag);
        self
    }

    /// Sets a field that is stored with it.
    pub(crate) fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.fields.retain(|(other, _)| *other != name);
        self.fields.push((name, value));
        self
    }

    /// Another version of the same size: other bytes, another tag, and a second later for each.
    pub(crate) fn version(&self, number: usize) -> Self {
        if number == 0 {
            return self.clone();
        }
        Self {
            bytes: noise(self.bytes.len(), number as u64),
            tag: format!("{}-{number}", self.tag),
            modified: self.modified + Duration::from_secs(number as u64),
            fields: self.fields.clone(),
        }
    }

    /// Other bytes, so many, with everything else as it is.
    pub(crate) fn resized(mut self, size: usize) -> Self {
        self.bytes = noise(size, 1);
        self
    }

    pub(crate) fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    pub(crate) fn quoted_tag(&self) -> String {
        format!("\"{}\"", self.tag)
    }

    pub(crate) fn field(&self, name: &str) -> Option<&'static str> {
        self.fields.iter().find(|(other, _)| *other == name).map(|(_, value)| *value)
    }

    /// The bytes from `first` to `last`, both included.
    pub(crate) fn slice(&self, first: u64, last: u64) -> Bytes {
        let index = |n: u64| usize::try_from(n).unwrap();
        self.bytes.slice(index(first)..=index(last))
    }
}

fn noise(size: usize, seed: u64) -> Bytes {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut bytes = vec![0; size];
    rng.fill(&mut bytes);
    bytes.into()
}
