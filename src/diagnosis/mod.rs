//! Why does the bucket not answer? Each step of the way to it, tried and explained.
//!
//! A 403 of S3 has many causes, and it names few of them. [`Mount::diagnose`](crate::Mount::diagnose) takes the steps of a
//! request one by one, in the order in which they can fail, and says of each whether it passes, what was seen, what is
//! missing, and which policy statement grants it. Steps that depend on one that failed are not tried: the first line
//! that fails names the cause.
//!
//! ```no_run
//! # async fn run(media: tower_s3_proxy::Mount) {
//! use tower_s3_proxy::diagnosis::{Options, Outcome};
//!
//! let report = media.diagnose(&Options::new()).await;
//! println!("{report}");
//! if let Some(cause) = report.mounts().iter().find_map(|mount| mount.first_failure()) {
//!     assert_eq!(cause.outcome(), Outcome::Fail);
//!     println!("{}: {}", cause.name(), cause.advice().unwrap_or("no advice"));
//! }
//! # }
//! ```
//!
//! It is safe where requests are served: it asks S3 about twenty questions for each set of credentials, one after the
//! other, none twice and each within a time limit. It reads one byte of one object at most, and writes only if the mount is
//! granted to write and [`Options::write_probe`] says so. No secret is in a report.

mod advice;
mod answer;
mod denial;
mod check;
mod checklist;
mod context;
mod options;
mod probes;
mod redact;
mod report;
mod run;
mod error_reply;
mod statement;
mod table;
mod duration;

pub use self::{
    check::{Check, CheckName, Outcome},
    options::{Options, WriteProbe},
    report::{MountReport, Report},
};
