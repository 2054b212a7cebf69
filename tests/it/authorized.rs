//! Users who share one cache, and not its objects: many requests at once, each of some kind, and what each must be answered.
//!
//! `HOSTILE_FULL=1` asks ten times as often.

use std::ops::Range;

use bytes::Bytes;
use fastrand::Rng;
use http::{
    HeaderMap, HeaderValue,
    header::{AUTHORIZATION, COOKIE},
};
use tokio::task::JoinSet;
use tower_s3_proxy::{
    Cache,
    access::{Access, Authorizer, Denial},
};

use crate::support::{Answer, BUCKET, Client, Protocol, mount, proxy, request, s3, serve};

const USERS: [&str; 2] = ["ada", "grace"];
const WORKERS: u64 = 8;
/// Per user and in the folder that both can read.
const OBJECTS: usize = 12;

/// What was answered otherwise than it must be.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wrong {
    /// Bytes or fields of an object whose reader is denied it.
    leaks: usize,
    /// Denials of what the user can read.
    denials: usize,
    /// Other bytes than those asked for, or another status.
    others: usize,
}

/// What was right, so that neither side of the authorizer stays untried.
#[derive(Debug, Default)]
struct Right {
    read: usize,
    denied: usize,
    hits: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_of_one_cache_read_their_own_objects_and_no_others() {
    let count = if std::env::var_os("HOSTILE_FULL").is_some() { 8_000 } else { 800 };
    let s3 = s3().await;
    for folder in [USERS[0], USERS[1], "all"] {
        for number in 0..OBJECTS {
            s3.store().put(BUCKET, &format!("users/{folder}/{number}"), content(folder, number));
        }
    }
    // A third of what there is: objects come and go.
    let cache = Cache::builder(2 * 1024 * 1024).block_size(64 * 1024).build().unwrap();
    let builder = mount(&s3).at("/files").prefix("users").default_cache_control("max-age=60");
    let service = proxy(builder.cache(&cache).authorize(by_session()));
    let mut workers = JoinSet::new();
    for seed in 0..WORKERS {
        let service = service.clone();
        workers.spawn(async move {
            let protocol = if seed % 2 == 0 { Protocol::Http1 } else { Protocol::Http2 };
            let server = serve(protocol, service).await;
            let mut client = Client::connect(protocol, server.addr).await;
            let (mut rng, mut wrong, mut right) = (Rng::with_seed(seed), Wrong::default(), Right::default());
            for _ in 0..count / WORKERS {
                let ask = Ask::random(&mut rng);
                let answer = client.ask(ask.request()).await;
                ask.judge(&answer, &mut wrong, &mut right);
            }
            (wrong, right)
        });
    }
    let (mut wrong, mut right) = (Wrong::default(), Right::default());
    for (its_wrong, its_right) in workers.join_all().await {
        wrong.leaks += its_wrong.leaks;
        wrong.denials += its_wrong.denials;
        wrong.others += its_wrong.others;
        right.read += its_right.read;
        right.denied += its_right.denied;
        right.hits += its_right.hits;
    }
    println!("{count} requests: {right:?}, {wrong:?}");
    assert_eq!(wrong, Wrong::default());
    let least = usize::try_from(count / 8).unwrap();
    assert!(right.read > least && right.denied > least && right.hits > least, "{right:?}");
}

/// A session by bearer token, else by cookie: each user reads their own folder, and `all`.
fn by_session() -> Authorizer {
    Authorizer::new(|request| {
        let user = user(&request.head().headers);
        let key = request.key().as_str();
        let access = match user {
            None => Access::Deny(Denial::unauthorized(HeaderValue::from_static("Bearer"))),
            Some(user) if key.starts_with(&format!("users/{user}/")) => Access::Allow,
            Some(_) if key.starts_with("users/all/") => Access::Allow,
            Some(_) => Access::Deny(Denial::not_found()),
        };
        async move { Ok(access) }
    })
}

fn user(headers: &HeaderMap) -> Option<&'static str> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let bearer = text(AUTHORIZATION).map(|value| value.strip_prefix("Bearer ").unwrap_or(""));
    let cookie = || text(COOKIE)?.split("; ").find_map(|cookie| cookie.strip_prefix("session="));
    let session = bearer.or_else(cookie)?;
    USERS.into_iter().find(|user| session.strip_prefix("of-") == Some(user))
}

/// Every line names its owner, so that a leak of any range shows.
fn content(folder: &str, number: usize) -> Bytes {
    let line = line(folder, number);
    line.repeat(length(number) / line.len() + 1).into_bytes()[..length(number)].to_vec().into()
}

fn line(folder: &str, number: usize) -> String {
    format!("{folder} {number:02} ")
}

/// Of one block and of several.
fn length(number: usize) -> usize {
    1_000 + number * 31_000
}

/// One request.
#[derive(Debug)]
struct Ask {
    folder: &'static str,
    number: usize,
    method: &'static str,
    fields: Vec<(&'static str, String)>,
    range: Option<Range<usize>>,
    /// Who asks, as far as the session is one.
    user: Option<&'static str>,
}

// === impl Ask ===

impl Ask {
    fn random(rng: &mut Rng) -> Self {
        let number = rng.usize(..OBJECTS);
        let (known, other) = (rng.choice(USERS).unwrap(), rng.choice(USERS).unwrap());
        let mut fields = Vec::new();
        let user = match rng.u8(..8) {
            0..3 => {
                fields.push(("authorization", format!("Bearer of-{known}")));
                Some(known)
            }
            3..6 => {
                fields.push(("cookie", format!("a=b; session=of-{known}; c=d")));
                Some(known)
            }
            6 => {
                // The token counts.
                fields.push(("authorization", format!("Bearer of-{known}")));
                fields.push(("cookie", format!("session=of-{other}")));
                Some(known)
            }
            _ => {
                let nobody = ["", "Bearer ", "Bearer of-", "Bearer of-eve", "bearer of-ada", "Basic of-ada"];
                match rng.choice(nobody).unwrap() {
                    "" => {}
                    text => fields.push(("authorization", text.to_owned())),
                }
                None
            }
        };
        let control = [
            "",
            "",
            "",
            "no-cache",
            "max-age=0",
            "only-if-cached",
            "max-stale",
            "max-stale=99, only-if-cached",
        ];
        match rng.choice(control).unwrap() {
            "" => {}
            directives => fields.push(("cache-control", directives.to_owned())),
        }
        let range = rng.bool().then(|| {
            let first = rng.usize(..length(number));
            first..rng.usize(first..length(number)) + 1
        });
        if let Some(range) = &range {
            fields.push(("range", format!("bytes={}-{}", range.start, range.end - 1)));
        }
        if rng.u8(..10) == 0 {
            fields.push(("if-none-match", "\"another\"".to_owned()));
        }
        let folder = rng.choice([USERS[0], USERS[1], "all"]).unwrap();
        let method = if rng.u8(..4) == 0 { "HEAD" } else { "GET" };
        Self { folder, number, method, fields, range, user }
    }

    fn request(&self) -> http::Request<http_body_util::Empty<Bytes>> {
        let fields: Vec<_> = self.fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        request(self.method, &format!("/files/{}/{}", self.folder, self.number), &fields)
    }

    fn judge(&self, answer: &Answer, wrong: &mut Wrong, right: &mut Right) {
        let is_allowed = self.user.is_some_and(|user| self.folder == user || self.folder == "all");
        let status = answer.status.as_u16();
        let denial = if self.user.is_some() { 404 } else { 401 };
        // What tells of an object: its fields, its length, its bytes.
        let tells = ["etag", "last-modified", "content-range", "accept-ranges", "age", "cache-status"];
        let line = line(self.folder, self.number);
        let has_told = tells.iter().any(|name| answer.headers.contains_key(*name))
            || answer.body.windows(line.len()).any(|bytes| bytes == line.as_bytes());
        let only_if_cached = self.fields.iter().any(|(_, value)| value.contains("only-if-cached"));
        match (is_allowed, status) {
            (false, _) if status == denial && !has_told => right.denied += 1,
            (false, _) => {
                println!("leak: {self:?}: {answer:?}");
                wrong.leaks += 1;
            }
            (true, 401 | 403 | 404) => {
                println!("wrong denial: {self:?}: {answer:?}");
                wrong.denials += 1;
            }
            (true, 504) if only_if_cached => {}
            (true, _) if self.is_answered_by(answer) => {
                right.read += 1;
                right.hits += usize::from(answer.header("cache-status").contains("; hit"));
            }
            (true, _) => {
                println!("wrong: {self:?}: {status} {:?}, {} bytes", answer.headers, answer.body.len());
                wrong.others += 1;
            }
        }
    }

    /// Whether these are the object's bytes, and those that were asked for. A range counts for GET alone (RFC 9110 §14.2).
    fn is_answered_by(&self, answer: &Answer) -> bool {
        let whole = content(self.folder, self.number);
        if self.method == "HEAD" {
            let length = length(self.number).to_string();
            return answer.status == 200
                && answer.header("content-length") == length
                && answer.body.is_empty();
        }
        match &self.range {
            Some(range) => answer.status == 206 && answer.body == whole[range.clone()],
            None => answer.status == 200 && answer.body == whole,
        }
    }
}
