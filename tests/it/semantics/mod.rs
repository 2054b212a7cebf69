//! The response to each kind of read, as tables. A comment at each test names its rows.
//!
//! Every table runs over the in-process S3 server, over an origin without lies, and over origins that lie as real
//! servers do; the client must not be able to tell them apart. If an origin makes a right response impossible, a table
//! says so ([`Grace`](expect::Grace)): then 502 or a body that breaks off is allowed, but never a wrong byte.
//!
//! With `TEST_CACHE=1` every mount has a cache: clients get the same responses, but the requests to S3 differ.
//!
//! | rows | about | where |
//! |---|---|---|
//! | 1 to 6 | order of conditions, each condition, lists, weak tags, dates | [`conditions`] |
//! | 7, 8 | `If-Range` by tag, by date | [`if_range`] |
//! | 9 | several ranges | [`several`] |
//! | 10 to 15 | malformed, open, clamped, unsatisfiable ranges; empty objects; HEAD | [`ranges`] |
//! | 16, 17, 22 | whole objects for parts, parts for whole objects; `Accept-Ranges` | [`ranges`] |
//! | 18 | parts of different versions | [`versions`] |
//! | 19 | bodies that break off | [`broken`] |
//! | 20 | the fields of a 304 | [`conditions`] |
//! | 21, 34 to 37 | tags, metadata, codings, lengths, part numbers | [`fields`] |
//! | 21 | responses without a length | [`lengths`] |
//! | 23, 24 | denials, HEAD's missing reasons | [`errors`]; in bursts and by a canary: [`denied`] |
//! | 25 | refused credentials and clocks | [`credentials`], [`clock`] |
//! | 26 | other regions | [`region`] |
//! | 27 to 29 | S3 is busy, archives, delete markers | [`errors`] |
//! | 32, 33, 57 | the client's fields that never reach S3 | [`identity`], and [`check::asks_properly`] for every request |
//! | 43, 46 | keys, methods | [`routes`] |
//! | | the number of requests to S3 | [`round_trips`] |
//! | | smuggled requests | [`smuggling`] |
//!
//! Rows that are not here:
//!
//! - 16, for an origin without ranges: the proxy does not learn that it is one.
//! - 19, for a read that breaks off: the proxy does not resume it. A body that S3 cuts short ends in an error.
//! - 20, for a cache: `Age` is in `cache`. CORS on a 304: row 47.
//! - 26, 307 with a body, and `Expect`: nothing here has a request body.
//! - 27, hedging and fresh DNS: not built. A retry is not excluded: the tests only fix the response for an S3 that
//!   stays busy. Stale responses are in `cache`.
//! - 28, restoring: there is no such option.
//! - 30, 31: `versionId` is in `serving`; `response-*` and downloads have their own tests.
//! - 32: customer keys are in `terms`. 33, for writing: not offered. The tests here show that no such field of a client
//!   reaches S3.
//! - 38: websites are not offered.
//! - 39: requester pays and the expected owner are in `terms`.
//! - 40: directory buckets are in `express`.
//! - 41, 42: access points, dots in names: unit tests of the endpoint, and `differential`.
//! - 44: `soap` is a key like any other except at AWS; a unit test covers that.
//! - 45: nothing redirects.
//! - 47: CORS has its own tests.
//! - 48 to 50, 54: the cache has its own tests.
//! - 51 to 53: presigned URLs, and uploads by them, are in `presigned`.
//! - 55: time-outs are in `serving` and `stacks`; 56: digests are not offered.

mod broken;
mod check;
mod clock;
mod conditions;
mod credentials;
mod denied;
mod errors;
mod expect;
mod fields;
mod identity;
mod if_range;
mod lengths;
mod multipart;
mod origin;
mod ranges;
mod region;
mod round_trips;
mod routes;
mod several;
mod smuggling;
mod versions;
mod wire;
