use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::OnceCell, time::Instant};

use super::{Answer, S3ErrorCode, S3Origin, Target, wire::Reuse};
use crate::request::Question;

/// S3's response for a key that does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absence {
    /// `NoSuchKey`: so `AccessDenied` really means a denial.
    Told,
    /// `AccessDenied`, for lack of `s3:ListBucket` (S3 API, GetObject, "Permissions").
    Hidden,
}

/// A bucket's response for absent keys, probed from time to time, by one request at a time.
#[derive(Debug, Default)]
pub(super) struct AbsentKeys(Mutex<Option<(Instant, Answered)>>);

/// `None` if S3 gave neither response.
type Answered = Arc<OnceCell<Option<Absence>>>;

/// Policies can change: a change takes effect after this time at the latest.
const KEPT: Duration = Duration::from_secs(5 * 60);

/// After a probe without a result, S3 is not asked again at once.
const SILENT: Duration = Duration::from_secs(5);

// === impl AbsentKeys ===

impl AbsentKeys {
    fn cell(&self) -> Answered {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let life = |cell: &Answered| if cell.get() == Some(&None) { SILENT } else { KEPT };
        match &*kept {
            Some((since, cell)) if since.elapsed() < life(cell) => Arc::clone(cell),
            _ => {
                let cell = Answered::default();
                *kept = Some((Instant::now(), Arc::clone(&cell)));
                cell
            }
        }
    }
}

impl S3Origin {
    /// Requests `absent`, a key that does not exist, unless the result is known already. `None` if S3 gives neither
    /// response.
    pub(crate) async fn absence(&self, absent: Target<'_>) -> Option<Absence> {
        let place = self.place(absent.bucket).ok()?;
        let cell = place.absent_keys.cell();
        let asked = cell.get_or_init(|| async {
            match self.attempt(absent, &Question::check(), Reuse::Allowed).await {
                Ok(Answer::Refused(refusal)) => match refusal.code {
                    S3ErrorCode::NoSuchKey => Some(Absence::Told),
                    S3ErrorCode::AccessDenied => Some(Absence::Hidden),
                    _ => None,
                },
                Ok(Answer::Found(_) | Answer::NotModified(_)) | Err(_) => None,
            }
        });
        *asked.await
    }
}
