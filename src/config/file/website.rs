//! The mount as a website: the table `[mount.website]`.

use std::time::Duration;

use super::{
    source::Source,
    table::{MountTable, ReleasesTable, WebsiteTable},
};
use crate::{
    config::{MountBuilder, Precompressed, Releases, Website},
    error::{ConfigError, ConfigErrorKind},
};

pub(super) fn of_mount(
    source: &Source<'_>,
    table: &MountTable,
    builder: MountBuilder,
) -> Result<MountBuilder, ConfigError> {
    Ok(match &table.website {
        Some(table) => builder.website(website(source, table.get_ref())?),
        None => builder,
    })
}

fn website(source: &Source<'_>, table: &WebsiteTable) -> Result<Website, ConfigError> {
    let WebsiteTable {
        from,
        index,
        clean_urls,
        single_page,
        not_found,
        errors,
        precompressed,
        releases: of_releases,
        rules,
        refresh_secs,
    } = table;
    let is_of_bucket = source.choice("from", from.as_ref(), [("bucket", true)])?.unwrap_or(false);
    let website = if is_of_bucket { Website::from_bucket() } else { Website::new() };
    let mut website = website.clean_urls(*clean_urls).rules(*rules);
    if let Some(names) = index {
        website = website.index(source.list("index", names)?);
    }
    if let Some(key) = source.optional("single_page", single_page.as_ref())? {
        website = website.single_page(key);
    }
    if let Some(key) = source.optional("not_found", not_found.as_ref())? {
        website = website.not_found(key);
    }
    for (status, key) in errors {
        let number = status.parse().map_err(|_| {
            let message = format!("errors: {status:?} must be a status from 400 to 599");
            source.error(ConfigErrorKind::InvalidValue, key.span(), message)
        })?;
        website = website.error_document(number, source.value("errors", key)?);
    }
    if let Some(table) = of_releases {
        website = website.releases(releases(source, table.get_ref())?);
    }
    if let Some(seconds) = refresh_secs {
        website = website.refresh(Duration::from_secs(*seconds));
    }
    let codings =
        [("br", Precompressed::Brotli), ("zstd", Precompressed::Zstd), ("gzip", Precompressed::Gzip)];
    let codings = precompressed.iter().map(|name| source.choice("precompressed", Some(name), codings));
    Ok(website.precompressed(codings.collect::<Result<Vec<_>, _>>()?.into_iter().flatten()))
}

fn releases(source: &Source<'_>, table: &ReleasesTable) -> Result<Releases, ConfigError> {
    let ReleasesTable { prefix, current, keep } = table;
    let mut releases =
        Releases::new(source.optional("prefix", prefix.as_ref())?.unwrap_or_else(|| "releases".to_owned()));
    if let Some(key) = source.optional("current", current.as_ref())? {
        releases = releases.current(key);
    }
    Ok(match keep {
        Some(keep) => releases.keep(*keep),
        None => releases,
    })
}
