use std::fmt;

use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{
        CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_RANGE, CONTENT_TYPE,
        EXPIRES, IF_MATCH, IF_NONE_MATCH, IF_UNMODIFIED_SINCE, TRANSFER_ENCODING,
    },
};

use crate::{
    config::{Overwrite, WritePolicy},
    error::ProxyErrorKind,
    links::Checksum,
    object::ObjectKey,
    response::ContentTypes,
};

/// What S3 gets of a request that writes, as the mount's rules have it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Those of the object. Each name once.
    pub(crate) fields: Vec<(HeaderName, HeaderValue)>,
    pub(crate) conditions: Vec<(HeaderName, HeaderValue)>,
    /// Whether the mount itself demands that the object does not exist.
    pub(crate) protects: bool,
    /// With which the client wants its body compared.
    pub(crate) checksums: Vec<(Checksum, HeaderValue)>,
}

/// Why a request that writes is refused before S3 hears of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WriteRefusal {
    /// The name of a field that is not for clients, or that comes twice.
    Field(HeaderName),
    /// A part of an object can't be written (RFC 9110 §14.5).
    Part,
    /// S3 can't check this condition while it writes.
    Condition(HeaderName),
    Type,
    /// The client wants to replace an object, and the mount replaces none.
    Overwrite,
    Query,
    TooLarge,
    /// Nothing says whether there is a body.
    Length,
}

// === impl Asked ===

impl Asked {
    pub(crate) fn new(
        policy: &WritePolicy,
        content_types: &ContentTypes,
        method: &Method,
        key: &ObjectKey,
        client: &HeaderMap,
    ) -> Result<Self, WriteRefusal> {
        let mut asked = Self::default();
        for name in client.keys() {
            match kind(name) {
                // What the server has not taken off would be stored as if it were the object (RFC 9112 §6.1).
                Kind::Other
                    if *name == TRANSFER_ENCODING
                        && !only(client, name)?.1.as_bytes().eq_ignore_ascii_case(b"chunked") =>
                {
                    return Err(WriteRefusal::Field(name.clone()));
                }
                Kind::Other => {}
                Kind::Object if *method == Method::PUT => asked.fields.push(of_object(client, name)?),
                Kind::Metadata(meta) if *method == Method::PUT => {
                    if !policy.takes_metadata(meta) {
                        return Err(WriteRefusal::Field(name.clone()));
                    }
                    asked.fields.push(only(client, name)?);
                }
                Kind::Checksum(checksum) if *method == Method::PUT => {
                    asked.checksums.push((checksum, well_formed(client, name, checksum)?));
                }
                // They say nothing of a deletion.
                Kind::Object | Kind::Metadata(_) | Kind::Checksum(_) => {}
                Kind::Condition => asked.conditions.push(condition(client, name, method)?),
                Kind::Part => return Err(WriteRefusal::Part),
                Kind::Uncheckable => return Err(WriteRefusal::Condition(name.clone())),
                Kind::Refused => return Err(WriteRefusal::Field(name.clone())),
            }
        }
        if *method == Method::PUT {
            asked.complete(policy, content_types, key)?;
        }
        Ok(asked)
    }

    /// Adds what the mount has of its own.
    fn complete(
        &mut self,
        policy: &WritePolicy,
        content_types: &ContentTypes,
        key: &ObjectKey,
    ) -> Result<(), WriteRefusal> {
        let told = self.fields.iter().find(|(name, _)| name == CONTENT_TYPE).map(|(_, value)| value.clone());
        let content_type = content_types.apply(key, told);
        if !policy.takes_type(content_type.as_ref()) {
            return Err(WriteRefusal::Type);
        }
        self.fields.retain(|(name, _)| name != CONTENT_TYPE);
        self.fields.extend(content_type.map(|value| (CONTENT_TYPE, value)));
        let class = policy.storage_class.clone();
        self.fields
            .extend(class.map(|class| (const { HeaderName::from_static("x-amz-storage-class") }, class)));
        match policy.overwrite {
            Overwrite::Refused if self.replaces() => return Err(WriteRefusal::Overwrite),
            Overwrite::Refused if !self.creates() => {
                self.conditions.push((IF_NONE_MATCH, const { HeaderValue::from_static("*") }));
                self.protects = true;
            }
            Overwrite::Refused | Overwrite::Allowed => {}
        }
        Ok(())
    }

    /// Whether the object can't have existed before, if S3 has written it.
    pub(crate) fn creates(&self) -> bool {
        self.conditions.iter().any(|(name, _)| name == IF_NONE_MATCH)
    }

    /// Whether it must have existed before.
    pub(crate) fn replaces(&self) -> bool {
        self.conditions.iter().any(|(name, _)| name == IF_MATCH) && !self.creates()
    }
}

/// What a field of a client is about.
enum Kind<'n> {
    Object,
    /// By its name.
    Metadata(&'n str),
    Checksum(Checksum),
    Condition,
    Part,
    Uncheckable,
    /// It would do more than to write this object: copy another, give rights, lock, tag, or choose a key.
    Refused,
    Other,
}

fn kind(name: &HeaderName) -> Kind<'_> {
    let text = name.as_str();
    match *name {
        CONTENT_TYPE | CONTENT_ENCODING | CONTENT_LANGUAGE | CONTENT_DISPOSITION | CACHE_CONTROL
        | EXPIRES => Kind::Object,
        IF_MATCH | IF_NONE_MATCH => Kind::Condition,
        IF_UNMODIFIED_SINCE => Kind::Uncheckable,
        CONTENT_RANGE => Kind::Part,
        _ => match (Checksum::of_field(name), text.strip_prefix("x-amz-")) {
            (Some(checksum), _) => Kind::Checksum(checksum),
            (None, None) => Kind::Other,
            (None, Some(rest)) => rest.strip_prefix("meta-").map_or(Kind::Refused, Kind::Metadata),
        },
    }
}

fn well_formed(
    client: &HeaderMap,
    name: &HeaderName,
    checksum: Checksum,
) -> Result<HeaderValue, WriteRefusal> {
    let (name, value) = only(client, name)?;
    let is_one = value.to_str().is_ok_and(|text| checksum.is_well_formed(text));
    if is_one { Ok(value) } else { Err(WriteRefusal::Field(name)) }
}

fn of_object(client: &HeaderMap, name: &HeaderName) -> Result<(HeaderName, HeaderValue), WriteRefusal> {
    let (name, value) = only(client, name)?;
    // S3's own clients send their bodies so, in a coding that is taken off on the way.
    let is_coded = name == CONTENT_ENCODING
        && value.to_str().is_ok_and(|text| text.to_ascii_lowercase().contains("aws-chunked"));
    if is_coded { Err(WriteRefusal::Field(name)) } else { Ok((name, value)) }
}

/// The one value of a field, in visible ASCII: with anything else clients, S3 and signatures do not agree.
fn only(client: &HeaderMap, name: &HeaderName) -> Result<(HeaderName, HeaderValue), WriteRefusal> {
    let mut values = client.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) if value.to_str().is_ok() => Ok((name.clone(), value.clone())),
        _ => Err(WriteRefusal::Field(name.clone())),
    }
}

/// S3 checks one tag of `If-Match`, of a deletion also `*`, and of `If-None-Match` only `*` for what is written ([S3 user guide,
/// "Conditional writes"](https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html)).
fn condition(
    client: &HeaderMap,
    name: &HeaderName,
    method: &Method,
) -> Result<(HeaderName, HeaderValue), WriteRefusal> {
    let uncheckable = || WriteRefusal::Condition(name.clone());
    let (name, value) = only(client, name).map_err(|_| uncheckable())?;
    let text = value.to_str().unwrap_or_default().trim();
    let is_checkable = match name {
        IF_NONE_MATCH => text == "*" && *method == Method::PUT,
        _ if text == "*" => *method == Method::DELETE,
        // A weak tag never matches (RFC 9110 §13.1.1), and S3 is not asked to know that.
        _ => text.len() > 2 && text.starts_with('"') && text.ends_with('"') && !text.contains(','),
    };
    if is_checkable { Ok((name, value)) } else { Err(uncheckable()) }
}

// === impl WriteRefusal ===

impl WriteRefusal {
    pub(crate) fn kind(&self) -> ProxyErrorKind {
        match self {
            Self::Field(_) | Self::Part | Self::Condition(_) => ProxyErrorKind::BadField,
            Self::Type => ProxyErrorKind::UnsupportedType,
            Self::Overwrite => ProxyErrorKind::Exists,
            Self::Query => ProxyErrorKind::BadQuery,
            Self::TooLarge => ProxyErrorKind::TooLarge,
            Self::Length => ProxyErrorKind::LengthRequired,
        }
    }
}

impl fmt::Display for WriteRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => write!(f, "{name} is not for clients, is malformed, or comes twice"),
            Self::Part => f.write_str("a part of an object can't be written: Content-Range"),
            Self::Condition(name) => write!(f, "S3 can't check this {name} while it writes"),
            Self::Type => f.write_str("the mount does not store this content type"),
            Self::Overwrite => f.write_str("the mount overwrites nothing (allow_overwrite)"),
            Self::Query => f.write_str("a request that writes has no query"),
            Self::TooLarge => f.write_str("it is larger than max_size"),
            Self::Length => f.write_str("it has neither Content-Length nor Transfer-Encoding"),
        }
    }
}

impl std::error::Error for WriteRefusal {}
