//! An S3 server in process, for the examples, tests and benches of `tower-s3-proxy`.
//!
//! It listens on a real socket on the loopback interface, speaks the real protocol and checks real signatures (SigV4,
//! by the [`s3s`] crate), so that every client of Amazon S3 can use it: no AWS account is needed to run the examples,
//! and no mock stands in for the wire in the tests.
//!
//! ```
//! use bytes::Bytes;
//! use demo_s3::DemoS3;
//!
//! # async fn run() -> std::io::Result<()> {
//! let s3 = DemoS3::builder().bucket("media").start().await?;
//! s3.store().put("media", "films/a b.txt", Bytes::from_static(b"hello"));
//! // … point a client at `s3.endpoint()`, path style, with the default credentials …
//! println!("{} requests so far", s3.log().len());
//! # Ok(())
//! # }
//! ```
//!
//! # What it does
//!
//! - Reads: `GetObject` and `HeadObject` with ranges, conditions, versions, part numbers, delete markers,
//!   `response-*` overrides, every stored header and `x-amz-meta-*`.
//! - Writes: `PutObject`, `CopyObject`, `DeleteObject`, `DeleteObjects`, multipart uploads.
//! - Buckets: create, delete, head, list, location, versioning; object listings (V1, V2, versions).
//! - Terms: a bucket whose requesters pay ([`Builder::requester_pays`]), an owner to be expected ([`Builder::owner`]).
//! - Faults on demand: [`Store::deny`], [`Store::break_off`], [`Store::hold`].
//!
//! Keys are bytes of UTF-8 and stay unchanged: `a//b`, `/a`, `a/`, `./x`, `../x`, `100%`, `a+b`.
//!
//! # Where it differs from Amazon S3
//!
//! `s3s` parses the headers of a read more narrowly than S3: it refuses a list of entity tags, the two obsolete
//! date formats, and a `Range` that S3 would ignore. So object reads are answered by a custom route behind its
//! signature check, which follows RFC 9110. What is left:
//!
//! - error documents have no `Resource` and no details such as `Condition` or `ActualObjectSize`;
//! - on the other operations a malformed header answers 400 where S3 may ignore it;
//! - a request signed with SigV2 is accepted, and so is a header that is signed but absent;
//! - the `x-amz-content-sha256` of a read is not compared with its (empty) body;
//! - checksums (`x-amz-checksum-*`, `Content-MD5`) of objects and parts are verified, those of a completed upload are not;
//! - no ACLs, policies, tags, CORS preflight, access points, or sessions;
//! - nothing is encrypted; a read must have the upload's customer key (SSE-C), even without TLS, and uploads in parts
//!   and copies with such keys are refused;
//! - reads and writes of one object are strongly consistent, and nothing outlives the process.

#![forbid(unsafe_code)]
#![warn(missing_docs, missing_debug_implementations)]

mod access;
mod body;
mod checksums;
mod conditions;
mod customer_key;
mod fault;
mod host;
mod listing;
mod log;
mod object;
mod range;
mod read;
mod seed;
mod server;
mod store;
mod write;

pub use crate::access::{Credential, DEMO_ACCESS_KEY, DEMO_SECRET_KEY};
pub use crate::fault::{Denial, Hold};
pub use crate::log::SeenRequest;
pub use crate::object::{ObjectAttributes, PutResult, StoredObject};
pub use crate::seed::seed;
pub use crate::server::{Builder, DemoS3};
pub use crate::store::Store;
