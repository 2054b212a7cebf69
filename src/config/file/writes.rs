//! What clients may write: the table `[mount.writes]`.

use super::{
    cache::bytes,
    source::Source,
    table::{MountTable, WritesTable},
};
use crate::{
    config::{MountBuilder, Writers, Writes},
    error::ConfigError,
};

pub(super) fn of_mount(
    source: &Source<'_>,
    table: &MountTable,
    builder: MountBuilder,
) -> Result<MountBuilder, ConfigError> {
    Ok(match &table.writes {
        Some(table) => builder.writes(writes(source, table.get_ref())?),
        None => builder,
    })
}

fn writes(source: &Source<'_>, table: &WritesTable) -> Result<Writes, ConfigError> {
    let WritesTable {
        below,
        max_size,
        overwrite,
        delete,
        writers,
        content_types,
        metadata,
        storage_class,
        memory,
    } = table;
    let mut writes = Writes::new().allow_overwrite(*overwrite).allow_delete(*delete);
    if let Some(prefix) = source.optional("below", below.as_ref())? {
        writes = writes.below(prefix);
    }
    if let Some(size) = max_size {
        writes = writes.max_size(bytes(source, "max_size", size)?);
    }
    let choices = [("authorized", Writers::Authorized), ("anybody", Writers::Anybody)];
    if let Some(writers) = source.choice("writers", writers.as_ref(), choices)? {
        writes = writes.writers(writers);
    }
    for glob in source.list("content_types", content_types)? {
        writes = writes.content_type(glob);
    }
    if let Some(names) = metadata {
        writes = source.list("metadata", names)?.into_iter().fold(writes.no_metadata(), Writes::metadata);
    }
    if let Some(class) = source.unless_empty("storage_class", storage_class.as_ref())? {
        writes = writes.storage_class(class);
    }
    if let Some(size) = memory {
        writes = writes.memory(bytes(source, "memory", size)?);
    }
    Ok(writes)
}
