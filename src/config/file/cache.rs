use std::time::Duration;

use toml::Spanned;

use super::{
    byte_size,
    source::Source,
    table::{ByteSize, CacheTable, CacheTtlTable, MountTable},
};
use crate::{
    cache::{Cache, CacheTtl, ClientControl},
    config::MountBuilder,
    error::{ConfigError, ConfigErrorKind},
};

/// The cache that `[cache]` describes.
pub(super) fn read(source: &Source<'_>, table: &Spanned<CacheTable>) -> Result<Cache, ConfigError> {
    let bytes = |key, size: &Option<Spanned<ByteSize>>| {
        size.as_ref().map(|size| bytes(source, key, size)).transpose()
    };
    let span = table.span();
    let table = table.get_ref();
    let Some(size) = bytes("size", &table.size)? else {
        let message = "the cache needs a size, like \"512MiB\"";
        return Err(source.error(ConfigErrorKind::Missing, span, message));
    };
    let mut cache = Cache::builder(size);
    if let Some(bytes) = bytes("max_object", &table.max_object)? {
        cache = cache.max_object(bytes);
    }
    if let Some(bytes) = bytes("block", &table.block)? {
        // A value that does not fit is too large in any case.
        cache = cache.block_size(u32::try_from(bytes).unwrap_or(u32::MAX));
    }
    if let Some(time) = table.negative_ttl_ms {
        cache = cache.negative_ttl(Duration::from_millis(time));
    }
    if let Some(percent) = table.background_fill_threshold {
        cache = cache.background_fill_threshold(percent);
    }
    if let Some(time) = table.stale_if_error_after_ms {
        cache = cache.stale_if_error_after(Duration::from_millis(time));
    }
    let clients = [("honoured", ClientControl::Honoured), ("ignored", ClientControl::Ignored)];
    if let Some(control) = source.choice("clients", table.clients.as_ref(), clients)? {
        cache = cache.clients(control);
    }
    cache.build().map_err(|why| source.error(why.kind(), span, format!("[cache]: {why}")).caused_by(why))
}

pub(super) fn bytes(source: &Source<'_>, key: &str, size: &Spanned<ByteSize>) -> Result<u64, ConfigError> {
    let text = match size.get_ref() {
        ByteSize::Number(bytes) => return Ok(*bytes),
        ByteSize::Text(text) => text,
    };
    byte_size::parse(&source.expand(key, text, size.span())?).ok_or_else(|| {
        // As written, without the values of variables.
        let message = format!("{key} {:?}: must be bytes, like 4096, \"512MiB\" or \"1GB\"", text.0);
        source.error(ConfigErrorKind::InvalidValue, size.span(), message)
    })
}

/// The options of a mount for the file's cache.
pub(super) fn of_mount(
    source: &Source<'_>,
    table: &MountTable,
    cache: Option<&Cache>,
    mut builder: MountBuilder,
) -> Result<MountBuilder, ConfigError> {
    let wanted = table.cache.as_ref();
    match (cache, wanted.map(Spanned::get_ref)) {
        (Some(cache), Some(true) | None) => builder = builder.cache(cache),
        (None, Some(false) | None) | (Some(_), Some(false)) => {
            let ttl = table.cache_ttl_secs.as_ref().map(Spanned::span);
            let heuristic = || table.cache_heuristic.as_ref().map(Spanned::span);
            let rule = || table.cache_ttl_rule.0.first().map(Spanned::span);
            if let Some(span) = ttl.or_else(heuristic).or_else(rule) {
                let message =
                    "a time to live without a cache: add [cache], remove cache = false, or remove this";
                return Err(source.error(ConfigErrorKind::Contradiction, span, message));
            }
        }
        (None, Some(true)) => {
            let message = "cache = true needs the table [cache], with a size";
            let span = wanted.map_or(0..0, Spanned::span);
            return Err(source.error(ConfigErrorKind::Missing, span, message));
        }
    }
    for rule in &table.cache_ttl_rule.0 {
        builder = builder.cache_ttl_rule(ttl_rule(source, rule)?);
    }
    if let Some(secs) = &table.cache_ttl_secs {
        builder = builder.cache_ttl(Duration::from_secs(*secs.get_ref()));
    }
    if let Some(heuristic) = &table.cache_heuristic {
        let heuristic = heuristic.get_ref();
        builder = builder.cache_heuristic(heuristic.percent, Duration::from_secs(heuristic.cap_secs));
    }
    Ok(builder)
}

fn ttl_rule(source: &Source<'_>, table: &Spanned<CacheTtlTable>) -> Result<CacheTtl, ConfigError> {
    let span = table.span();
    let table = table.get_ref();
    let Some(secs) = table.ttl_secs else {
        return Err(source.error(
            ConfigErrorKind::Missing,
            span,
            "a rule for the time to live needs ttl_secs",
        ));
    };
    let mut rule = CacheTtl::new(Duration::from_secs(secs));
    if let Some(glob) = source.optional("key", table.key.as_ref())? {
        rule = rule.key(glob);
    }
    if let Some(glob) = source.optional("content_type", table.content_type.as_ref())? {
        rule = rule.content_type(glob);
    }
    Ok(rule)
}
