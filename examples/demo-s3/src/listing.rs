//! Pages of a listing, the same for all three listing operations.

/// The selection of entries, and the page size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Query<'a> {
    pub(crate) prefix: &'a str,
    pub(crate) delimiter: Option<&'a str>,
    /// The common prefix that closed the page before, if one did.
    pub(crate) seen_prefix: Option<&'a str>,
    pub(crate) max: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item<T> {
    Entry(String, T),
    Prefix(String),
}

#[derive(Clone, Debug)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<Item<T>>,
    pub(crate) truncated: bool,
}

/// Takes a page from entries that are in order of their keys and begin where the page before ended.
pub(crate) fn page<'a, T>(entries: impl Iterator<Item = (&'a str, T)>, query: Query<'_>) -> Page<T> {
    let mut items = Vec::new();
    let mut group: Option<String> = query.seen_prefix.map(str::to_owned);
    for (key, value) in entries {
        let Some(rest) = key.strip_prefix(query.prefix) else {
            continue;
        };
        let item = match common_prefix(query, rest) {
            Some(prefix) if group.as_ref() == Some(&prefix) => continue,
            Some(prefix) => Item::Prefix(prefix),
            None => Item::Entry(key.to_owned(), value),
        };
        if items.len() == query.max {
            return Page { items, truncated: query.max > 0 };
        }
        if let Item::Prefix(prefix) = &item {
            group = Some(prefix.clone());
        }
        items.push(item);
    }
    Page { items, truncated: false }
}

fn common_prefix(query: Query<'_>, rest: &str) -> Option<String> {
    let delimiter = query.delimiter.filter(|d| !d.is_empty())?;
    let end = rest.find(delimiter)? + delimiter.len();
    Some(format!("{}{}", query.prefix, rest.get(..end)?))
}

// === impl Page ===

impl<T> Page<T> {
    /// Where the next page goes on, if there is one.
    pub(crate) fn next(&self) -> Option<&Item<T>> {
        self.items.last().filter(|_| self.truncated)
    }
}

// === impl Item ===

impl<T> Item<T> {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Entry(name, _) | Self::Prefix(name) => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 6] = ["a", "b/1", "b/2", "b/c/3", "c", "d/4"];

    fn names(prefix: &str, delimiter: Option<&str>, after: &str, max: usize) -> (Vec<String>, bool) {
        let query = Query { prefix, delimiter, seen_prefix: Some(after), max };
        let entries = KEYS.iter().filter(|key| **key > after).map(|key| (*key, ()));
        let page = page(entries, query);
        let names = page.items.iter().map(|i| i.name().to_owned()).collect();
        (names, page.truncated)
    }

    #[test]
    fn pages_group_by_delimiter_and_go_on_after_a_group() {
        for (prefix, delimiter, after, max, expected, truncated) in [
            ("", None, "", 10, KEYS.to_vec(), false),
            ("", None, "", 2, vec!["a", "b/1"], true),
            ("", Some("/"), "", 10, vec!["a", "b/", "c", "d/"], false),
            ("", Some("/"), "", 2, vec!["a", "b/"], true),
            ("", Some("/"), "b/", 2, vec!["c", "d/"], false),
            ("b/", Some("/"), "", 10, vec!["b/1", "b/2", "b/c/"], false),
            ("", None, "", 0, vec![], false),
        ] {
            let found = names(prefix, delimiter, after, max);
            assert_eq!(found, (expected.iter().map(|s| s.to_string()).collect(), truncated));
        }
    }
}
