//! Listings of folders: the table `[mount.listing]`.

use std::time::Duration;

use super::{
    source::Source,
    table::{ListingTable, MountTable},
};
use crate::{config::MountBuilder, error::ConfigError, listing::Listing};

pub(super) fn of_mount(
    source: &Source<'_>,
    table: &MountTable,
    builder: MountBuilder,
) -> Result<MountBuilder, ConfigError> {
    Ok(match &table.listing {
        Some(table) => builder.listing(listing(source, table.get_ref())?),
        None => builder,
    })
}

fn listing(source: &Source<'_>, table: &ListingTable) -> Result<Listing, ConfigError> {
    let ListingTable { hide, show_dotfiles, remember_ms, page_size, notes } = table;
    let mut listing = Listing::new().show_dotfiles(*show_dotfiles);
    for glob in source.list("hide", hide)? {
        listing = listing.hide(glob);
    }
    if let Some(time) = remember_ms {
        listing = listing.remember(Duration::from_millis(*time));
    }
    if let Some(entries) = page_size {
        listing = listing.page_size(*entries);
    }
    if let Some(names) = notes {
        listing = listing.notes(source.list("notes", names)?);
    }
    Ok(listing)
}
