use aws_smithy_types::base64;

use crate::object::ObjectKey;

/// Where a page begins: behind this name of the folder. To clients it is opaque.
///
/// It is made into S3's `start-after` behind the folder's prefix, which S3 gets besides: whatever a client makes up, the page is
/// one of this folder. S3's own token would show the prefix on servers that encode no more than the key in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Cursor {
    /// That of a folder ends with a slash.
    name: String,
}

/// A text that is no cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InvalidCursor;

// === impl Cursor ===

impl Cursor {
    pub(super) fn behind(name: &str) -> Self {
        Self { name: name.to_owned() }
    }

    pub(super) fn parse(text: &str) -> Result<Self, InvalidCursor> {
        let is_ours = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if text.is_empty() || !text.bytes().all(is_ours) {
            return Err(InvalidCursor);
        }
        let mut text = text.replace('-', "+").replace('_', "/");
        while !text.len().is_multiple_of(4) {
            text.push('=');
        }
        let name = base64::decode(text).map_err(|_| InvalidCursor)?;
        let name = String::from_utf8(name).map_err(|_| InvalidCursor)?;
        let own = name.strip_suffix('/').unwrap_or(&name);
        // A folder can have an empty name, between two slashes.
        match !own.contains('/') && ObjectKey::new(name.as_str()).is_ok() {
            true => Ok(Self { name }),
            false => Err(InvalidCursor),
        }
    }

    /// As a client gets it (RFC 4648 §5, without padding).
    pub(super) fn told(&self) -> String {
        base64::encode(&self.name).replace('+', "-").replace('/', "_").trim_end_matches('=').to_owned()
    }

    /// The key behind which S3 is to begin.
    pub(crate) fn start_after(&self, prefix: &str) -> String {
        // All of a folder has been shown with it. No character is greater.
        let end = if self.name.ends_with('/') { "\u{10ffff}" } else { "" };
        format!("{prefix}{}{end}", self.name)
    }

    /// In bytes, without its own.
    pub(super) fn size(&self) -> usize {
        self.name.len()
    }

    /// Whether it stands behind this folder, which is on the page before: some servers list it again.
    pub(super) fn is_behind_folder(&self, name: &str) -> bool {
        self.name.strip_suffix('/') == Some(name)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_cursor_stays_in_its_folder() {
        for (name, start_after) in [
            ("a.txt", "media/a.txt"),
            ("a b+c/", "media/a b+c/\u{10ffff}"),
            ("/", "media//\u{10ffff}"),
            ("日本語", "media/日本語"),
        ] {
            let cursor = Cursor::parse(&Cursor::behind(name).told()).unwrap();
            assert_eq!(cursor.start_after("media/"), start_after);
        }
    }

    #[test]
    fn what_clients_make_up_is_refused() {
        let told = |name: &str| Cursor::behind(name).told();
        let (nested, dots, nul, long) = (told("a/b"), told(".."), told("a\0"), told(&"x".repeat(1025)));
        for text in ["", "a", "a b", "ä", "YQ==", "_w", "../x", &nested, &dots, &nul, &long, &told("")] {
            assert_eq!(Cursor::parse(text), Err(InvalidCursor), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_cursor_comes_back_as_it_was(name in "[^/\\x00\\\\]{1,40}/?") {
            prop_assume!(ObjectKey::new(name.as_str()).is_ok());
            let cursor = Cursor::behind(&name);
            prop_assert_eq!(Cursor::parse(&cursor.told()), Ok(cursor));
        }

        #[test]
        fn any_text_is_a_name_of_the_folder_or_refused(name in "[a-z./\\\\\\x00 ü]{0,12}") {
            match Cursor::parse(&Cursor::behind(&name).told()) {
                Ok(cursor) => {
                    let key = cursor.start_after("p/");
                    let rest = key.strip_prefix("p/").map(|rest| rest.trim_end_matches('\u{10ffff}'));
                    prop_assert_eq!(rest, Some(&*name));
                    prop_assert!(!name.trim_end_matches('/').contains('/') && ObjectKey::new(name).is_ok());
                }
                // A model of what has no page: nothing, a path, a dot segment, a NUL.
                Err(InvalidCursor) => {
                    let own = name.strip_suffix('/').unwrap_or(&name);
                    let is_dots = own.split('\\').any(|part| part == "." || part == "..");
                    prop_assert!(name.is_empty() || own.contains('/') || is_dots || name.contains('\0'));
                }
            }
        }
    }
}
