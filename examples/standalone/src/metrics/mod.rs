//! Metrics for Prometheus, on a listener of their own: what is for operators is not for clients.

mod args;
mod histograms;
mod listener;
mod recorder;

pub(crate) use self::{args::MetricsArgs, recorder::Metrics};
