//! Pages for people. They need no script, and take nothing from other hosts.

mod assets;
mod icon;
mod markdown;
mod preview;
mod words;
mod write;

use http::HeaderValue;
use maud::{DOCTYPE, Markup, PreEscaped, html};

pub(crate) use self::preview::{TextStart, preview_of};
use self::{
    assets::Assets,
    icon::icon,
    words::{counted, date, shown, shown_short, size},
};
use super::{
    EntryKind, ListedEntry, ListingNote, ListingPage, Powers, SortBy, SortOrder, href::ToSelf,
    json::timestamp,
};

/// A page, and the policy with which it is sent.
#[derive(Debug)]
pub(crate) struct ListingHtml {
    pub(crate) text: String,
    pub(crate) policy: HeaderValue,
}

/// Pictures of up to this many bytes are their own thumbnails.
const THUMBNAIL: u64 = 512 * 1024;

// === impl ListingHtml ===

impl ListingHtml {
    pub(crate) fn of(page: &ListingPage) -> Self {
        let main = html! {
            h1 { bdi { (shown(page.name())) } }
            p.summary { (summary(page)) }
            @if page.can_upload() { (write::upload()) }
            @if !page.entries.is_empty() { (table(page)) }
            @if page.entries.is_empty() { p.empty { "There is nothing here." } }
            @if page.next.is_some() || page.first.is_some() { (pager(page)) }
            @if let Some(note) = &page.note { (note_section(note)) }
        };
        Self::whole(page, &shown_short(page.name()), &main, page.powers)
    }

    fn whole(page: &ListingPage, title: &str, main: &Markup, powers: Powers) -> Self {
        let assets = Assets::of(powers);
        let text = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="robots" content="noindex";
                    title { (title) }
                    style { (PreEscaped(assets.style)) }
                }
                body {
                    header { (crumbs(page)) }
                    main { (main) }
                    dialog #viewer aria-label="Preview" {}
                    @if powers == Powers::UploadAndDelete { (write::confirmation()) }
                    script { (PreEscaped(assets.script)) }
                }
            }
        };
        Self { text: text.into_string(), policy: assets.policy.clone() }
    }
}

fn crumbs(page: &ListingPage) -> Markup {
    let last = page.crumbs.len().saturating_sub(1);
    html! {
        nav aria-label="Path" {
            ol.crumbs {
                @for (n, crumb) in page.crumbs.iter().enumerate() {
                    li {
                        @if n == last && page.ask.preview.is_none() {
                            span aria-current="page" { bdi { (shown(crumb.name())) } }
                        } @else {
                            a href=(crumb.href()) { bdi { (shown(crumb.name())) } }
                        }
                    }
                }
            }
        }
    }
}

fn summary(page: &ListingPage) -> String {
    let folders = page.entries.iter().filter(|entry| entry.is_folder()).count();
    let objects = page.entries.len() - folders;
    let bytes: u64 = page.entries.iter().filter_map(ListedEntry::size).fold(0, u64::saturating_add);
    let mut parts = Vec::new();
    parts.extend((folders > 0).then(|| counted(folders, "folder", "folders")));
    parts.extend((objects > 0).then(|| format!("{}, {}", counted(objects, "file", "files"), size(bytes))));
    let is_part = page.next.is_some() || page.first.is_some();
    match (parts.is_empty(), is_part) {
        (true, _) => "No files".to_owned(),
        (false, false) => parts.join(", "),
        (false, true) => {
            format!("{} on this page. There are more: sorting is within a page.", parts.join(", "))
        }
    }
}

fn table(page: &ListingPage) -> Markup {
    html! {
        table {
            caption.unseen { "Files and folders" }
            thead {
                tr {
                    (heading(page, SortBy::Name, "Name"))
                    (heading(page, SortBy::Size, "Size"))
                    (heading(page, SortBy::Modified, "Changed"))
                    @if page.can_delete() { th.act scope="col" { span.unseen { "Delete" } } }
                }
            }
            tbody {
                @for entry in &page.entries { (row(page, entry)) }
            }
        }
    }
}

/// A heading that sorts: once more, and it turns around.
fn heading(page: &ListingPage, by: SortBy, name: &str) -> Markup {
    let (sort, order) = page.sort();
    let is_sorted = sort == by;
    let (next, aria) = match order {
        SortOrder::Ascending if is_sorted => (SortOrder::Descending, Some("ascending")),
        SortOrder::Descending if is_sorted => (SortOrder::Ascending, Some("descending")),
        // The largest and the newest are what one looks for.
        SortOrder::Ascending | SortOrder::Descending if by == SortBy::Name => (SortOrder::Ascending, None),
        SortOrder::Ascending | SortOrder::Descending => (SortOrder::Descending, None),
    };
    let cursor = page.ask.cursor.as_ref().map(super::Cursor::told);
    let href = page.ask.sorted_link(cursor.as_deref(), by, next);
    html! {
        th.(by.as_str()) scope="col" aria-sort=[aria] { a href=(href) { (name) } }
    }
}

fn row(page: &ListingPage, entry: &ListedEntry) -> Markup {
    html! {
        tr {
            td.name {
                div {
                    (symbol(page, entry))
                    a href=(entry.href()) { bdi { (shown(entry.name())) @if entry.is_folder() { "/" } } }
                }
            }
            td.size { @if let Some(bytes) = entry.size() { (size(bytes)) } }
            td.modified {
                @if let Some(at) = entry.modified() { time datetime=(timestamp(at)) { (date(at)) } }
            }
            @if page.can_delete() { td.act { @if !entry.is_folder() { (write::delete_button(entry)) } } }
        }
    }
}

/// The picture of an entry, which leads to its preview if it has one.
fn symbol(page: &ListingPage, entry: &ListedEntry) -> Markup {
    if !entry.kind().has_preview() {
        return html! { span.symbol { (icon(entry.kind())) } };
    }
    let has_thumbnail =
        entry.kind() == EntryKind::Picture && entry.size().is_some_and(|size| size <= THUMBNAIL);
    html! {
        a.symbol.preview href=(preview_link(page, entry)) aria-label={ "Preview of " (shown(entry.name())) } {
            @if has_thumbnail {
                img src=(entry.href()) alt="" width="40" height="40" loading="lazy" decoding="async";
            } @else {
                (icon(entry.kind()))
            }
        }
    }
}

/// It is looked for on the page that it is on.
fn preview_link(page: &ListingPage, entry: &ListedEntry) -> ToSelf {
    let cursor = page.ask.cursor.as_ref().map(super::Cursor::told);
    page.ask.link(cursor.as_deref()).with("preview", entry.name())
}

fn pager(page: &ListingPage) -> Markup {
    html! {
        nav.pager aria-label="Pages" {
            @if let Some(first) = page.first() { a href=(first) { "First page" } }
            @if let Some(next) = page.next() { a rel="next" href=(next) { "Next page" } }
        }
    }
}

fn note_section(note: &ListingNote) -> Markup {
    let is_markdown = note.name().to_ascii_lowercase().ends_with(".md");
    html! {
        section.note aria-label={ "From " (shown(note.name())) } {
            @if is_markdown {
                (PreEscaped(markdown::rendered(note.text())))
            } @else {
                pre { (words::lines(note.text())) }
            }
        }
    }
}

#[cfg(test)]
mod tests;
