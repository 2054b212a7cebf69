use std::time::Duration;

use toml::Spanned;

use super::{
    FileCredentials, FileMount, Shared, cache,
    credentials::{self, NamedCredentials},
    links, log_in, resilience,
    source::Source,
    table::{CacheControlRuleTable, CorsTable, HotlinksTable, MountTable, PresignedTable, Text},
    terms, transport, website, writes,
};
use crate::{
    access::{Hotlinks, NoneGiven},
    config::{LinkAnswers, Mount, MountBuilder, PresignedRequests, UnsignedRequests},
    error::{ConfigError, ConfigErrorKind},
    object::{BucketName, InvalidBucketName},
    response::{BadPathAnswer, CacheControlRule, ContentTypeFix, Cors, DeniedAnswer, ErrorFormat, Fallback},
};

/// The builder that a `[[mount]]` describes. The builder checks values; this function checks what only a file can get
/// wrong.
pub(super) fn read(
    source: &Source<'_>,
    table: &Spanned<MountTable>,
    number: usize,
    shared: &Shared<'_>,
) -> Result<FileMount, ConfigError> {
    let text = |key, text: &Option<Text>| source.optional(key, text.as_ref());
    let span = table.span();
    let table = table.get_ref();

    let path = table.path.as_ref().map_or("/", |path| &path.get_ref().0);
    let place = source.called(span, format_args!("mount {number} (at {path:?})"));
    let endpoint_url = endpoint_url(source, table)?;
    let region = source.unless_empty("region", table.region.as_ref())?;
    let region = region.or_else(|| shared.region.map(str::to_owned));

    let builder = bucket(source, table, &place)?
        .cache_bust_segment(table.cache_bust_segment)
        .drop_dot_segments(table.drop_dot_segments)
        .allow_versions(table.allow_versions)
        .allow_downloads(table.allow_downloads)
        .path_style(table.path_style)
        .fips(table.fips)
        .dual_stack(table.dual_stack)
        .accelerate(table.accelerate);
    let builder = set(builder, text("path", &table.path)?, MountBuilder::at);
    let builder = set(builder, text("host", &table.host)?, MountBuilder::host);
    let builder = set(builder, text("prefix", &table.prefix)?, MountBuilder::prefix);
    let builder = set(builder, region.clone(), MountBuilder::region);
    let builder = set(builder, endpoint_url.clone(), MountBuilder::endpoint_url);
    let connect_to = source.unless_empty("connect_to", table.connect_to.as_ref())?;
    let builder = set(builder, connect_to, MountBuilder::connect_to);

    let own = table.transport.as_ref().map(|table| transport::read(source, table)).transpose()?;
    let builder = match own.as_ref().or(shared.transport) {
        Some(transport) => builder.transport(transport),
        None => builder,
    };

    let builder = set(builder, table.max_in_flight, MountBuilder::max_in_flight);
    let builder = set(builder, table.max_queued, MountBuilder::max_queued);
    let queue_timeout = table.queue_timeout_ms.map(Duration::from_millis);
    let builder = set(builder, queue_timeout, MountBuilder::queue_timeout);

    let builder = resilience::of_mount(source, table, builder)?;

    let default = text("default_cache_control", &table.default_cache_control)?;
    let general = text("override_cache_control", &table.override_cache_control)?;
    let mut builder = set(builder, default, MountBuilder::default_cache_control);
    builder = set(builder, general, MountBuilder::override_cache_control);
    for rule in &table.cache_control_rule.0 {
        builder = builder.cache_control_rule(cache_control_rule(source, rule)?);
    }
    for glob in source.list("forward_response_headers", &table.forward_response_headers)? {
        builder = builder.forward_response_header(glob);
    }
    for (metadata, field) in &table.metadata_headers {
        builder = builder.metadata_header(metadata, source.value("metadata_headers", field)?);
    }

    let cors = table.cors.as_ref().map(|table| cors(source, table)).transpose()?;
    let builder = set(builder, cors, MountBuilder::cors);
    let hotlinks = table.hotlinks.as_ref().map(|table| hotlinks(source, table.get_ref())).transpose()?;
    let builder = set(builder, hotlinks, MountBuilder::hotlinks);
    let rate = table.max_bytes_per_second.as_ref();
    let rate = rate.map(|size| cache::bytes(source, "max_bytes_per_second", size)).transpose()?;
    let builder = set(builder, rate, MountBuilder::max_bytes_per_second);
    let builder = cache::of_mount(source, table, shared.cache, builder)?;
    let builder = answers(source, table, builder)?;
    let builder = links::of_mount(source, table, builder)?;
    let builder = terms::of_mount(source, table, builder)?;
    let builder = writes::of_mount(source, table, builder)?;
    let builder = log_in::of_mount(source, table, builder)?;
    let builder = website::of_mount(source, table, builder)?;
    #[cfg(feature = "listing")]
    let builder = super::listing::of_mount(source, table, builder)?;
    let presigned = table.presigned.as_ref().map(|table| presigned(source, table.get_ref())).transpose()?;
    let signs_nothing = presigned.as_ref().is_some_and(PresignedRequests::signs_nothing);
    let builder = set(builder, presigned, MountBuilder::presigned);
    #[cfg(feature = "s3-clients")]
    let builder = client_keys(source, table, builder)?;
    let credentials = match self::credentials(source, table, shared.credentials)? {
        FileCredentials::Default if signs_nothing => FileCredentials::Anonymous,
        credentials => credentials,
    };
    let replica = table.replica.as_ref();
    let replica =
        replica.map(|replica| resilience::replica(source, replica, table, &credentials, number, shared));
    let replica = replica.transpose()?.map(Box::new);
    Ok(FileMount { place, region, endpoint_url, credentials, builder, replica })
}

fn set<T>(
    builder: MountBuilder,
    value: Option<T>,
    method: impl FnOnce(MountBuilder, T) -> MountBuilder,
) -> MountBuilder {
    match value {
        Some(value) => method(builder, value),
        None => builder,
    }
}

#[cfg(feature = "s3-clients")]
fn client_keys(
    source: &Source<'_>,
    table: &MountTable,
    builder: MountBuilder,
) -> Result<MountBuilder, ConfigError> {
    let Some(text) = &table.client_keys else { return Ok(builder) };
    let path = source.value("client_keys", text)?;
    let keys = crate::clients::ClientKeys::load(&path)
        .map_err(|why| source.error(why.kind(), text.span(), format!("client_keys: {why}")))?;
    Ok(builder.client_keys(&keys))
}

fn presigned(source: &Source<'_>, table: &PresignedTable) -> Result<PresignedRequests, ConfigError> {
    let unsigned = [("served", UnsignedRequests::Served), ("refused", UnsignedRequests::Refused)];
    let unsigned = source.choice("unsigned", table.unsigned.as_ref(), unsigned)?.unwrap_or_default();
    let answers = [("s3", LinkAnswers::S3), ("cache", LinkAnswers::Cache)];
    let answers = source.choice("answers", table.answers.as_ref(), answers)?.unwrap_or_default();
    let requests = PresignedRequests::new().allow_writes(table.writes).unsigned(unsigned).answers(answers);
    Ok(match source.optional("host", table.host.as_ref())? {
        Some(host) => requests.host(host),
        None => requests,
    })
}

fn bucket(source: &Source<'_>, table: &MountTable, place: &str) -> Result<MountBuilder, ConfigError> {
    match (&table.bucket, &table.buckets_from_path) {
        (Some(text), None) => {
            let name = BucketName::parse(source.value("bucket", text)?).map_err(|_| {
                // As written, without the values of variables, which the cause would quote.
                let message = format!("bucket {:?}: {}", text.get_ref().0, InvalidBucketName::RULE);
                source.error(ConfigErrorKind::InvalidValue, text.span(), message)
            })?;
            Ok(Mount::builder(name))
        }
        (None, Some(globs)) => {
            Ok(Mount::bucket_from_path(source.list("buckets_from_path", globs.get_ref())?))
        }
        (Some(_), Some(globs)) => {
            let message = "bucket and buckets_from_path contradict each other: a mount has one of them";
            Err(source.error(ConfigErrorKind::Contradiction, globs.span(), message))
        }
        (None, None) => {
            let message =
                format!("{place}: the bucket is missing: give bucket, or buckets_from_path with globs");
            Err(ConfigError::new(ConfigErrorKind::Missing, message))
        }
    }
}

/// Refuses a URL with a user name before anything can show it, since it may have a password.
fn endpoint_url(source: &Source<'_>, table: &MountTable) -> Result<Option<String>, ConfigError> {
    let Some(text) = &table.endpoint_url else { return Ok(None) };
    let Some(url) = source.unless_empty("endpoint_url", Some(text))? else { return Ok(None) };
    if url.contains('@') {
        let message = "endpoint_url must not carry a user name: give access_key_id and secret_access_key";
        return Err(source.error(ConfigErrorKind::InvalidValue, text.span(), message));
    }
    Ok(Some(url))
}

fn cache_control_rule(
    source: &Source<'_>,
    table: &Spanned<CacheControlRuleTable>,
) -> Result<CacheControlRule, ConfigError> {
    let text = |key, text: &Option<Text>| source.optional(key, text.as_ref());
    let span = table.span();
    let table = table.get_ref();
    let rule = match (text("default", &table.default)?, text("override", &table.r#override)?) {
        (Some(value), None) => CacheControlRule::default_to(value),
        (None, Some(value)) => CacheControlRule::override_with(value),
        (Some(_), Some(_)) => {
            let message = "a cache rule can't have both default and override: make it two rules";
            return Err(source.error(ConfigErrorKind::Contradiction, span, message));
        }
        (None, None) => {
            let message = "a cache rule needs default or override, with a value like \"max-age=60\"";
            return Err(source.error(ConfigErrorKind::Missing, span, message));
        }
    };
    let rule = match text("key", &table.key)? {
        Some(glob) => rule.key(glob),
        None => rule,
    };
    let rule = match text("content_type", &table.content_type)? {
        Some(glob) => rule.content_type(glob),
        None => rule,
    };
    Ok(match table.status {
        Some(status) => rule.status(status),
        None => rule,
    })
}

fn cors(source: &Source<'_>, table: &Spanned<CorsTable>) -> Result<Cors, ConfigError> {
    let list =
        |key, texts: &Option<Vec<Text>>| texts.as_ref().map(|texts| source.list(key, texts)).transpose();
    let span = table.span();
    let table = table.get_ref();
    let Some(origins) = list("origins", &table.origins)? else {
        let message = "cors needs origins, like [\"https://app.example.com\"], or [\"*\"] for any";
        return Err(source.error(ConfigErrorKind::Missing, span, message));
    };
    let mut cors = Cors::origins(origins);
    if let Some(methods) = list("methods", &table.methods)? {
        cors = cors.methods(methods);
    }
    if let Some(names) = list("headers", &table.headers)? {
        cors = cors.allow_only_headers(names);
    }
    if let Some(names) = list("expose", &table.expose)? {
        cors = cors.expose_only_headers(names);
    }
    if let Some(limit) = table.max_age_secs {
        cors = cors.max_age(Duration::from_secs(limit));
    }
    Ok(match table.credentials {
        true => cors.allow_credentials(),
        false => cors,
    })
}

fn hotlinks(source: &Source<'_>, table: &HotlinksTable) -> Result<Hotlinks, ConfigError> {
    let none_given = if table.none_given == Some(false) { NoneGiven::Refused } else { NoneGiven::Allowed };
    Ok(Hotlinks::allow(source.list("allow", &table.allow)?).none_given(none_given))
}

fn answers(
    source: &Source<'_>,
    table: &MountTable,
    builder: MountBuilder,
) -> Result<MountBuilder, ConfigError> {
    let content_types =
        [("by-extension", ContentTypeFix::ByExtension), ("as-stored", ContentTypeFix::AsStored)];
    let denied = [
        ("not-found", DeniedAnswer::NotFound),
        ("forbidden", DeniedAnswer::Forbidden),
        ("auto", DeniedAnswer::Auto),
    ];
    let bad_paths = [("not-found", BadPathAnswer::NotFound), ("bad-request", BadPathAnswer::BadRequest)];
    let fallbacks = [("none", Fallback::None), ("inner", Fallback::Inner)];
    let errors = [("plain", ErrorFormat::Plain), ("problem-json", ErrorFormat::ProblemJson)];

    let content_type = source.choice("content_type", table.content_type.as_ref(), content_types)?;
    let denied = source.choice("denied", table.denied.as_ref(), denied)?;
    let bad_path = source.choice("bad_path", table.bad_path.as_ref(), bad_paths)?;
    let fallback = source.choice("fallback", table.fallback.as_ref(), fallbacks)?;
    let errors = source.choice("errors", table.errors.as_ref(), errors)?;

    let mut builder = set(builder, content_type, MountBuilder::content_type);
    for (extension, value) in &table.content_types {
        builder = builder.content_type_of(extension, source.value("content_types", value)?);
    }
    let builder = set(builder, denied, MountBuilder::denied);
    let builder = set(builder, bad_path, MountBuilder::bad_path);
    let builder = set(builder, fallback, MountBuilder::fallback);
    Ok(set(builder, errors, MountBuilder::error_format))
}

fn credentials(
    source: &Source<'_>,
    table: &MountTable,
    named: &NamedCredentials,
) -> Result<FileCredentials, ConfigError> {
    let keys = [&table.access_key_id, &table.secret_access_key, &table.session_token].map(Option::as_ref);
    let contradiction =
        |text: &Text, message| Err(source.error(ConfigErrorKind::Contradiction, text.span(), message));
    if let Some(key) = keys.iter().flatten().find(|_| table.anonymous) {
        return contradiction(key, "anonymous = true and keys contradict each other: leave out one of them");
    }
    let Some(name) = &table.credentials else {
        return Ok(match credentials::keys(source, keys)? {
            Some(keys) => FileCredentials::Keys(keys),
            None if table.anonymous => FileCredentials::Anonymous,
            None => FileCredentials::Default,
        });
    };
    if table.anonymous {
        let message = "credentials and anonymous = true contradict each other: leave out one of them";
        return contradiction(name, message);
    }
    if keys.iter().any(Option::is_some) {
        return contradiction(name, "credentials and keys contradict each other: leave out one of them");
    }
    Ok(FileCredentials::Named(credentials::check_name(source, "credentials", name, named)?))
}
