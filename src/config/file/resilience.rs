//! What a mount does when S3 fails: the tables `[mount.retry]`, `[mount.circuit_breaker]`, `[mount.hedge]`,
//! `[mount.budget]` and `[mount.replica]`.

use std::time::Duration;

use toml::Spanned;

use super::{
    FileCredentials, Shared, cache,
    config_file::FileReplica,
    mount,
    source::Source,
    table::{BudgetTable, CircuitBreakerTable, HedgeTable, MountTable, ReplicaTable, RetryTable},
};
use crate::{
    config::{AbsentObject, MountBuilder, ReplicaCache},
    error::{ConfigError, ConfigErrorKind},
    origin::{Budget, CircuitBreaker, Hedging, RetryPolicy, UsedUpAnswer},
};

pub(super) fn of_mount(
    source: &Source<'_>,
    table: &MountTable,
    mut builder: MountBuilder,
) -> Result<MountBuilder, ConfigError> {
    if let Some(table) = &table.retry {
        builder = builder.retry(retry(table.get_ref()));
    }
    if let Some(table) = &table.circuit_breaker {
        builder = builder.circuit_breaker(circuit_breaker(table.get_ref()));
    }
    if let Some(table) = &table.hedge {
        builder = builder.hedge(hedge(table.get_ref()));
    }
    if let Some(budget) = budget(source, table)? {
        builder = builder.budget(budget);
    }
    Ok(builder)
}

/// The budget, which a mount at the same place goes on with when the file is read anew.
fn budget(source: &Source<'_>, of: &MountTable) -> Result<Option<Budget>, ConfigError> {
    let Some(table) = &of.budget else { return Ok(None) };
    let BudgetTable { requests, bytes, day_begins, near, answer, state } = table.get_ref();
    let host = source.optional("host", of.host.as_ref())?.unwrap_or_default();
    let path = source.optional("path", of.path.as_ref())?.unwrap_or_else(|| "/".to_owned());
    let budget = set(Budget::default().name(format!("mount {host}{path}")), *requests, Budget::requests);
    let bytes = bytes.as_ref().map(|size| cache::bytes(source, "bytes", size)).transpose()?;
    let budget = set(budget, bytes, Budget::bytes);
    let begins = day_begins.as_ref().map(|text| {
        let time = time_of_day(&source.value("day_begins", text)?);
        let message = format!("day_begins {:?}: must be a time in UTC, like \"06:30\"", text.get_ref().0);
        time.ok_or_else(|| source.error(ConfigErrorKind::InvalidValue, text.span(), message))
    });
    let budget = set(budget, begins.transpose()?, Budget::day_begins);
    let answers = [("503", UsedUpAnswer::Unavailable), ("429", UsedUpAnswer::TooManyRequests)];
    let budget = set(budget, *near, Budget::near);
    let budget = set(budget, source.choice("answer", answer.as_ref(), answers)?, Budget::answer);
    Ok(Some(set(budget, source.unless_empty("state", state.as_ref())?, Budget::state)))
}

/// `HH:MM` after midnight.
fn time_of_day(text: &str) -> Option<Duration> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |digits: &str, below: u64| {
        let is_number = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse::<u64>().ok().filter(|number| is_number && *number < below)
    };
    Some(Duration::from_secs(number(hours, 24)? * 3600 + number(minutes, 60)? * 60))
}

fn retry(table: &RetryTable) -> RetryPolicy {
    let RetryTable { max_attempts, first_pause_ms, longest_pause_ms, deadline_ms } = table;
    let policy = set(RetryPolicy::default(), *max_attempts, RetryPolicy::max_attempts);
    let policy = set(policy, first_pause_ms.map(Duration::from_millis), RetryPolicy::first_pause);
    let policy = set(policy, longest_pause_ms.map(Duration::from_millis), RetryPolicy::longest_pause);
    set(policy, deadline_ms.map(Duration::from_millis), RetryPolicy::deadline)
}

fn circuit_breaker(table: &CircuitBreakerTable) -> CircuitBreaker {
    let CircuitBreakerTable { enabled, failures, interval_ms } = table;
    if *enabled == Some(false) {
        return CircuitBreaker::never();
    }
    let policy = set(CircuitBreaker::default(), *failures, CircuitBreaker::failures);
    set(policy, interval_ms.map(Duration::from_millis), CircuitBreaker::interval)
}

fn hedge(table: &HedgeTable) -> Hedging {
    let HedgeTable { quantile, at_least_ms, per_thousand } = table;
    let policy = set(Hedging::default(), *quantile, Hedging::quantile);
    let policy = set(policy, at_least_ms.map(Duration::from_millis), Hedging::at_least);
    set(policy, *per_thousand, Hedging::per_thousand)
}

fn set<P, T>(policy: P, value: Option<T>, method: impl FnOnce(P, T) -> P) -> P {
    match value {
        Some(value) => method(policy, value),
        None => policy,
    }
}

/// The replica of a mount that has these credentials.
pub(super) fn replica(
    source: &Source<'_>,
    table: &Spanned<ReplicaTable>,
    of: &MountTable,
    credentials: &FileCredentials,
    number: usize,
    shared: &Shared<'_>,
) -> Result<FileReplica, ConfigError> {
    let span = table.span();
    let table = table.get_ref();
    let absent = [("missing", AbsentObject::Missing), ("ask-replica", AbsentObject::AskReplica)];
    let cache = [("shared", ReplicaCache::Shared), ("apart", ReplicaCache::Apart)];
    let absent = source.choice("absent", table.absent.as_ref(), absent)?.unwrap_or_default();
    let cache = source.choice("cache", table.cache.as_ref(), cache)?.unwrap_or_default();
    // Buckets that the path names have the same names there.
    let globs = of.buckets_from_path.clone().filter(|_| table.bucket.is_none());
    let has_own_credentials = table.anonymous || table.credentials.is_some() || table.access_key_id.is_some();
    let as_mount = MountTable {
        bucket: table.bucket.clone(),
        buckets_from_path: globs,
        region: table.region.clone(),
        endpoint_url: table.endpoint_url.clone(),
        path_style: table.path_style,
        connect_to: table.connect_to.clone(),
        anonymous: table.anonymous,
        credentials: table.credentials.clone(),
        access_key_id: table.access_key_id.clone(),
        secret_access_key: table.secret_access_key.clone(),
        session_token: table.session_token.clone(),
        transport: of.transport.clone(),
        ..MountTable::default()
    };
    let shared = Shared { cache: None, ..*shared };
    let mut mount = mount::read(source, &Spanned::new(span, as_mount), number, &shared)?;
    mount.place.push_str(", the replica");
    if !has_own_credentials {
        mount.credentials = credentials.clone();
    }
    if let Some(budget) = budget(source, of)? {
        mount.builder = mount.builder.budget(budget);
    }
    Ok(FileReplica { mount, absent, cache })
}
