use std::{
    io,
    sync::{Arc, Mutex},
};

use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

/// The lines of a log.
#[derive(Debug, Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// What the work comes to, and all that was logged meanwhile, at every level and by whomever but the test's own server.
pub(super) async fn watched<T>(work: impl Future<Output = T>) -> (T, String) {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("trace,s3s=off"))
        .with_ansi(false)
        .with_writer(lines.clone())
        .finish();
    // Of the thread, on which all tasks of a test run.
    let listening = tracing::subscriber::set_default(subscriber);
    let output = work.await;
    drop(listening);
    let log = String::from_utf8(std::mem::take(&mut *lines.0.lock().unwrap())).unwrap();
    (output, log)
}
