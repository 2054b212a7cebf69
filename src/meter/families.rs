//! The families of metrics: their names, by the conventions of Prometheus, and what they are.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

pub(crate) const REQUESTS: &str = "s3proxy_requests_total";
pub(crate) const FIRST_BYTE: &str = "s3proxy_first_byte_seconds";
pub(crate) const SENT: &str = "s3proxy_sent_bytes_total";
pub(crate) const S3_REQUESTS: &str = "s3proxy_s3_requests_total";
pub(crate) const S3_FIRST_BYTE: &str = "s3proxy_s3_first_byte_seconds";
pub(crate) const S3_RECEIVED: &str = "s3proxy_s3_received_bytes_total";
pub(crate) const S3_SENT: &str = "s3proxy_s3_sent_bytes_total";
pub(crate) const S3_RETRIES: &str = "s3proxy_s3_retries_total";
pub(crate) const S3_RESUMES: &str = "s3proxy_s3_resumes_total";
pub(crate) const S3_BROKEN: &str = "s3proxy_s3_broken_bodies_total";
pub(crate) const S3_HEDGES: &str = "s3proxy_s3_hedges_total";
pub(crate) const S3_HEDGES_WON: &str = "s3proxy_s3_hedges_won_total";
pub(crate) const FAILED_OVER: &str = "s3proxy_s3_failed_over_total";
pub(crate) const BREAKER_OPENED: &str = "s3proxy_breaker_opened_total";
pub(crate) const BREAKER_REFUSED: &str = "s3proxy_breaker_refused_total";
pub(crate) const BREAKER_OPEN: &str = "s3proxy_breaker_open";
pub(crate) const CREDENTIALS_AGE: &str = "s3proxy_credentials_age_seconds";
pub(crate) const CREDENTIALS_LEFT: &str = "s3proxy_credentials_time_to_expiry_seconds";
pub(crate) const CACHE_ENTRIES: &str = "s3proxy_cache_entries";
pub(crate) const CACHE_SIZE: &str = "s3proxy_cache_size_bytes";
pub(crate) const CACHE_CAPACITY: &str = "s3proxy_cache_capacity_bytes";
pub(crate) const CACHE_EVICTIONS: &str = "s3proxy_cache_evictions_total";
pub(crate) const CACHE_COALESCED: &str = "s3proxy_cache_coalesced_total";
pub(crate) const CACHE_SERVED: &str = "s3proxy_cache_served_bytes_total";
pub(crate) const CACHE_FETCHED: &str = "s3proxy_cache_fetched_bytes_total";

/// Tells the recorder what each family is, and its unit. To be called once, when the recorder is there.
pub fn describe() {
    use Unit::{Bytes, Count, Seconds};

    let counters = [
        (REQUESTS, Count, "Requests that a mount answered."),
        (SENT, Bytes, "Bytes of bodies handed to clients."),
        (S3_REQUESTS, Count, "Requests to S3, each attempt for itself."),
        (S3_RECEIVED, Bytes, "Bytes of bodies that came from S3."),
        (S3_SENT, Bytes, "Bytes of bodies sent to S3."),
        (S3_RETRIES, Count, "Reads that were repeated before the first byte."),
        (S3_RESUMES, Count, "Bodies that broke off and went on."),
        (S3_BROKEN, Count, "Bodies that broke off for good."),
        (S3_HEDGES, Count, "Reads that were late, so that a second request was sent."),
        (S3_HEDGES_WON, Count, "Reads whose second request was the faster one."),
        (FAILED_OVER, Count, "Reads that the replica answered."),
        (BREAKER_OPENED, Count, "How often the circuit breaker opened."),
        (BREAKER_REFUSED, Count, "Requests that an open circuit breaker refused."),
        (CACHE_EVICTIONS, Count, "Entries that made room for others, or were too large."),
        (CACHE_COALESCED, Count, "Responses that joined a read which another request had begun."),
        (CACHE_SERVED, Bytes, "Bytes of bodies that the cache served."),
        (CACHE_FETCHED, Bytes, "Bytes of bodies that came from S3 into the cache."),
    ];
    for (name, unit, what) in counters {
        describe_counter!(name, unit, what);
    }
    let gauges = [
        (BREAKER_OPEN, Count, "1 while the circuit breaker is open, else 0."),
        (CREDENTIALS_AGE, Seconds, "Time since the credentials were loaded."),
        (CREDENTIALS_LEFT, Seconds, "Time until the credentials expire."),
        (
            CACHE_ENTRIES,
            Count,
            "Entries of the cache: one for each object, and one for each block of a larger one.",
        ),
        (CACHE_SIZE, Bytes, "Bytes of the cache in use."),
        (CACHE_CAPACITY, Bytes, "The most bytes that the cache can hold."),
    ];
    for (name, unit, what) in gauges {
        describe_gauge!(name, unit, what);
    }
    let histograms = [
        (FIRST_BYTE, Seconds, "Time from a request to the head of its response."),
        (S3_FIRST_BYTE, Seconds, "Time from a request to S3 to the first byte of its response."),
    ];
    for (name, unit, what) in histograms {
        describe_histogram!(name, unit, what);
    }
}
