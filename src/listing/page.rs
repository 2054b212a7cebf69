use std::{cmp::Ordering, time::SystemTime};

use percent_encoding::percent_decode_str;

use super::{
    Ask, EntryKind, Folder, Format, Place,
    folder::{Entry, What},
    href::{ToSelf, to_folder, to_object, up},
};
use crate::{object::ObjectKey, response::ContentTypes};

/// A page of a folder, for a [template](crate::listing::Listing::template). All links are relative to the request's path.
#[derive(Debug)]
pub struct ListingPage {
    pub(super) crumbs: Vec<Crumb>,
    pub(super) entries: Vec<ListedEntry>,
    pub(super) ask: Ask,
    pub(super) next: Option<String>,
    pub(super) first: Option<String>,
    pub(super) note: Option<ListingNote>,
    pub(super) powers: Powers,
    path: String,
}

/// A folder on the way to that of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crumb {
    name: String,
    href: String,
}

/// An object or a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedEntry {
    name: String,
    href: String,
    kind: EntryKind,
    size: Option<u64>,
    modified: Option<SystemTime>,
}

/// The text of an object that stands below a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListingNote {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// What entries are sorted by; folders come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SortBy {
    /// Byte by byte, as S3 sorts keys.
    #[default]
    Name,
    /// Folders, which have none, by name.
    Size,
    /// The time of the last change.
    Modified,
}

/// The direction of a sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SortOrder {
    /// The least first.
    #[default]
    Ascending,
    /// The greatest first.
    Descending,
}

/// What a page lets its reader change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Powers {
    #[default]
    None,
    Upload,
    UploadAndDelete,
}

/// What a page is made of.
#[derive(Debug)]
pub(crate) struct View<'a> {
    pub(crate) folder: &'a Folder,
    pub(crate) place: &'a Place,
    /// The path of the request behind the mount's, as it came.
    pub(crate) rest: &'a str,
    /// The name of the mount; `None` if its own path is no folder.
    pub(crate) root: Option<&'a str>,
    pub(crate) ask: &'a Ask,
    pub(crate) types: &'a ContentTypes,
    pub(crate) powers: Powers,
    pub(crate) note: Option<&'a ListingNote>,
}

// === impl View ===

impl View<'_> {
    pub(crate) fn page(&self) -> ListingPage {
        let Self { folder, place, ask, powers, note, .. } = self;
        let mut entries: Vec<_> = folder.entries.iter().map(|entry| self.entry(entry)).collect();
        entries.sort_by(|one, other| compare(one, other, ask.sort, ask.order));
        let next = folder.next.as_ref().map(|cursor| ask.link(Some(&cursor.told())).to_string());
        ListingPage {
            crumbs: self.crumbs(),
            entries,
            ask: Ask::clone(ask),
            next,
            first: ask.cursor.as_ref().map(|_| ask.link(None).to_string()),
            note: note.cloned(),
            powers: *powers,
            path: place.path.clone(),
        }
    }

    fn entry(&self, entry: &Entry) -> ListedEntry {
        let name = entry.name.clone();
        match entry.what {
            What::Folder => ListedEntry {
                href: to_folder(&name),
                kind: EntryKind::Folder,
                size: None,
                modified: None,
                name,
            },
            What::Object { size, modified } => {
                let content_type =
                    ObjectKey::new(name.as_str()).ok().and_then(|key| self.types.apply(&key, None));
                let content_type = content_type.as_ref().and_then(|value| value.to_str().ok());
                ListedEntry {
                    href: to_object(&name),
                    kind: EntryKind::of_type(content_type),
                    size: Some(size),
                    modified,
                    name,
                }
            }
        }
    }

    /// Levels are those of the path as it came, by which browsers climb.
    fn crumbs(&self) -> Vec<Crumb> {
        let depth = self.rest.matches('/').count();
        let root = self.root.map(|root| Crumb { name: root.to_owned(), href: up(depth) });
        let segments = self.rest.strip_suffix('/').into_iter().flat_map(|path| path.split('/'));
        let below = segments.enumerate().map(|(n, segment)| Crumb {
            name: percent_decode_str(segment).decode_utf8_lossy().into_owned(),
            href: up(depth.saturating_sub(n + 1)),
        });
        root.into_iter().chain(below).collect()
    }
}

fn compare(one: &ListedEntry, other: &ListedEntry, sort: SortBy, order: SortOrder) -> Ordering {
    let by_name = one.name.cmp(&other.name);
    let directed = |by: Ordering| match order {
        SortOrder::Ascending => by,
        SortOrder::Descending => by.reverse(),
    };
    let folders_first = other.is_folder().cmp(&one.is_folder());
    let sorted = match sort {
        SortBy::Name => directed(by_name),
        SortBy::Size => directed(one.size.cmp(&other.size)).then(by_name),
        SortBy::Modified => directed(one.modified.cmp(&other.modified)).then(by_name),
    };
    folders_first.then(sorted)
}

// === impl Ask ===

impl Ask {
    /// The link to a page of the same folder, sorted in the same way.
    pub(super) fn link(&self, cursor: Option<&str>) -> ToSelf {
        self.sorted_link(cursor, self.sort, self.order)
    }

    pub(super) fn sorted_link(&self, cursor: Option<&str>, sort: SortBy, order: SortOrder) -> ToSelf {
        let format = (self.format == Format::Json).then_some("json");
        let sort = (sort != SortBy::default()).then_some(sort.as_str());
        let order = (order != SortOrder::default()).then_some("desc");
        let link = ToSelf::default().with_some("format", format).with_some("cursor", cursor);
        link.with_some("sort", sort).with_some("order", order)
    }
}

// === impl ListingPage ===

impl ListingPage {
    /// The path of the folder behind the mount's, decoded: empty for the mount itself, or ending with a slash.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The name of the folder; of the mount itself, its last segment or `Home`.
    pub fn name(&self) -> &str {
        self.crumbs.last().map_or("", Crumb::name)
    }

    /// The way from the mount to the folder, which is the last.
    pub fn crumbs(&self) -> &[Crumb] {
        &self.crumbs
    }

    /// What is on this page.
    pub fn entries(&self) -> &[ListedEntry] {
        &self.entries
    }

    /// The link to the next page, if there is one.
    pub fn next(&self) -> Option<&str> {
        self.next.as_deref()
    }

    /// The link to the first page, if this is another.
    pub fn first(&self) -> Option<&str> {
        self.first.as_deref()
    }

    /// What this page is sorted by. Pages follow each other by name in any case.
    pub fn sort(&self) -> (SortBy, SortOrder) {
        (self.ask.sort, self.ask.order)
    }

    /// The note of the folder, if it has one that the client may read.
    pub fn note(&self) -> Option<&ListingNote> {
        self.note.as_ref()
    }

    /// Whether PUT may store objects in this folder.
    pub fn can_upload(&self) -> bool {
        self.powers != Powers::None
    }

    /// Whether DELETE may remove objects of this folder.
    pub fn can_delete(&self) -> bool {
        self.powers == Powers::UploadAndDelete
    }
}

// === impl Crumb ===

impl Crumb {
    /// Decoded.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The link to it.
    pub fn href(&self) -> &str {
        &self.href
    }
}

// === impl ListedEntry ===

impl ListedEntry {
    /// As it is in the key, and without a slash: any text at all, so escape it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The link to it, percent-encoded.
    pub fn href(&self) -> &str {
        &self.href
    }

    /// What it is, by the type of its extension.
    pub fn kind(&self) -> EntryKind {
        self.kind
    }

    /// In bytes; `None` for a folder.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// The time of the last change; `None` for a folder.
    pub fn modified(&self) -> Option<SystemTime> {
        self.modified
    }

    /// Whether it is a folder.
    pub fn is_folder(&self) -> bool {
        self.kind == EntryKind::Folder
    }
}

// === impl ListingNote ===

impl ListingNote {
    /// The name of the object.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its text, as it is stored.
    pub fn text(&self) -> &str {
        &self.text
    }
}

// === impl SortBy ===

impl SortBy {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Size => "size",
            Self::Modified => "modified",
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::listing::{Cursor, Standing};

    /// A folder at `docs/a b/` with these entries; a size of `None` is that of a folder.
    pub(in crate::listing) fn page(
        entries: &[(&str, Option<u64>)],
        ask: &Ask,
        powers: Powers,
    ) -> ListingPage {
        let entries = entries.iter().enumerate().map(|(n, (name, size))| Entry {
            name: (*name).to_owned(),
            what: match size {
                None => What::Folder,
                Some(size) => {
                    let seconds = 1_700_000_000 - u64::try_from(n).unwrap() * 86_400;
                    What::Object { size: *size, modified: Some(UNIX_EPOCH + Duration::from_secs(seconds)) }
                }
            },
        });
        let next = Some(Cursor::behind("z"));
        let folder = Folder { entries: entries.collect(), standing: Standing::Exists, next, note: None };
        let place = Place { prefix: "p/docs/a b/".to_owned(), path: "docs/a b/".to_owned() };
        let note = ListingNote { name: "README.md".to_owned(), text: "# Hello <b>".to_owned() };
        let view = View {
            folder: &folder,
            place: &place,
            rest: "docs/a%20b/",
            root: Some("media"),
            ask,
            types: &ContentTypes::default(),
            powers,
            note: Some(&note),
        };
        view.page()
    }

    #[test]
    fn entries_are_sorted_and_folders_come_first() {
        let entries = [("b", Some(3)), ("a", Some(1)), ("z", None), ("c", Some(2)), ("y", None)];
        for (sort, order, expected) in [
            (SortBy::Name, SortOrder::Ascending, ["y", "z", "a", "b", "c"]),
            (SortBy::Name, SortOrder::Descending, ["z", "y", "c", "b", "a"]),
            (SortBy::Size, SortOrder::Ascending, ["y", "z", "a", "c", "b"]),
            (SortBy::Size, SortOrder::Descending, ["y", "z", "b", "c", "a"]),
            // The first has changed last.
            (SortBy::Modified, SortOrder::Ascending, ["y", "z", "c", "a", "b"]),
            (SortBy::Modified, SortOrder::Descending, ["y", "z", "b", "a", "c"]),
        ] {
            let page = page(&entries, &Ask { sort, order, ..Ask::default() }, Powers::None);
            let names: Vec<_> = page.entries().iter().map(ListedEntry::name).collect();
            assert_eq!(names, expected, "{sort:?} {order:?}");
        }
    }

    #[test]
    fn crumbs_climb_the_path_as_it_came() {
        let told = |rest: &str, root: Option<&str>| {
            let folder = Folder { entries: Vec::new(), standing: Standing::Exists, next: None, note: None };
            let place = Place { prefix: String::new(), path: String::new() };
            let types = ContentTypes::default();
            let ask = Ask::default();
            let view = View {
                folder: &folder,
                place: &place,
                rest,
                root,
                ask: &ask,
                types: &types,
                powers: Powers::None,
                note: None,
            };
            let page = view.page();
            page.crumbs().iter().map(|crumb| format!("{} {}", crumb.name(), crumb.href())).collect::<Vec<_>>()
        };
        for (rest, root, expected) in [
            ("", Some("Home"), &["Home ./"][..]),
            ("docs/", Some("media"), &["media ../", "docs ./"]),
            ("a%2Fb/c%20d/", Some("media"), &["media ../../", "a/b ../", "c d ./"]),
            ("a//", Some("media"), &["media ../../", "a ../", " ./"]),
            ("bucket/docs/", None, &["bucket ../", "docs ./"]),
        ] {
            assert_eq!(told(rest, root), expected, "{rest}");
        }
    }

    #[test]
    fn the_next_page_keeps_the_form_and_the_order() {
        let ask = Ask {
            format: Format::Json,
            sort: SortBy::Size,
            order: SortOrder::Descending,
            cursor: Some(Cursor::behind("b")),
            preview: None,
        };
        let page = page(&[], &ask, Powers::None);
        let cursor = Cursor::behind("z").told();
        assert_eq!(page.next(), Some(&*format!("./?format=json&cursor={cursor}&sort=size&order=desc")));
        assert_eq!(page.first(), Some("./?format=json&sort=size&order=desc"));
    }
}
