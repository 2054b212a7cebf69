use s3s::S3Result;

use super::scope::denied;
use crate::clients::ClientKey;

/// What one list of S3 shows of the names that a key covers.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Window {
    /// The names that begin with this.
    Below(String),
    /// All that the key covers is one common prefix of the client's list: it is there if any name begins with this.
    Group { group: String, prefix: String },
}

// === impl Window ===

impl Window {
    /// The names with a prefix, as far as the key covers them. One list cannot show those of several prefixes.
    pub(super) fn of(key: &ClientKey, prefix: &str, delimiter: Option<&str>) -> S3Result<Self> {
        if key.covers(prefix) {
            return Ok(Self::Below(prefix.to_owned()));
        }
        let inside = || key.prefixes().iter().filter(|own| own.starts_with(prefix));
        let Some(own) = inside().min_by_key(|own| own.len()) else {
            return Err(denied("the key is for other objects"));
        };
        if !inside().all(|other| other.starts_with(own.as_str())) {
            return Err(denied("the key is for objects with several prefixes: list those with one of them"));
        }
        let rest = own.get(prefix.len()..).unwrap_or_default();
        let group = delimiter.and_then(|delimiter| Some(rest.find(delimiter)? + delimiter.len()));
        Ok(match group.and_then(|end| own.get(..prefix.len() + end)) {
            Some(group) => Self::Group { group: group.to_owned(), prefix: own.clone() },
            None => Self::Below(own.clone()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_shows_what_the_key_covers_or_is_denied() {
        let key = |prefixes: &[&str]| {
            prefixes.iter().fold(ClientKey::new("reader", "12345678"), |key, prefix| key.prefix(*prefix))
        };
        let below = |prefix: &str| Some(Window::Below(prefix.to_owned()));
        let group = |group: &str, prefix: &str| {
            Some(Window::Group { group: group.to_owned(), prefix: prefix.to_owned() })
        };
        for (prefixes, prefix, delimiter, expected) in [
            (&[][..], "", None, below("")),
            (&[], "a/", Some("/"), below("a/")),
            (&["raw/"], "raw/", None, below("raw/")),
            (&["raw/"], "raw/x", Some("/"), below("raw/x")),
            (&["raw/"], "", None, below("raw/")),
            (&["raw/"], "ra", None, below("raw/")),
            (&["raw/"], "", Some("/"), group("raw/", "raw/")),
            (&["raw/7/"], "", Some("/"), group("raw/", "raw/7/")),
            (&["raw/7/"], "raw/", Some("/"), group("raw/7/", "raw/7/")),
            (&["raw/7"], "raw/", Some("/"), below("raw/7")),
            (&["raw/"], "", Some("w"), group("raw", "raw/")),
            (&["raw/"], "x", None, None),
            (&["raw/"], "raw", Some("/"), group("raw/", "raw/")),
            (&["raw/", "out/"], "", None, None),
            (&["raw/", "out/"], "out/", None, below("out/")),
            (&["raw/", "raw/7/"], "", None, below("raw/")),
        ] {
            let told = Window::of(&key(prefixes), prefix, delimiter).ok();
            assert_eq!(told, expected, "{prefixes:?} {prefix:?} {delimiter:?}");
        }
    }
}
