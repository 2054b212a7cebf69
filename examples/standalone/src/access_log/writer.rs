use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    str::FromStr,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use metrics::{Counter, Unit, counter, describe_counter};

use super::format::Format;

/// Takes lines, and hands them to a thread that writes many at once: a system call for each, and the wake-up of a thread for each,
/// would cost more than all else about a line.
#[derive(Debug)]
pub(crate) struct AccessLog {
    format: Format,
    waiting: Arc<Waiting>,
    dropped: Counter,
    writer: Option<JoinHandle<()>>,
}

/// Where the lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Stdout,
    File(PathBuf),
}

#[derive(Debug, Default)]
struct Waiting {
    lines: Mutex<Lines>,
    /// That there is enough to write, or the end.
    signal: Condvar,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct Lines {
    bytes: Vec<u8>,
    is_over: bool,
}

struct Output {
    target: Target,
    file: Option<File>,
    checked: Instant,
}

/// In bytes: lines beyond it are dropped, and counted. The disk is full, or too slow.
const MOST: usize = 4 * 1024 * 1024;

/// In bytes: enough to be written before the time is over.
const ENOUGH: usize = 128 * 1024;

/// How long a line waits for others.
const PERIOD: Duration = Duration::from_millis(200);

/// How often it is looked whether the file is still where it was.
const LOOK: Duration = Duration::from_secs(1);

const DROPPED: &str = "s3proxy_access_log_dropped_lines_total";

// === impl AccessLog ===

impl AccessLog {
    pub(super) fn open(target: &Target, format: Format) -> Result<Self, String> {
        let output = Output::open(target.clone())?;
        let waiting = Arc::new(Waiting::default());
        let thread = Arc::clone(&waiting);
        let writer =
            thread::Builder::new().name("access-log".to_owned()).spawn(move || thread.write_to(output));
        let writer = writer.map_err(|why| format!("--access-log: no thread to write it: {why}"))?;
        describe_counter!(DROPPED, Unit::Count, "Lines of the access log that were dropped.");
        Ok(Self { format, waiting, dropped: counter!(DROPPED), writer: Some(writer) })
    }

    pub(super) fn format(&self) -> Format {
        self.format
    }

    /// Takes a line, which is these parts one behind the other. Waits for nobody.
    pub(super) fn write(&self, line: &[&[u8]]) {
        let mut lines = self.waiting.lock();
        if lines.bytes.len() + line.iter().map(|part| part.len()).sum::<usize>() > MOST {
            drop(lines);
            self.dropped.increment(1);
            self.waiting.dropped.fetch_add(1, Relaxed);
            return;
        }
        let before = lines.bytes.len();
        for part in line {
            lines.bytes.extend_from_slice(part);
        }
        let is_enough = before < ENOUGH && lines.bytes.len() >= ENOUGH;
        drop(lines);
        if is_enough {
            self.waiting.signal.notify_one();
        }
    }
}

impl Drop for AccessLog {
    /// Writes what waits.
    fn drop(&mut self) {
        self.waiting.lock().is_over = true;
        self.waiting.signal.notify_one();
        // It can only have panicked.
        let _ = self.writer.take().map(JoinHandle::join);
    }
}

// === impl Waiting ===

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, Lines> {
        // No holder of the lock can leave half a line: only memory can run out there, which ends the process.
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_to(&self, mut output: Output) {
        let mut taken = Vec::new();
        loop {
            let lines = self.lock();
            let waits = |lines: &mut Lines| lines.bytes.len() < ENOUGH && !lines.is_over;
            let (mut lines, _) =
                self.signal.wait_timeout_while(lines, PERIOD, waits).unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut lines.bytes, &mut taken);
            let is_over = lines.is_over;
            drop(lines);
            output.look();
            if !taken.is_empty()
                && let Err(error) = output.write(&taken)
            {
                tracing::error!(%error, bytes = taken.len(), "lines of the access log are lost");
            }
            taken.clear();
            let dropped = self.dropped.swap(0, Relaxed);
            if dropped > 0 {
                tracing::warn!(count = dropped, "lines of the access log were dropped: its file is too slow");
            }
            if is_over {
                return;
            }
        }
    }
}

// === impl Output ===

impl Output {
    fn open(target: Target) -> Result<Self, String> {
        let file = match &target {
            Target::Stdout => None,
            Target::File(path) => {
                Some(open(path).map_err(|why| format!("--access-log {}: {why}", path.display()))?)
            }
        };
        Ok(Self { target, file, checked: Instant::now() })
    }

    /// Opens the file anew if another has its name, or none.
    fn look(&mut self) {
        let Target::File(path) = &self.target else { return };
        if self.checked.elapsed() < LOOK {
            return;
        }
        self.checked = Instant::now();
        let is_same = self.file.as_ref().is_some_and(|file| is_at(file, path));
        if !is_same {
            match open(path) {
                Ok(file) => self.file = Some(file),
                Err(error) => {
                    tracing::error!(%error, path = %path.display(), "the access log stays in its old file");
                }
            }
        }
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        match &mut self.file {
            Some(file) => file.write_all(lines),
            None => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(lines)?;
                stdout.flush()
            }
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;

    let place = |meta: &std::fs::Metadata| (meta.dev(), meta.ino());
    match (file.metadata(), path.metadata()) {
        (Ok(open), Ok(there)) => place(&open) == place(&there),
        _ => false,
    }
}

// === impl Target ===

impl FromStr for Target {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(if text == "-" { Self::Stdout } else { Self::File(PathBuf::from(text)) })
    }
}
