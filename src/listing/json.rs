use std::time::SystemTime;

use aws_smithy_types::{DateTime, date_time::Format};
use serde::Serialize;

use super::{ListedEntry, ListingPage};

/// The schema that the guide has.
#[derive(Serialize)]
struct Document<'a> {
    path: &'a str,
    entries: Vec<Member<'a>>,
    next: Option<&'a str>,
}

#[derive(Serialize)]
struct Member<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    href: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    modified: Option<String>,
}

/// A page as JSON.
pub(crate) fn to_json(page: &ListingPage) -> Vec<u8> {
    let entries = page.entries.iter().map(Member::of).collect();
    let document = Document { path: page.path(), entries, next: page.next() };
    let mut json = serde_json::to_vec(&document).unwrap_or_default();
    json.push(b'\n');
    json
}

/// RFC 3339, in UTC and whole seconds.
pub(super) fn timestamp(at: SystemTime) -> String {
    let seconds = DateTime::from_secs(DateTime::from(at).secs());
    seconds.fmt(Format::DateTime).unwrap_or_default()
}

// === impl Member ===

impl<'a> Member<'a> {
    fn of(entry: &'a ListedEntry) -> Self {
        Self {
            name: entry.name(),
            kind: if entry.is_folder() { "folder" } else { "object" },
            href: entry.href(),
            size: entry.size(),
            modified: entry.modified().map(timestamp),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::listing::{Ask, Format, Powers, page::tests::page};

    #[test]
    fn json_has_names_links_sizes_and_times() {
        let ask = Ask { format: Format::Json, ..Ask::default() };
        let page = page(&[("a \"b\"\u{1}.png", Some(7)), ("raw", None)], &ask, Powers::None);
        let document: Value = serde_json::from_slice(&to_json(&page)).unwrap();
        assert_eq!(
            document,
            json!({
                "path": "docs/a b/",
                "entries": [
                    { "name": "raw", "type": "folder", "href": "./raw/" },
                    {
                        "name": "a \"b\"\u{1}.png", "type": "object", "href": "./a%20%22b%22%01.png", "size": 7,
                        "modified": "2023-11-14T22:13:20Z",
                    },
                ],
                "next": "./?format=json&cursor=eg",
            })
        );
    }
}
