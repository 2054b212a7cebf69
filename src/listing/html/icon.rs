use maud::{Markup, html};

use crate::listing::EntryKind;

/// A picture of a kind of entry, which says nothing that is not there in words.
pub(super) fn icon(kind: EntryKind) -> Markup {
    html! {
        svg.icon.(kind.as_str()) viewBox="0 0 24 24" width="24" height="24" aria-hidden="true" focusable="false" {
            @match kind {
                EntryKind::Folder => { path d="M3 6.5A1.5 1.5 0 0 1 4.5 5h4.7l2 2.2h8.3A1.5 1.5 0 0 1 21 8.7v9.3a1.5 1.5 0 0 1-1.5 1.5h-15A1.5 1.5 0 0 1 3 18z" {} }
                EntryKind::Picture => { rect x="3.5" y="5" width="17" height="14" rx="1.5" {} circle cx="9" cy="10" r="1.6" {} path d="m5 17.5 4.8-4.4 3 2.7 3.2-3.4 3.4 3.6" {} }
                EntryKind::Film => { rect x="3.5" y="5" width="17" height="14" rx="1.5" {} path d="m10.3 9 5 3-5 3z" {} }
                EntryKind::Sound => { path d="M9.5 17V6.5l9-2V15" {} circle cx="7" cy="17" r="2.5" {} circle cx="16" cy="15" r="2.5" {} }
                EntryKind::Pdf => { (sheet()) path d="M9 17c3-1.5 5-5 4-7.5-1.5 3 1 6 3.5 5.5-2.5-.5-5 .3-7.5 2z" {} }
                EntryKind::Text => { (sheet()) path d="M9 12h6M9 14.700h6M9 17.400h4" {} }
                EntryKind::Page => { (sheet()) path d="m10.5 12.5-2 2.2 2 2.200m3-4.4 2 2.2-2 2.2" {} }
                EntryKind::Archive => { rect x="4" y="4.5" width="16" height="4" rx="1" {} path d="M5.5 8.500v10a1 1 0 0 0 1 1h11a1 1 0 0 0 1-1v-10M10 12.500h4" {} }
                EntryKind::Other => { (sheet()) }
            }
        }
    }
}

fn sheet() -> Markup {
    html! { path d="M6.5 3.500h7.500l4.5 4.500v11.500a1 1 0 0 1-1 1h-11a1 1 0 0 1-1-1v-15a1 1 0 0 1 1-1zM14 3.500v4.500h4.5" {} }
}
