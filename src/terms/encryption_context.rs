use std::{collections::BTreeMap, fmt::Write};

use aws_smithy_types::base64;

/// The encryption context: it accompanies the key to KMS, and appears in its log and in policies. Not a secret.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct EncryptionContext(BTreeMap<String, String>);

// === impl EncryptionContext ===

impl EncryptionContext {
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of `x-amz-server-side-encryption-context`: the Base64 of UTF-8 of a JSON object of texts (S3 API,
    /// PutObject). `None` for an empty one.
    pub(super) fn encoded(&self) -> Option<String> {
        (!self.0.is_empty()).then(|| base64::encode(self.json()))
    }

    fn json(&self) -> String {
        let mut json = String::from("{");
        for (n, (name, value)) in self.0.iter().enumerate() {
            if n > 0 {
                json.push(',');
            }
            push_text(&mut json, name);
            json.push(':');
            push_text(&mut json, value);
        }
        json.push('}');
        json
    }
}

/// A JSON string (RFC 8259 §7).
fn push_text(json: &mut String, text: &str) {
    json.push('"');
    for char in text.chars() {
        match char {
            '"' | '\\' => json.extend(['\\', char]),
            control if control < ' ' => {
                write!(json, "\\u{:04x}", u32::from(control)).expect("a string takes all");
            }
            char => json.push(char),
        }
    }
    json.push('"');
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for EncryptionContext {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_is_sorted_and_has_no_spaces() {
        let context: EncryptionContext =
            [("project", "films"), ("department", "10 \"a\"\\\n")].into_iter().collect();
        assert_eq!(context.json(), r#"{"department":"10 \"a\"\\\u000a","project":"films"}"#);
        assert_eq!(EncryptionContext::default().encoded(), None);
    }

    proptest! {
        #[test]
        fn a_json_reader_finds_the_same_pairs(pairs: BTreeMap<String, String>) {
            let context: EncryptionContext = pairs.clone().into_iter().collect();
            let json = match context.encoded() {
                Some(encoded) => base64::decode(encoded).unwrap(),
                None => b"{}".to_vec(),
            };
            let read: BTreeMap<String, String> = serde_json::from_slice(&json).unwrap();
            prop_assert_eq!(read, pairs);
        }
    }
}
