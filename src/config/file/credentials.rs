//! The tables `[credentials.NAME]`, and the credentials of a mount.

mod load;
#[cfg(all(test, feature = "aws-config"))]
mod tests;

use std::{collections::BTreeMap, ops::Range, path::PathBuf, time::Duration};

use aws_credential_types::Credentials;
use toml::Spanned;

pub(super) use self::load::{default_source, load, settings};
use super::{
    source::Source,
    table::{CredentialsTable, Text},
};
use crate::{
    credentials::{ExternalId, RoleArn},
    error::{ConfigError, ConfigErrorKind},
};

/// All named credentials. Invariant: every `source` is one of them, and no chain leads back to itself.
pub(super) type NamedCredentials = BTreeMap<String, NamedSource>;

/// One table, parsed but not yet built, since building some takes an `await`.
pub(super) struct NamedSource {
    /// Its place in the file, with which error messages begin: `line 3, credentials "studio"`.
    place: String,
    spec: SourceSpec,
}

#[cfg_attr(not(feature = "aws-config"), expect(dead_code, reason = "they are read, and then refused"))]
enum SourceSpec {
    Anonymous,
    Keys(Credentials),
    Environment,
    Profile(String),
    DefaultChain { region: Option<String> },
    Role(Box<RoleSpec>),
    WebIdentity { identity: Option<(RoleArn, PathBuf)>, session: SessionSpec },
    Container,
    Instance { endpoint_url: Option<String> },
    Process(String),
}

#[cfg_attr(not(feature = "aws-config"), expect(dead_code, reason = "they are read, and then refused"))]
struct RoleSpec {
    role: RoleArn,
    external_id: Option<ExternalId>,
    policy: Option<String>,
    policy_arns: Vec<String>,
    /// Another of the file's credentials.
    source: Option<String>,
    session: SessionSpec,
}

#[cfg_attr(not(feature = "aws-config"), expect(dead_code, reason = "they are read, and then refused"))]
struct SessionSpec {
    name: Option<String>,
    duration: Option<Duration>,
    region: Option<String>,
    endpoint_url: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum SourceType {
    Anonymous,
    Keys,
    Environment,
    Profile,
    DefaultChain,
    Role,
    WebIdentity,
    Container,
    Instance,
    Process,
}

const TYPES: [(&str, SourceType); 10] = [
    ("keys", SourceType::Keys),
    ("environment", SourceType::Environment),
    ("profile", SourceType::Profile),
    ("default", SourceType::DefaultChain),
    ("assume-role", SourceType::Role),
    ("web-identity", SourceType::WebIdentity),
    ("container", SourceType::Container),
    ("instance", SourceType::Instance),
    ("process", SourceType::Process),
    ("anonymous", SourceType::Anonymous),
];

pub(super) fn read(
    source: &Source<'_>,
    tables: &BTreeMap<String, Spanned<CredentialsTable>>,
    file_region: Option<&str>,
) -> Result<NamedCredentials, ConfigError> {
    let mut named = NamedCredentials::new();
    for (name, table) in tables {
        let place = source.called(table.span(), format_args!("credentials {name:?}"));
        let spec = spec(source, table, &place, file_region)?;
        named.insert(name.clone(), NamedSource { place, spec });
    }
    for table in tables.values() {
        if let Some(text) = &table.get_ref().source {
            check_name(source, "source", text, &named)?;
        }
    }
    for (name, table) in tables {
        if let Some(text) = table.get_ref().source.as_ref().filter(|_| leads_back(name, &named)) {
            let message = format!("source: the credentials {name:?} would be assumed by themselves");
            return Err(source.error(ConfigErrorKind::Contradiction, text.span(), message));
        }
    }
    Ok(named)
}

/// Checks that the file has credentials of this name.
pub(super) fn check_name(
    source: &Source<'_>,
    key: &str,
    text: &Text,
    named: &NamedCredentials,
) -> Result<String, ConfigError> {
    let name = source.value(key, text)?;
    if named.contains_key(&name) {
        return Ok(name);
    }
    // As written, without the values of variables.
    let written = &text.get_ref().0;
    let message = format!("{key} {written:?}: the file has no table [credentials.{written}]");
    Err(source.error(ConfigErrorKind::Missing, text.span(), message))
}

/// The profile of the AWS CLI that these credentials are.
pub(super) fn profile_of<'n>(named: &'n NamedCredentials, name: &str) -> Option<&'n str> {
    match &named.get(name)?.spec {
        SourceSpec::Profile(profile) => Some(profile),
        _ => None,
    }
}

fn leads_back(name: &str, named: &NamedCredentials) -> bool {
    // A chain this long is a loop, perhaps without this member.
    let mut next = named.get(name).and_then(NamedSource::source);
    for _ in 0..named.len() {
        match next {
            Some(source) if source == name => return true,
            Some(source) => next = named.get(source).and_then(NamedSource::source),
            None => return false,
        }
    }
    false
}

fn spec(
    source: &Source<'_>,
    table: &Spanned<CredentialsTable>,
    place: &str,
    file_region: Option<&str>,
) -> Result<SourceSpec, ConfigError> {
    let table = table.get_ref();
    let Some(kind) = source.choice("type", table.r#type.as_ref(), TYPES)? else {
        let names = TYPES.map(|(name, _)| format!("{name:?}")).join(", ");
        let message = format!("{place}: type is missing: give one of {names}");
        return Err(ConfigError::new(ConfigErrorKind::Missing, message));
    };
    check_keys(source, table, kind)?;

    let text = |key, text: &Option<Text>| source.optional(key, text.as_ref());
    let missing = |keys: &str| {
        ConfigError::new(ConfigErrorKind::Missing, format!("{place}: a value is missing: give {keys}"))
    };
    let needed = |key: &str, text: &Option<Text>| match text {
        Some(text) => nonempty(source, key, text),
        None => Err(missing(key)),
    };
    let told = |key, text: &Option<Text>| source.unless_empty(key, text.as_ref());
    let region = || Ok(told("region", &table.region)?.or_else(|| file_region.map(str::to_owned)));
    let session = || -> Result<_, ConfigError> {
        Ok(SessionSpec {
            name: told("session_name", &table.session_name)?,
            duration: table.duration_secs.as_ref().map(|secs| Duration::from_secs(*secs.get_ref())),
            region: region()?,
            endpoint_url: told("sts_endpoint_url", &table.sts_endpoint_url)?,
        })
    };
    Ok(match kind {
        SourceType::Anonymous => SourceSpec::Anonymous,
        SourceType::Keys => {
            let keys = [&table.access_key_id, &table.secret_access_key, &table.session_token];
            match self::keys(source, keys.map(Option::as_ref))? {
                Some(keys) => SourceSpec::Keys(keys),
                None => return Err(missing("access_key_id and secret_access_key")),
            }
        }
        SourceType::Environment => SourceSpec::Environment,
        SourceType::Profile => SourceSpec::Profile(needed("profile", &table.profile)?),
        SourceType::DefaultChain => SourceSpec::DefaultChain { region: region()? },
        SourceType::Role => SourceSpec::Role(Box::new(RoleSpec {
            role: role_arn(source, table)?.ok_or_else(|| missing("role_arn"))?,
            external_id: external_id(source, table)?,
            policy: text("session_policy", &table.session_policy)?,
            policy_arns: source.list("policy_arns", &table.policy_arns)?,
            source: text("source", &table.source)?,
            session: session()?,
        })),
        SourceType::WebIdentity => {
            let identity = match (role_arn(source, table)?, text("token_file", &table.token_file)?) {
                (Some(role), Some(file)) => Some((role, PathBuf::from(file))),
                (None, None) => None,
                (Some(_), None) => return Err(missing("token_file")),
                (None, Some(_)) => return Err(missing("role_arn")),
            };
            SourceSpec::WebIdentity { identity, session: session()? }
        }
        SourceType::Container => SourceSpec::Container,
        SourceType::Instance => {
            SourceSpec::Instance { endpoint_url: told("endpoint_url", &table.endpoint_url)? }
        }
        SourceType::Process => SourceSpec::Process(needed("command", &table.command)?),
    })
}

/// A key, its place if it is present, and the types that use it.
type KeyOf<'a> = (&'a str, Option<Range<usize>>, &'a [SourceType]);

/// Refuses keys of other types, which would have no effect.
fn check_keys(source: &Source<'_>, table: &CredentialsTable, kind: SourceType) -> Result<(), ConfigError> {
    use SourceType::{DefaultChain, Instance, Keys, Process, Profile, Role, WebIdentity};

    let span = |text: &Option<Text>| text.as_ref().map(Spanned::span);
    let keys: [KeyOf<'_>; 16] = [
        ("access_key_id", span(&table.access_key_id), &[Keys]),
        ("secret_access_key", span(&table.secret_access_key), &[Keys]),
        ("session_token", span(&table.session_token), &[Keys]),
        ("profile", span(&table.profile), &[Profile]),
        ("role_arn", span(&table.role_arn), &[Role, WebIdentity]),
        ("external_id", span(&table.external_id), &[Role]),
        ("session_name", span(&table.session_name), &[Role, WebIdentity]),
        ("duration_secs", table.duration_secs.as_ref().map(Spanned::span), &[Role, WebIdentity]),
        ("session_policy", span(&table.session_policy), &[Role]),
        ("policy_arns", table.policy_arns.first().map(Spanned::span), &[Role]),
        ("source", span(&table.source), &[Role]),
        ("region", span(&table.region), &[DefaultChain, Role, WebIdentity]),
        ("sts_endpoint_url", span(&table.sts_endpoint_url), &[Role, WebIdentity]),
        ("token_file", span(&table.token_file), &[WebIdentity]),
        ("endpoint_url", span(&table.endpoint_url), &[Instance]),
        ("command", span(&table.command), &[Process]),
    ];
    let name_of = |kind| TYPES.iter().find(|(_, known)| *known == kind).map_or("", |(name, _)| name);
    let odd = keys.into_iter().find_map(|(key, span, kinds)| {
        span.filter(|_| !kinds.contains(&kind))
            .map(|span| (key, span, kinds.iter().map(|kind| name_of(*kind))))
    });
    match odd {
        Some((key, span, kinds)) => {
            let kinds = kinds.map(|kind| format!("{kind:?}")).collect::<Vec<_>>().join(" or ");
            let message = format!("{key} is for credentials of type {kinds}, and not {:?}", name_of(kind));
            Err(source.error(ConfigErrorKind::Contradiction, span, message))
        }
        None => Ok(()),
    }
}

fn role_arn(source: &Source<'_>, table: &CredentialsTable) -> Result<Option<RoleArn>, ConfigError> {
    let Some(text) = &table.role_arn else { return Ok(None) };
    let role = RoleArn::parse(source.value("role_arn", text)?).map_err(|why| {
        // As written, without the values of variables, which the cause would quote.
        let message = format!("role_arn {:?}: {why}", text.get_ref().0);
        source.error(ConfigErrorKind::InvalidValue, text.span(), message)
    })?;
    Ok(Some(role))
}

fn external_id(source: &Source<'_>, table: &CredentialsTable) -> Result<Option<ExternalId>, ConfigError> {
    let Some(text) = &table.external_id else { return Ok(None) };
    let id = ExternalId::parse(source.value("external_id", text)?).map_err(|why| {
        let message = format!("external_id: {why}");
        source.error(ConfigErrorKind::InvalidValue, text.span(), message).caused_by(why)
    })?;
    Ok(Some(id))
}

/// Access key, secret and token, in this order; `None` if there are none.
pub(super) fn keys(
    source: &Source<'_>,
    [id, secret, token]: [Option<&Text>; 3],
) -> Result<Option<Credentials>, ConfigError> {
    let missing = |text: &Text, message| Err(source.error(ConfigErrorKind::Missing, text.span(), message));
    match (id, secret, token) {
        (Some(id), Some(secret), token) => {
            let id = nonempty(source, "access_key_id", id)?;
            let secret = nonempty(source, "secret_access_key", secret)?;
            let token = source.unless_empty("session_token", token)?;
            Ok(Some(Credentials::new(id, secret, token, None, "configuration file")))
        }
        (Some(id), None, _) => missing(id, "access_key_id needs secret_access_key beside it"),
        (None, Some(secret), _) => missing(secret, "secret_access_key needs access_key_id beside it"),
        (None, None, Some(token)) => {
            missing(token, "session_token needs access_key_id and secret_access_key beside it")
        }
        (None, None, None) => Ok(None),
    }
}

/// A key's value. An empty variable is a deployment mistake, which S3 would only report as 403.
fn nonempty(source: &Source<'_>, key: &str, text: &Text) -> Result<String, ConfigError> {
    let value = source.value(key, text)?;
    if value.is_empty() {
        return Err(source.error(ConfigErrorKind::Missing, text.span(), format!("{key} is empty")));
    }
    Ok(value)
}

// === impl NamedSource ===

impl NamedSource {
    /// The credentials that assume it.
    fn source(&self) -> Option<&str> {
        match &self.spec {
            SourceSpec::Role(role) => role.source.as_deref(),
            _ => None,
        }
    }
}
