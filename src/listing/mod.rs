//! Folders of the bucket as pages for people and as JSON for programs.
//!
//! [`Listing`] switches it on for a mount. The [guide](crate::guide::listings) has the rules.

// Pure, but for `pages`: what S3 lists comes in, and a page goes out.

mod ask;
mod cursor;
mod folder;
mod hide;
mod href;
mod html;
mod json;
mod kind;
mod page;
mod pages;
mod policy;
mod respond;

pub(crate) use self::{
    ask::{Ask, Format},
    cursor::{Cursor, InvalidCursor},
    folder::{Folder, Place, Standing},
    html::{ListingHtml, TextStart, preview_of},
    json::to_json,
    page::{Powers, View},
    pages::{PageId, Pages},
    policy::{ListPolicy, MountListing},
    respond::{Rendered, of_template, respond},
};
pub use self::{
    kind::EntryKind,
    page::{Crumb, ListedEntry, ListingNote, ListingPage, SortBy, SortOrder},
    policy::Listing,
};
