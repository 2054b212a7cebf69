use std::sync::Arc;

use super::{AccessLog, format::Format, writer::Target};

/// The access log.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct AccessLogArgs {
    /// Write a line for each request to this file, or to standard output for -
    ///
    /// A file that was moved away or removed is opened anew within a second, as logrotate expects.
    #[arg(long, value_name = "FILE", help_heading = "What operators see")]
    access_log: Option<Target>,

    /// How the lines of the access log are written; combined has times and the use of the cache behind the agent
    #[arg(
        long,
        value_name = "FORMAT",
        value_enum,
        default_value_t,
        requires = "access_log",
        help_heading = "What operators see"
    )]
    access_log_format: Format,
}

// === impl AccessLogArgs ===

impl AccessLogArgs {
    /// `None` if there is none.
    pub(crate) fn open(&self) -> Result<Option<Arc<AccessLog>>, String> {
        let Some(target) = &self.access_log else { return Ok(None) };
        AccessLog::open(target, self.access_log_format).map(|log| Some(Arc::new(log)))
    }
}
