//! One object of a folder, on a page of its own.

use maud::{Markup, html};

use super::{
    ListingHtml, preview_link,
    words::{date, lines, shown, shown_short, size},
};
use crate::listing::{EntryKind, ListedEntry, ListingPage, Powers, json::timestamp};

/// The first bytes of an object, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TextStart {
    Whole(String),
    /// There is more.
    Part(String),
}

/// The entry that a client wants to see, if it is on the page.
pub(crate) fn preview_of<'p>(page: &'p ListingPage, name: &str) -> Option<&'p ListedEntry> {
    page.entries.iter().find(|entry| entry.name() == name && entry.kind().has_preview())
}

// === impl ListingHtml ===

impl ListingHtml {
    pub(crate) fn preview(page: &ListingPage, entry: &ListedEntry, text: Option<&TextStart>) -> Self {
        let main = html! {
            article #preview {
                h1 { bdi { (shown(entry.name())) } }
                p.summary {
                    @if let Some(bytes) = entry.size() { (size(bytes)) }
                    @if let Some(at) = entry.modified() { ", " time datetime=(timestamp(at)) { (date(at)) } }
                }
                div.stage { (stage(entry, text)) }
                (ways(page, entry))
            }
        };
        // It changes nothing.
        Self::whole(page, &shown_short(entry.name()), &main, Powers::None)
    }
}

fn stage(entry: &ListedEntry, text: Option<&TextStart>) -> Markup {
    let (name, href) = (shown(entry.name()), entry.href());
    html! {
        @match (entry.kind(), text) {
            (EntryKind::Picture, _) => { img src=(href) alt=(name); }
            (EntryKind::Film, _) => { video src=(href) controls preload="metadata" aria-label=(name) {} }
            (EntryKind::Sound, _) => { audio src=(href) controls preload="metadata" aria-label=(name) {} }
            (EntryKind::Text, Some(TextStart::Whole(text))) => { (shown_text(text)) }
            (EntryKind::Text, Some(TextStart::Part(text))) => {
                (shown_text(text))
                p.summary { "This is the beginning: the file is longer." }
            }
            (EntryKind::Text, None)
            | (EntryKind::Folder | EntryKind::Pdf | EntryKind::Page | EntryKind::Archive | EntryKind::Other, _) => {}
        }
    }
}

fn shown_text(text: &str) -> Markup {
    // A region that scrolls must be reached by keys.
    html! { pre tabindex="0" { (lines(text)) } }
}

/// The ways out, and to the neighbours that have a preview, too.
fn ways(page: &ListingPage, entry: &ListedEntry) -> Markup {
    let seen: Vec<_> = page.entries.iter().filter(|entry| entry.kind().has_preview()).collect();
    let at = seen.iter().position(|other| other.name() == entry.name()).unwrap_or_default();
    let before = at.checked_sub(1).and_then(|at| seen.get(at));
    let after = seen.get(at + 1);
    let cursor = page.ask.cursor.as_ref().map(crate::listing::Cursor::told);
    html! {
        nav.pager aria-label="Preview" {
            @if let Some(before) = before { a rel="prev" href=(preview_link(page, before)) { "Previous" } }
            @if let Some(after) = after { a rel="next" href=(preview_link(page, after)) { "Next" } }
            a href=(entry.href()) { "Open" }
            a href=(entry.href()) download { "Download" }
            a.back href=(page.ask.link(cursor.as_deref())) { "Back to the folder" }
        }
    }
}
