use std::{borrow::Cow, fmt};

use http::Method;

use super::token::Schemes;
use crate::{
    cache::{PurgeMode, PurgeTarget},
    object::{BucketName, InvalidBucketName, InvalidKey, ObjectKey, decode_once},
};

/// A request to the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Order {
    Purge(PurgeTarget, PurgeMode),
    /// The body names the objects.
    PurgeByEvent(PurgeMode),
    Stats,
    Warm(PurgeTarget),
    Reload,
}

/// Why a request is not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Misorder {
    NoSuchPath,
    Method { allowed: &'static str },
    Query(BadQuery),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BadQuery {
    Unknown(String),
    Repeated(&'static str),
    Encoding(InvalidKey),
    /// A flag with a value other than `true` or none: `all=false` must not purge everything.
    NoFlag(&'static str),
    NoTarget,
    SeveralTargets,
    NoBucket,
    StrayBucket,
    Bucket(InvalidBucketName),
    Key(InvalidKey),
}

/// The path of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Purge,
    Events,
    Stats,
    Warm,
    Reload,
    Nowhere,
}

// === impl Place ===

impl Place {
    pub(super) fn at(path: &str) -> Self {
        match path {
            "/purge" => Self::Purge,
            "/events" => Self::Events,
            "/stats" => Self::Stats,
            "/warm" => Self::Warm,
            "/reload" => Self::Reload,
            _ => Self::Nowhere,
        }
    }

    /// The schemes by which a token can be shown for this path.
    pub(super) fn schemes(self) -> Schemes {
        match self {
            Self::Events => Schemes::BearerOrBasic,
            Self::Purge | Self::Stats | Self::Warm | Self::Reload | Self::Nowhere => Schemes::Bearer,
        }
    }
}

// === impl Order ===

impl Order {
    /// `only_bucket` is the bucket of requests that name none, if there is but one.
    pub(super) fn parse(
        place: Place,
        method: &Method,
        query: Option<&str>,
        only_bucket: impl FnOnce() -> Option<BucketName>,
    ) -> Result<Self, Misorder> {
        let (methods, allowed): (&[&str], _) = match place {
            // `PURGE` is the method of Varnish and nginx.
            Place::Purge => (&["POST", "DELETE", "PURGE"], "POST, DELETE, PURGE"),
            Place::Events | Place::Warm | Place::Reload => (&["POST"], "POST"),
            Place::Stats => (&["GET", "HEAD"], "GET, HEAD"),
            Place::Nowhere => return Err(Misorder::NoSuchPath),
        };
        if !methods.contains(&method.as_str()) {
            return Err(Misorder::Method { allowed });
        }
        let asked = Asked::parse(query.unwrap_or_default())?;
        Ok(match place {
            Place::Purge => {
                let mode = asked.mode()?;
                Self::Purge(asked.target(only_bucket)?, mode)
            }
            Place::Events => Self::PurgeByEvent(asked.mode_alone()?),
            Place::Stats => Self::Stats,
            Place::Warm | Place::Reload if asked.soft.is_some() => {
                return Err(BadQuery::Unknown("soft".to_owned()).into());
            }
            Place::Warm => Self::Warm(asked.target(only_bucket)?),
            Place::Reload => asked.mode_alone().map(|_| Self::Reload)?,
            Place::Nowhere => return Err(Misorder::NoSuchPath),
        })
    }
}

/// The parameters, each at most once: we do not guess which of two counts.
#[derive(Debug, Default)]
struct Asked<'q> {
    bucket: Option<Cow<'q, str>>,
    key: Option<Cow<'q, str>>,
    prefix: Option<Cow<'q, str>>,
    all: Option<Cow<'q, str>>,
    soft: Option<Cow<'q, str>>,
}

// === impl Asked ===

impl<'q> Asked<'q> {
    fn parse(query: &'q str) -> Result<Self, BadQuery> {
        let mut asked = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, slot) = match name {
                "bucket" => ("bucket", &mut asked.bucket),
                "key" => ("key", &mut asked.key),
                "prefix" => ("prefix", &mut asked.prefix),
                "all" => ("all", &mut asked.all),
                "soft" => ("soft", &mut asked.soft),
                other => return Err(BadQuery::Unknown(other.to_owned())),
            };
            if slot.replace(decode_form(value)?).is_some() {
                return Err(BadQuery::Repeated(name));
            }
        }
        Ok(asked)
    }

    fn mode(&self) -> Result<PurgeMode, BadQuery> {
        Ok(if flag("soft", self.soft.as_deref())? { PurgeMode::Soft } else { PurgeMode::Hard })
    }

    /// The mode, where an event names the objects.
    fn mode_alone(&self) -> Result<PurgeMode, BadQuery> {
        let others =
            [("bucket", &self.bucket), ("key", &self.key), ("prefix", &self.prefix), ("all", &self.all)];
        match others.iter().find(|(_, value)| value.is_some()) {
            Some((name, _)) => Err(BadQuery::Unknown((*name).to_owned())),
            None => self.mode(),
        }
    }

    fn target(self, only: impl FnOnce() -> Option<BucketName>) -> Result<PurgeTarget, BadQuery> {
        let all = flag("all", self.all.as_deref())?;
        let bucket = || -> Result<BucketName, BadQuery> {
            match self.bucket.as_deref() {
                Some(name) => BucketName::parse(name).map_err(BadQuery::Bucket),
                None => only().ok_or(BadQuery::NoBucket),
            }
        };
        match (self.key, self.prefix, all) {
            (Some(key), None, false) => Ok(PurgeTarget::Object {
                bucket: bucket()?,
                key: ObjectKey::new(key).map_err(BadQuery::Key)?,
            }),
            (None, Some(prefix), false) => {
                Ok(PurgeTarget::Prefix { bucket: bucket()?, prefix: prefix.into_owned() })
            }
            (None, None, true) if self.bucket.is_some() => Err(BadQuery::StrayBucket),
            (None, None, true) => Ok(PurgeTarget::Everything),
            (None, None, false) => Err(BadQuery::NoTarget),
            (Some(_), Some(_), _) | (Some(_), None, true) | (None, Some(_), true) => {
                Err(BadQuery::SeveralTargets)
            }
        }
    }
}

fn flag(name: &'static str, value: Option<&str>) -> Result<bool, BadQuery> {
    match value {
        None => Ok(false),
        Some("" | "1" | "true") => Ok(true),
        Some(_) => Err(BadQuery::NoFlag(name)),
    }
}

/// Decodes a value as forms, `URLSearchParams` and `curl --data-urlencode` write it: `+` is a space.
fn decode_form(value: &str) -> Result<Cow<'_, str>, BadQuery> {
    if value.contains('+') {
        let value = value.replace('+', " ");
        return Ok(Cow::Owned(decode_once(&value).map_err(BadQuery::Encoding)?.into_owned()));
    }
    decode_once(value).map_err(BadQuery::Encoding)
}

// === impl Misorder ===

impl From<BadQuery> for Misorder {
    fn from(query: BadQuery) -> Self {
        Self::Query(query)
    }
}

// === impl BadQuery ===

impl fmt::Display for BadQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => write!(f, "parameter {name:?} is unknown here"),
            Self::Repeated(name) => write!(f, "parameter {name:?} appears more than once"),
            Self::Encoding(why) => write!(f, "a parameter is badly encoded: {why}"),
            Self::NoFlag(name) => write!(f, "parameter {name:?} takes no value except \"true\""),
            Self::NoTarget => {
                f.write_str("one of the parameters \"key\", \"prefix\" and \"all\" is required")
            }
            Self::SeveralTargets => {
                f.write_str("only one of the parameters \"key\", \"prefix\" and \"all\" is allowed")
            }
            Self::NoBucket => f.write_str("parameter \"bucket\" is required"),
            Self::StrayBucket => {
                f.write_str("\"all\" covers all buckets; for one bucket give an empty \"prefix\"")
            }
            Self::Bucket(why) => write!(f, "{why}"),
            // The phrases of `InvalidKey` are about paths.
            Self::Key(InvalidKey::Empty) => f.write_str("the key is empty"),
            Self::Key(why) => write!(f, "{why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(method: &str, target: &str) -> Result<Order, Misorder> {
        let (path, query) =
            target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        Order::parse(Place::at(path), &method.parse().unwrap(), query, || None)
    }

    fn bucket() -> BucketName {
        BucketName::parse("media").unwrap()
    }

    fn object(key: &str) -> PurgeTarget {
        PurgeTarget::Object { bucket: bucket(), key: ObjectKey::new(key).unwrap() }
    }

    fn prefix(prefix: &str) -> PurgeTarget {
        PurgeTarget::Prefix { bucket: bucket(), prefix: prefix.to_owned() }
    }

    #[test]
    fn orders_are_understood() {
        use PurgeMode::{Hard, Soft};

        for (method, target, expected) in [
            ("POST", "/purge?bucket=media&key=a/b.jpg", Order::Purge(object("a/b.jpg"), Hard)),
            ("DELETE", "/purge?key=a&bucket=media", Order::Purge(object("a"), Hard)),
            ("PURGE", "/purge?key=a&bucket=media&soft", Order::Purge(object("a"), Soft)),
            ("POST", "/purge?bucket=media&key=a+b%2Bc%26%25", Order::Purge(object("a b+c&%"), Hard)),
            ("POST", "/purge?bucket=media&key=%C3%BC//&soft=true", Order::Purge(object("ü//"), Soft)),
            ("POST", "/purge?bucket=media&key=a=b", Order::Purge(object("a=b"), Hard)),
            ("POST", "/purge?bucket=media&prefix=a%2F", Order::Purge(prefix("a/"), Hard)),
            ("POST", "/purge?bucket=media&prefix=&soft=1", Order::Purge(prefix(""), Soft)),
            ("POST", "/purge?all", Order::Purge(PurgeTarget::Everything, Hard)),
            ("POST", "/purge?all=true&&soft", Order::Purge(PurgeTarget::Everything, Soft)),
            ("POST", "/events", Order::PurgeByEvent(Hard)),
            ("POST", "/events?soft", Order::PurgeByEvent(Soft)),
            ("GET", "/stats", Order::Stats),
            ("HEAD", "/stats?", Order::Stats),
        ] {
            assert_eq!(order(method, target), Ok(expected), "{method} {target}");
        }
    }

    #[test]
    fn what_could_be_meant_otherwise_is_refused() {
        let bad_bucket = BucketName::parse("/").unwrap_err();
        for (method, target, expected) in [
            ("POST", "/", Misorder::NoSuchPath),
            ("POST", "/purge/", Misorder::NoSuchPath),
            ("POST", "/PURGE?all", Misorder::NoSuchPath),
            ("GET", "/purge?all", Misorder::Method { allowed: "POST, DELETE, PURGE" }),
            ("post", "/purge?all", Misorder::Method { allowed: "POST, DELETE, PURGE" }),
            ("DELETE", "/events", Misorder::Method { allowed: "POST" }),
            ("POST", "/stats", Misorder::Method { allowed: "GET, HEAD" }),
            ("POST", "/purge", BadQuery::NoTarget.into()),
            ("POST", "/purge?soft", BadQuery::NoTarget.into()),
            ("POST", "/purge?bucket=media", BadQuery::NoTarget.into()),
            ("POST", "/purge?key=a", BadQuery::NoBucket.into()),
            ("POST", "/purge?prefix=", BadQuery::NoBucket.into()),
            ("POST", "/purge?all=false", BadQuery::NoFlag("all").into()),
            ("POST", "/purge?all&soft=0", BadQuery::NoFlag("soft").into()),
            ("POST", "/purge?all&bucket=media", BadQuery::StrayBucket.into()),
            ("POST", "/purge?all&key=a", BadQuery::SeveralTargets.into()),
            ("POST", "/purge?bucket=media&key=a&prefix=a", BadQuery::SeveralTargets.into()),
            ("POST", "/purge?bucket=media&key=a&key=b", BadQuery::Repeated("key").into()),
            ("POST", "/purge?bucket=media&Key=a", BadQuery::Unknown("Key".to_owned()).into()),
            ("POST", "/purge?bucket=media&key=%zz", BadQuery::Encoding(InvalidKey::BadEscape).into()),
            ("POST", "/purge?bucket=media&key=%ff+", BadQuery::Encoding(InvalidKey::NotUtf8).into()),
            ("POST", "/purge?bucket=media&key=", BadQuery::Key(InvalidKey::Empty).into()),
            ("POST", "/purge?bucket=media&key=../a", BadQuery::Key(InvalidKey::DotSegment).into()),
            ("POST", "/purge?bucket=/&key=a", BadQuery::Bucket(bad_bucket).into()),
            ("POST", "/events?all", BadQuery::Unknown("all".to_owned()).into()),
            ("GET", "/stats?x=y", BadQuery::Unknown("x".to_owned()).into()),
        ] {
            assert_eq!(order(method, target), Err(expected), "{method} {target}");
        }
    }
}
