//! Why does the bucket not answer? Each step of the way to it, tried and explained.
//!
//! A 403 of S3 can have many causes, and S3 names few of them. [`Mount::diagnose`](crate::Mount::diagnose) takes the
//! steps of a request one by one, in the order in which they can fail. For each it says whether it passes, what was
//! seen, what is missing, and which policy statement grants it. Steps that depend on a failed one are not tried: the
//! first line that fails names the cause.
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
//! It is safe where requests are served: it sends S3 about twenty requests for each set of credentials, one after the
//! other, none twice and each within a time limit. It reads at most one byte of one object, and writes only if the
//! mount's grant allows writing and [`Options::write_probe`] is on. A report has no secrets.

mod advice;
mod answer;
mod denial;
mod check;
mod checklist;
mod context;
mod options;
mod probes;
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
