use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Instant,
};

use http::{HeaderMap, Method, StatusCode};
use metrics::{Counter, Histogram, SharedString, counter, gauge, histogram, with_recorder};

use super::{CacheUse, Operation, Outcome, Totals, families as names};

/// The handles of a mount. Clones are the same meter.
#[derive(Clone)]
pub(crate) struct Meter(Arc<Handles>);

struct Handles {
    mount: SharedString,
    /// Whether the program has a recorder: without one, nobody has to look at a clock.
    is_recorded: OnceLock<bool>,
    /// By method, status and use of the cache.
    requests: Box<[OnceLock<Counter>]>,
    /// By use of the cache.
    first_byte: [OnceLock<Histogram>; CacheUse::COUNT],
    sent: OnceLock<Counter>,
    /// By operation and outcome.
    s3_requests: Box<[OnceLock<Counter>]>,
    /// By operation.
    s3_first_byte: [OnceLock<Histogram>; Operation::NAMES.len()],
    s3_received: OnceLock<Counter>,
    s3_sent: OnceLock<Counter>,
    totals: Totals,
}

/// A request that has begun. By default that of no mount, which is not counted.
#[derive(Default)]
pub(crate) struct Begun(Option<(Meter, MethodLabel, Since)>);

/// Counts the bytes of a response's body.
#[derive(Default)]
pub(crate) struct BodyMeter(Option<Meter>);

/// A request to S3 that has been sent.
#[derive(Debug)]
pub(crate) struct Asking {
    meter: Meter,
    operation: Operation,
    since: Since,
}

/// When something began, if that is recorded.
type Since = Option<Instant>;

#[derive(Debug, Clone, Copy)]
struct MethodLabel(usize);

const METHODS: [&str; 7] = ["other", "GET", "HEAD", "OPTIONS", "PUT", "POST", "DELETE"];

/// What the proxy answers with. A status that a denial, a rule of a website or S3 has of its own is the first.
const STATUSES: [(u16, &str); 32] = [
    (0, "other"),
    (200, "200"),
    (201, "201"),
    (202, "202"),
    (204, "204"),
    (206, "206"),
    (301, "301"),
    (302, "302"),
    (303, "303"),
    (304, "304"),
    (307, "307"),
    (308, "308"),
    (400, "400"),
    (401, "401"),
    (403, "403"),
    (404, "404"),
    (405, "405"),
    (408, "408"),
    (409, "409"),
    (410, "410"),
    (411, "411"),
    (412, "412"),
    (413, "413"),
    (415, "415"),
    (416, "416"),
    (429, "429"),
    (451, "451"),
    (500, "500"),
    (501, "501"),
    (502, "502"),
    (503, "503"),
    (504, "504"),
];

// === impl Meter ===

impl Meter {
    pub(crate) fn new(mount: String) -> Self {
        let handles = |count| std::iter::repeat_with(OnceLock::new).take(count).collect();
        Self(Arc::new(Handles {
            mount: SharedString::from(Arc::<str>::from(mount)),
            is_recorded: OnceLock::new(),
            requests: handles(METHODS.len() * STATUSES.len() * CacheUse::COUNT),
            first_byte: Default::default(),
            sent: OnceLock::new(),
            s3_requests: handles(Operation::NAMES.len() * Outcome::COUNT),
            s3_first_byte: Default::default(),
            s3_received: OnceLock::new(),
            s3_sent: OnceLock::new(),
            totals: Totals::default(),
        }))
    }

    /// The mount's name in labels: its path, behind its host if it has one.
    pub(crate) fn mount(&self) -> &str {
        &self.0.mount
    }

    pub(crate) fn begin(&self, method: &Method) -> Begun {
        Begun(Some((self.clone(), MethodLabel::of(method), self.since())))
    }

    pub(crate) fn ask(&self, operation: Operation) -> Asking {
        Asking { meter: self.clone(), operation, since: self.since() }
    }

    /// Now. It is asked with the first request whether there is a recorder, as each handle is made with its first use. A
    /// recorder that keeps nothing, not even where it records to, is the one that `metrics` has until the program has its own.
    fn since(&self) -> Since {
        let is_recorded = || with_recorder(|recorder| size_of_val(recorder) > 0);
        self.0.is_recorded.get_or_init(is_recorded).then(Instant::now)
    }

    /// Bytes came from S3.
    pub(crate) fn received(&self, bytes: usize) {
        self.add(&self.0.s3_received, names::S3_RECEIVED, bytes);
    }

    pub(crate) fn sent_to_s3(&self, bytes: usize) {
        self.add(&self.0.s3_sent, names::S3_SENT, bytes);
    }

    /// Brings a counter up to a total that is kept elsewhere.
    pub(crate) fn total(&self, name: &'static str, total: u64) {
        self.0.totals.tell_to(&counter!(name, "mount" => self.0.mount.clone()), name, total);
    }

    pub(crate) fn level(&self, name: &'static str, level: f64) {
        gauge!(name, "mount" => self.0.mount.clone()).set(level);
    }

    fn add(&self, handle: &OnceLock<Counter>, name: &'static str, bytes: usize) {
        handle.get_or_init(|| counter!(name, "mount" => self.0.mount.clone())).increment(bytes as u64);
    }

    fn answered(&self, method: MethodLabel, since: Instant, status: StatusCode, cache: CacheUse) {
        let (code, status) = at_status(status);
        let (method, name) = (method.0, METHODS.get(method.0).copied().unwrap_or("other"));
        let at = (method * STATUSES.len() + code) * CacheUse::COUNT + cache as usize;
        if let Some(handle) = self.0.requests.get(at) {
            let requests = handle.get_or_init(|| {
                let mount = self.0.mount.clone();
                counter!(names::REQUESTS, "mount" => mount, "method" => name, "status" => status, "cache" => cache.as_str())
            });
            requests.increment(1);
        }
        if let Some(handle) = self.0.first_byte.get(cache as usize) {
            let first_byte = handle.get_or_init(
                || histogram!(names::FIRST_BYTE, "mount" => self.0.mount.clone(), "cache" => cache.as_str()),
            );
            first_byte.record(since.elapsed());
        }
    }
}

/// The place of a status among the labels, and its label.
fn at_status(status: StatusCode) -> (usize, &'static str) {
    let at = STATUSES.binary_search_by_key(&status.as_u16(), |(code, _)| *code).unwrap_or(0);
    (at, STATUSES.get(at).map_or("other", |(_, label)| label))
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Meter").field(&self.0.mount).finish()
    }
}

// === impl MethodLabel ===

impl MethodLabel {
    fn of(method: &Method) -> Self {
        Self(match *method {
            Method::GET => 1,
            Method::HEAD => 2,
            Method::OPTIONS => 3,
            Method::PUT => 4,
            Method::POST => 5,
            Method::DELETE => 6,
            _ => 0,
        })
    }
}

// === impl Begun ===

impl Begun {
    /// The head of the response is there.
    pub(crate) fn answered(self, status: StatusCode, headers: &HeaderMap) -> BodyMeter {
        BodyMeter(self.0.map(|(meter, method, since)| {
            if let Some(since) = since {
                meter.answered(method, since, status, CacheUse::of(headers));
            }
            meter
        }))
    }
}

// === impl BodyMeter ===

impl BodyMeter {
    pub(crate) fn sent(&self, bytes: usize) {
        if let Some(meter) = &self.0 {
            meter.add(&meter.0.sent, names::SENT, bytes);
        }
    }

    /// The name of the mount whose response it is.
    pub(crate) fn mount(&self) -> Option<&str> {
        self.0.as_ref().map(Meter::mount)
    }
}

// === impl Asking ===

impl Asking {
    pub(crate) fn ended(self, outcome: Outcome) {
        let Self { meter, operation: Operation(operation), since } = self;
        let Some(since) = since else { return };
        let handles = &*meter.0;
        let name = Operation::NAMES.get(operation).copied().unwrap_or("Other");
        if let Some(handle) = handles.s3_requests.get(operation * Outcome::COUNT + outcome as usize) {
            let requests = handle.get_or_init(|| {
                let mount = handles.mount.clone();
                counter!(names::S3_REQUESTS, "mount" => mount, "operation" => name, "outcome" => outcome.as_str())
            });
            requests.increment(1);
        }
        // There is a first byte only if S3 answers.
        if outcome.is_answer()
            && let Some(handle) = handles.s3_first_byte.get(operation)
        {
            let first_byte = handle.get_or_init(
                || histogram!(names::S3_FIRST_BYTE, "mount" => handles.mount.clone(), "operation" => name),
            );
            first_byte.record(since.elapsed());
        }
    }
}
