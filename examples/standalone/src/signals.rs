use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that end the process.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

/// SIGHUP: what ends other programs when a terminal goes, and what daemons are told to reload with.
#[derive(Debug)]
pub(crate) struct Hangups(Signal);

// === impl Signals ===

impl Signals {
    /// From here on none of them ends the process by itself.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Ready on the next Ctrl-C or SIGTERM.
    pub(crate) async fn stop(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

// === impl Hangups ===

impl Hangups {
    /// From here on SIGHUP does not end the process.
    pub(crate) fn listen() -> io::Result<Self> {
        signal(SignalKind::hangup()).map(Self)
    }

    /// Ready on the next one.
    pub(crate) async fn next(&mut self) {
        let _ = self.0.recv().await;
    }
}
