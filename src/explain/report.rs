use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{
        CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_MATCH, IF_MODIFIED_SINCE,
        IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, LAST_MODIFIED, RANGE, SET_COOKIE, VARY,
    },
};
use serde_json::{Map, Value, json};

use super::Asked;
use crate::{
    body::ObjectBody,
    config::Mount,
    error::ProxyError,
    explained::{Ask, Facts},
    object::{BucketName, ObjectKey, Validators, VersionId},
    proxy::NamedObject,
    request::{Conditions, IfRange, Verdict},
};

/// What an explanation is made of.
pub(crate) struct Report<'r> {
    pub(crate) asked: &'r Asked,
    /// The mount that claims the request.
    pub(crate) mount: Option<&'r Mount>,
    /// The object that its path names.
    pub(crate) named: Option<NamedObject>,
    pub(crate) facts: &'r Facts,
    /// `None` if the inner service answers.
    pub(crate) response: Option<&'r Response<ObjectBody>>,
}

/// Those of a credential: they are not repeated.
const SECRET: [&str; 3] = ["authorization", "cookie", "x-explain"];

const X_EXPLAIN: HeaderName = HeaderName::from_static("x-explain");

// === impl Report ===

impl Report<'_> {
    pub(crate) fn into_response(self) -> Response<ObjectBody> {
        let body = self.to_json().to_string() + "\n";
        let mut response = Response::new(ObjectBody::default());
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, const { HeaderValue::from_static("application/json") });
        headers.insert(CACHE_CONTROL, const { HeaderValue::from_static("no-store") });
        headers.insert(X_EXPLAIN, const { HeaderValue::from_static("1") });
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        *response.body_mut() = ObjectBody::from(bytes::Bytes::from(body));
        response
    }

    fn to_json(&self) -> Value {
        let (bucket, key, edition) = match &self.named {
            Some((bucket, key, edition)) => (bucket.as_ref(), Some(key), Some(edition)),
            None => (None, None, None),
        };
        let version = edition.and_then(|edition| edition.version.as_ref());
        json!({
            "request": { "method": "GET", "path": self.asked.uri.path(), "fields": fields(&self.asked.headers) },
            "mount": self.mount.map(Mount::path),
            "bucket": bucket.map(BucketName::as_str),
            "key": key.map(ObjectKey::as_str),
            "version": version.map(VersionId::as_str),
            "answer": self.answer(),
            "conditions": self.conditions(),
            "range": self.range(),
            "cache": self.cache(),
            "cache_control": self.cache_control(),
            "s3": self.facts.asks.iter().map(ask).collect::<Value>(),
            "retries": self.retries(),
        })
    }

    fn answer(&self) -> Value {
        let Some(response) = self.response else { return json!({ "by": "the inner service" }) };
        let mut answer = json!({
            "by": "the mount",
            "status": response.status().as_u16(),
            "fields": fields(response.headers()),
        });
        if let (Some(error), Some(answer)) =
            (response.extensions().get::<ProxyError>(), answer.as_object_mut())
        {
            answer.insert("error".to_owned(), error.kind().code().into());
            answer.insert("id".to_owned(), error.id().into());
            answer.insert("why".to_owned(), why(error).into());
        }
        answer
    }

    /// The state of the object that the answer is about.
    fn state(&self) -> HeaderMap {
        let of_answer = self.response.map(Response::headers);
        let told = |name: &HeaderName| of_answer.and_then(|headers| headers.get(name));
        let tag = told(&ETAG).or(self.facts.tag.as_ref());
        let last_modified = told(&LAST_MODIFIED).or(self.facts.last_modified.as_ref());
        [(ETAG, tag), (LAST_MODIFIED, last_modified)]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?.clone())))
            .collect()
    }

    /// Each condition by itself, with the order of RFC 9110 §13.2.2.
    fn conditions(&self) -> Value {
        let (asked, state) = (&self.asked.headers, self.state());
        let verdict = |name: &HeaderName, value: &HeaderValue| {
            let outdone_by = match *name {
                IF_UNMODIFIED_SINCE if asked.contains_key(IF_MATCH) => Some("If-Match"),
                IF_MODIFIED_SINCE if asked.contains_key(IF_NONE_MATCH) => Some("If-None-Match"),
                _ => None,
            };
            if let Some(other) = outdone_by {
                return format!("ignored beside {other} (RFC 9110 §13.2.2)");
            }
            if state.is_empty() {
                return "not decided: no state of the object is known".to_owned();
            }
            let alone = Conditions::new(&HeaderMap::from_iter([(name.clone(), value.clone())]));
            match alone.evaluate(Validators::of(&state)) {
                _ if alone.is_empty() => "ignored: malformed".to_owned(),
                Verdict::Proceed => "holds".to_owned(),
                Verdict::NotModified => "not modified: 304".to_owned(),
                Verdict::Failed => "fails: 412".to_owned(),
            }
        };
        let names = [IF_MATCH, IF_UNMODIFIED_SINCE, IF_NONE_MATCH, IF_MODIFIED_SINCE];
        let all = names.into_iter().filter_map(|name| {
            let value = asked.get(&name)?;
            Some(json!({ "field": name.as_str(), "value": lossy(value), "verdict": verdict(&name, value) }))
        });
        let if_range = asked.get(IF_RANGE).map(|value| {
            let verdict = match IfRange::new(asked) {
                _ if !asked.contains_key(RANGE) => "ignored without Range (RFC 9110 §13.1.5)",
                Some(if_range) if if_range.fits(&state) => "holds: the range counts",
                Some(_) => "another state: the whole object",
                None => "ignored",
            };
            json!({ "field": IF_RANGE.as_str(), "value": lossy(value), "verdict": verdict })
        });
        all.chain(if_range).collect()
    }

    fn range(&self) -> Value {
        let Some(asked) = self.asked.headers.get(RANGE) else { return Value::Null };
        let told = self.response.map(|response| (response.status(), response.headers().get(CONTENT_RANGE)));
        let verdict = match told {
            Some((StatusCode::PARTIAL_CONTENT, Some(range))) => format!("served: {}", lossy(range)),
            Some((StatusCode::PARTIAL_CONTENT, None)) => "served: several parts".to_owned(),
            Some((StatusCode::RANGE_NOT_SATISFIABLE, _)) => "outside of the object: 416".to_owned(),
            Some((StatusCode::OK, _)) => "ignored: the whole object".to_owned(),
            Some(_) | None => "not decided".to_owned(),
        };
        json!({ "asked": lossy(asked), "verdict": verdict })
    }

    fn cache(&self) -> Value {
        if self.mount.is_none_or(|mount| mount.0.cache.is_none()) {
            return json!({ "status": null, "why": "the mount has no cache" });
        }
        let headers = self.response.map(Response::headers);
        let status =
            headers.and_then(|headers| headers.get_all("cache-status").iter().next_back()).map(lossy);
        let has = |part: &str| status.as_ref().is_some_and(|status| status.contains(part));
        let why = match () {
            () if has("not-storable") => {
                format!("not kept: {}", headers.map_or("", unstorable))
            }
            () if has("no-room") => {
                "not kept: larger than the largest object, or no room for one more read".to_owned()
            }
            () if has("origin-error") => "stale, since S3 failed".to_owned(),
            () if has("origin-slow") => "stale, since S3 is slow".to_owned(),
            () if has("hit; ttl=-") => "stale".to_owned(),
            () if has("hit") => "fresh".to_owned(),
            () if has("fwd=stale") => "it was stale, and S3 was asked".to_owned(),
            () if has("fwd=uri-miss") => "nothing of it was stored".to_owned(),
            () if has("fwd=request") => {
                "the client's Cache-Control asks for more than what is stored".to_owned()
            }
            () if has("fwd=partial") => "a part of it was stored".to_owned(),
            () if has("fwd=bypass") => "it is known that it must not be kept".to_owned(),
            () if has("fwd=miss") => "S3 answered with an error".to_owned(),
            () => "the cache was not asked".to_owned(),
        };
        json!({ "status": status, "why": why })
    }

    fn cache_control(&self) -> Value {
        let (Some(mount), Some(response)) = (self.mount, self.response) else { return Value::Null };
        let headers = response.headers();
        let value = headers.get(CACHE_CONTROL).map(lossy);
        let policy = &mount.0.cache_control;
        let from = match &self.named {
            _ if response.status().is_client_error() || response.status().is_server_error() => {
                "what errors have: no-store, or a rule for the status".to_owned()
            }
            Some((_, key, _)) if key.as_str().ends_with('/') => "what the mount has for a folder".to_owned(),
            Some((_, key, edition)) => policy.origin_of(key, edition, headers),
            None => "the mount".to_owned(),
        };
        json!({ "value": value, "from": from })
    }

    /// Requests to S3 that asked the same again.
    fn retries(&self) -> usize {
        let asks = &self.facts.asks;
        let is_same = |a: &Ask, b: &Ask| (a.method, &a.key, &a.range) == (b.method, &b.key, &b.range);
        asks.iter().zip(asks.iter().skip(1)).filter(|(a, b)| is_same(a, b)).count()
    }
}

/// The error and its causes, for whoever has the token.
fn why(error: &ProxyError) -> String {
    crate::error::in_one_line(error)
}

/// Which field forbids to keep a response.
fn unstorable(headers: &HeaderMap) -> &'static str {
    let control = headers.get(CACHE_CONTROL).map(lossy).unwrap_or_default().to_ascii_lowercase();
    if control.contains("no-store") {
        "Cache-Control: no-store"
    } else if control.contains("private") {
        "Cache-Control: private"
    } else if headers.contains_key(SET_COOKIE) {
        "it has a cookie, and no Cache-Control: public"
    } else if headers.contains_key(VARY) {
        "it varies by a field of the request"
    } else {
        "its fields forbid it"
    }
}

fn ask(ask: &Ask) -> Value {
    let Ask { method, bucket, key, range, took, answer, request_id, code } = ask;
    json!({
        "method": method,
        "bucket": bucket,
        "key": key,
        "range": range.as_ref().map(lossy),
        "milliseconds": took.as_secs_f64() * 1000.0,
        "status": answer.as_ref().ok(),
        "error": answer.as_ref().err(),
        "code": code,
        "request_id": request_id.as_ref().map(lossy),
    })
}

fn fields(headers: &HeaderMap) -> Value {
    let mut fields = Map::new();
    for name in headers.keys() {
        let lines = headers.get_all(name).iter().map(lossy).collect::<Vec<_>>().join(", ");
        let told = if SECRET.contains(&name.as_str()) { "(not shown)".to_owned() } else { lines };
        fields.insert(name.as_str().to_owned(), told.into());
    }
    Value::Object(fields)
}

fn lossy(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}
