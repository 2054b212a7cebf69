use std::{
    io::{self, IsTerminal},
    time::Duration,
};

use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{EnvFilter, fmt};

/// The log of the process, on standard error. A thread of its own writes it: no request waits for a reader that stalls, and
/// none ends because the disk is full.
pub(crate) struct Log {
    dropped: ErrorCounter,
    /// Writes what waits when it is dropped.
    _writer: WorkerGuard,
}

/// How the lines of the log are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object in a line
    Json,
}

/// Of the SDK's sources of credentials, `aws_config` tells whole structures over many lines; the library says the same in
/// one.
const DEFAULT_FILTER: &str = "info,s3s=off,aws_config=error";

/// `h2` warns of frames that a client can send as often as it likes. Only a `RUST_LOG` that names it hears of them.
const FRAMES: &str = "h2=error";

/// Modules of the SDK that log credentials with their key id, whatever `RUST_LOG` says.
const TELL_OF_KEYS: [&str; 2] =
    ["aws_config::profile::credentials=warn", "aws_smithy_runtime::client::orchestrator::auth=info"];

/// Lines that wait for the writer: about 4 MiB at most. More are dropped, and counted.
const MOST_WAITING: usize = 16 * 1024;

/// How often dropped lines are told.
const TELL_EVERY: Duration = Duration::from_secs(10);

// === impl Log ===

impl Log {
    /// Begins to log.
    pub(crate) fn start(format: LogFormat) -> Self {
        let (writer, guard) =
            NonBlockingBuilder::default().lossy(true).buffered_lines_limit(MOST_WAITING).finish(io::stderr());
        let dropped = writer.error_counter();
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
        let names_h2 = std::env::var(EnvFilter::DEFAULT_ENV).is_ok_and(|levels| levels.contains("h2="));
        let silenced = TELL_OF_KEYS.into_iter().chain(if names_h2 { None } else { Some(FRAMES) });
        let filter =
            silenced.filter_map(|directive| directive.parse().ok()).fold(filter, EnvFilter::add_directive);
        let log = fmt().with_env_filter(filter).with_writer(writer).log_internal_errors(false);
        match format {
            // Colours are for eyes: in a file their codes are in the way.
            LogFormat::Text => log.with_ansi(io::stderr().is_terminal()).init(),
            LogFormat::Json => log.json().flatten_event(true).init(),
        }
        Self { dropped, _writer: guard }
    }

    /// Tells now and then how many lines were dropped. Does not end.
    pub(crate) async fn tell_of_dropped_lines(dropped: ErrorCounter) {
        let mut told = 0;
        loop {
            tokio::time::sleep(TELL_EVERY).await;
            let now = dropped.dropped_lines();
            if now > told {
                tracing::warn!(count = now - told, "lines of the log were dropped: their reader is too slow");
                told = now;
            }
        }
    }

    pub(crate) fn dropped(&self) -> ErrorCounter {
        self.dropped.clone()
    }
}
