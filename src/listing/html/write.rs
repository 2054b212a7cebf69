//! What a page has where its reader may change the folder. It needs a script, which shows it.

use maud::{Markup, html};

use super::words::shown;
use crate::listing::ListedEntry;

pub(super) fn upload() -> Markup {
    html! {
        section #upload aria-label="Upload" hidden {
            label.drop for="files" { span { "Drop files here, or " } span.choose { "choose some" } }
            input.unseen #files type="file" multiple;
            ul #uploads aria-live="polite" {}
        }
    }
}

pub(super) fn delete_button(entry: &ListedEntry) -> Markup {
    html! {
        button.delete type="button" hidden data-href=(entry.href()) data-name=(shown(entry.name()))
            aria-label={ "Delete " (shown(entry.name())) } {
            svg viewBox="0 0 24 24" width="20" height="20" aria-hidden="true" focusable="false" {
                path d="M5 7h14M10 7V4.500h4V7m-7.5 0 .8 12.500h9.400L17.5 7M10 10.500v5.500m4-5.500v5.5" {}
            }
        }
    }
}

pub(super) fn confirmation() -> Markup {
    html! {
        dialog #confirm aria-labelledby="question" {
            p #question { "Delete " bdi #doomed {} " for good?" }
            p #refusal role="alert" {}
            div.pager {
                button #keep type="button" { "Keep it" }
                button.danger #remove type="button" { "Delete" }
            }
        }
    }
}
