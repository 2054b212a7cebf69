use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals of the process.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

// === impl Signals ===

impl Signals {
    /// From here on none of them ends the process by itself.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Ready on the next Ctrl-C or SIGTERM.
    pub(crate) async fn stop(&mut self) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return,
                _ = self.terminate.recv() => return,
                // What ends other programs when a terminal goes, and what daemons are told to reload with.
                Some(()) = self.hangup.recv() => {
                    tracing::info!("SIGHUP changes nothing: the configuration is read at the start, restart to change it");
                }
            }
        }
    }
}
