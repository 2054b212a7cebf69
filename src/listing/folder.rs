use std::time::SystemTime;

use super::{ListPolicy, ListingNote, cursor::Cursor, href::encoded_path};
use crate::{
    object::ObjectKey,
    origin::{FolderPage, ListedObject},
    route::KeyMapping,
};

/// The place of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// Of its keys: empty, or ending with a slash.
    pub(crate) prefix: String,
    /// The same without the mount's prefix.
    pub(crate) path: String,
}

/// A page of a folder, without what is hidden.
#[derive(Debug)]
pub(crate) struct Folder {
    /// In S3's order.
    pub(super) entries: Vec<Entry>,
    pub(crate) standing: Standing,
    pub(super) next: Option<Cursor>,
    pub(crate) note: Option<ListingNote>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// In the folder, and without a slash.
    pub(super) name: String,
    pub(super) what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Folder,
    Object { size: u64, modified: Option<SystemTime> },
}

/// Whether a folder is one: S3 has only keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Exists,
    /// It has no keys, or none that are shown.
    Missing,
}

// === impl Place ===

impl Place {
    /// The folder of a key that ends with a slash, or the mount itself.
    pub(crate) fn new(keys: &KeyMapping, key: Option<&ObjectKey>) -> Self {
        let prefix = key.map_or(keys.prefix(), ObjectKey::as_str);
        let path = prefix.strip_prefix(keys.prefix()).unwrap_or_default();
        Self { prefix: prefix.to_owned(), path: path.to_owned() }
    }
}

// === impl Folder ===

impl Folder {
    /// Takes from S3's page what is shown: each key that its path names, and that is not hidden.
    pub(crate) fn new(
        page: FolderPage,
        place: &Place,
        cursor: Option<&Cursor>,
        policy: &ListPolicy,
        keys: &KeyMapping,
    ) -> Self {
        let next = page.last().filter(|_| page.is_truncated);
        let next = next.and_then(|last| last.strip_prefix(&place.prefix)).map(Cursor::behind);
        let shows = |path: &str| {
            let key = format!("{}{path}", keys.prefix());
            // A segment that the mount drops, or a dot segment, would make it another object's path.
            let named = keys.name(&encoded_path(path));
            named.is_ok_and(|(named, bust)| named.as_str() == key && bust.is_none())
                && !policy.hidden.hides(path)
        };
        let FolderPage { objects, groups, is_truncated } = page;
        let has_marker = objects.iter().any(|object| object.key == place.prefix);
        let objects = objects.into_iter().filter_map(|ListedObject { key, size, modified }| {
            let name = key.strip_prefix(&place.prefix).filter(|name| !name.is_empty())?;
            shows(&format!("{}{name}", place.path))
                .then(|| Entry { name: name.to_owned(), what: What::Object { size, modified } })
        });
        let groups = groups.into_iter().filter_map(|group| {
            let name = group.strip_prefix(&place.prefix)?.strip_suffix('/')?;
            let is_new = cursor.is_none_or(|cursor| !cursor.is_behind_folder(name));
            (is_new && shows(&format!("{}{name}/", place.path)))
                .then(|| Entry { name: name.to_owned(), what: What::Folder })
        });
        let entries: Vec<_> = groups.chain(objects).collect();
        let is_there = has_marker || is_truncated || cursor.is_some() || !entries.is_empty();
        let standing = if is_there { Standing::Exists } else { Standing::Missing };
        Self { entries, standing, next, note: None }
    }

    /// The name of the note that is to be shown, and its size.
    pub(crate) fn note_of(&self, names: &[String]) -> Option<(&str, u64)> {
        names.iter().find_map(|name| {
            self.entries.iter().find_map(|entry| match entry.what {
                What::Object { size, .. } if entry.name == *name => Some((entry.name.as_str(), size)),
                What::Object { .. } | What::Folder => None,
            })
        })
    }

    /// Roughly, in bytes.
    pub(super) fn weight(&self) -> usize {
        let entries = self.entries.iter().map(|entry| size_of::<Entry>() + entry.name.len());
        let note = self.note.as_ref().map_or(0, |note| note.text().len());
        size_of::<Self>() + entries.sum::<usize>() + note
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{listing::Listing, route::DotSegments};

    fn page(objects: &[&str], groups: &[&str], is_truncated: bool) -> FolderPage {
        let object = |key: &&str| ListedObject { key: (*key).to_owned(), size: 1, modified: None };
        let objects = objects.iter().map(object).collect();
        FolderPage { objects, groups: groups.iter().map(|group| (*group).to_owned()).collect(), is_truncated }
    }

    /// The names, those of folders with a slash; whether it is a folder; the cursor.
    fn told(
        listing: &Listing,
        page: FolderPage,
        cursor: Option<&str>,
    ) -> (Vec<String>, Standing, Option<String>) {
        let keys = KeyMapping::new("site", true, DotSegments::Refused).unwrap();
        let place = Place::new(&keys, None);
        let cursor = cursor.map(Cursor::behind);
        let folder = Folder::new(page, &place, cursor.as_ref(), &listing.check().unwrap(), &keys);
        let names = folder.entries.into_iter().map(|entry| match entry.what {
            What::Folder => format!("{}/", entry.name),
            What::Object { .. } => entry.name,
        });
        (names.collect(), folder.standing, folder.next.map(|next| next.told()))
    }

    #[test]
    fn a_folder_has_what_its_paths_name_and_is_not_hidden() {
        use Standing::{Exists, Missing};
        let listing = Listing::new().hide("*.tmp");
        let behind = |name: &str| Some(Cursor::behind(name).told());
        for (objects, groups, is_truncated, cursor, expected) in [
            (
                &["site/a", "site/b c"][..],
                &["site/d/"][..],
                false,
                None,
                (&["d/", "a", "b c"][..], Exists, None),
            ),
            (&[], &[], false, None, (&[], Missing, None)),
            // The object that consoles make for a folder.
            (&["site/"], &[], false, None, (&[], Exists, None)),
            (&["site/.env", "site/a.tmp"], &["site/.git/"], false, None, (&[], Missing, None)),
            (&["site/.env"], &[], true, None, (&[], Exists, behind(".env"))),
            // No path names these.
            (
                &["site/..", "site/a"],
                &["site/../", "site/./", "site/--1/"],
                false,
                None,
                (&["a"], Exists, None),
            ),
            (&[], &["site//"], false, None, (&["/"], Exists, None)),
            (&["site/x"], &["site/d/", "site/z/"], true, None, (&["d/", "z/", "x"], Exists, behind("z/"))),
            (&["site/x"], &["site/d/"], true, Some("d/"), (&["x"], Exists, behind("x"))),
            (&[], &[], false, Some("zzz"), (&[], Exists, None)),
        ] {
            let (names, standing, next) = told(&listing, page(objects, groups, is_truncated), cursor);
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            assert_eq!((&names[..], standing, next), expected, "{objects:?} {groups:?} {cursor:?}");
        }
        let shown = told(&Listing::new().show_dotfiles(true), page(&["site/.env"], &[], false), None);
        assert_eq!(shown.0, [".env"]);
    }

    #[test]
    fn the_first_name_of_a_note_counts() {
        let keys = KeyMapping::new("", false, DotSegments::Refused).unwrap();
        let policy = Listing::new().check().unwrap();
        let page = page(&["README.md", "note.txt"], &["first/"], false);
        let folder = Folder::new(page, &Place::new(&keys, None), None, &policy, &keys);
        for (names, expected) in [
            (&["README.md"][..], Some(("README.md", 1))),
            (&["first", "note.txt", "README.md"], Some(("note.txt", 1))),
            (&["readme.md"], None),
            (&[], None),
        ] {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(folder.note_of(&names), expected, "{names:?}");
        }
    }
}
