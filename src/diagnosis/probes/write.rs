//! May we write and delete? Tried with our own object, and only on request.

use std::time::Duration;

use aws_sdk_s3::{Client, primitives::ByteStream};

use crate::{
    diagnosis::{
        Check, CheckName, Outcome, WriteProbe, advice,
        advice::Others,
        checklist::Checklist,
        context::Facts,
        error_reply::{Problem, Said},
        run::Subject,
    },
    policies::Permission,
    terms::Grant,
};

pub(in crate::diagnosis) async fn ask(course: &mut Checklist<'_>, subject: &Subject<'_>) {
    let mut of_delete = Check::unknown(CheckName::Delete, "not tried, since nothing was put");
    if course.may(CheckName::Put) {
        let lines = match (subject.mount.0.grant, course.options.write_probe) {
            (Grant::Read, _) => untried("not tried: the mount's grant is read-only"),
            (Grant::ReadWrite, WriteProbe::Off) => {
                untried("not tried: nothing is written without a write probe")
            }
            (Grant::ReadWrite, WriteProbe::On) if subject.deletes_nothing() => {
                untried("not tried: the mount deletes nothing, so that the object would stay")
            }
            (Grant::ReadWrite, WriteProbe::On) => match subject.client() {
                Ok(client) => try_both(course, subject, client).await,
                Err(why) => untried(&why),
            },
        };
        let [of_put, of_that_delete] = lines;
        course.note(of_put);
        of_delete = of_that_delete;
    }
    if course.may(CheckName::Delete) {
        course.note(of_delete);
    }
}

fn untried(why: &str) -> [Check; 2] {
    [CheckName::Put, CheckName::Delete].map(|name| Check::unknown(name, why))
}

async fn try_both(course: &Checklist<'_>, subject: &Subject<'_>, client: Client) -> [Check; 2] {
    let facts = subject.facts.clone();
    let prefix = subject.mount.0.writes.as_ref().map_or(facts.prefix.as_str(), |writes| &writes.prefix);
    let key = format!("{prefix}tower-s3-proxy-write-probe-{:016x}", fastrand::u64(..));
    let probe = Probe { client, facts, key, limit: course.options.time_limit, others: course.others() };
    // In its own task, so that the object is deleted even if nobody waits for the report any more.
    let written = tokio::spawn(async move {
        let put = probe.put().await;
        let delete = probe.delete(&put).await;
        [put.into_check(&probe), delete]
    });
    match written.await {
        Ok(lines) => lines,
        Err(_) => untried("the program ends"),
    }
}

struct Probe {
    client: Client,
    facts: Facts,
    key: String,
    limit: Duration,
    others: Others,
}

enum Put {
    Stored {
        version: Option<String>,
    },
    Refused(Box<Said>),
    /// The object may be stored.
    Unsure(String),
}

// === impl Probe ===

impl Probe {
    async fn put(&self) -> Put {
        let body = ByteStream::from_static(b"A check of tower-s3-proxy. It may be deleted.\n");
        let question = self.client.put_object().bucket(self.facts.bucket.as_str()).key(&self.key).body(body);
        match tokio::time::timeout(self.limit, question.send()).await {
            Ok(Ok(stored)) => Put::Stored { version: stored.version_id().map(str::to_owned) },
            Ok(Err(error)) => match Problem::of_sdk(&error) {
                Problem::Said(said) if said.status.is_client_error() => Put::Refused(said),
                Problem::Said(said) => Put::Unsure(said.to_string()),
                Problem::Silence(why) => Put::Unsure(why),
            },
            Err(_) => Put::Unsure(format!("no response within {:?}", self.limit)),
        }
    }

    async fn delete(&self, put: &Put) -> Check {
        let name = CheckName::Delete;
        let version = match put {
            Put::Refused(_) => return Check::unknown(name, "not tried, since put failed"),
            Put::Stored { version } => version.as_deref().filter(|version| *version != "null"),
            Put::Unsure(_) => None,
        };
        match self.delete_one(None).await {
            Ok(marker) => {
                let Some(version) = version else {
                    let key = &self.key;
                    let seen = match (put, marker) {
                        // The bucket keeps versions, and did not say which this is.
                        (Put::Unsure(_), Some(_)) => format!(
                            "{key} is hidden again, if it was written; the bucket keeps a delete marker of it, and in \
                             that case a version"
                        ),
                        (Put::Unsure(_), None) => format!("{key} is gone again, if it was written"),
                        (Put::Stored { .. } | Put::Refused(_), _) => format!("{key} is gone again"),
                    };
                    return Check::pass(name, seen);
                };
                // The version and the delete marker in a bucket with versions. Without s3:DeleteObjectVersion they
                // stay.
                let mut is_gone = self.delete_one(Some(version)).await.is_ok();
                if let Some(marker) = marker {
                    is_gone &= self.delete_one(Some(&marker)).await.is_ok();
                }
                Check::pass(
                    name,
                    match is_gone {
                        true => format!("{} is gone again, with its version", self.key),
                        false => format!(
                            "{} is hidden again; the bucket keeps a version and a delete marker of it",
                            self.key
                        ),
                    },
                )
            }
            Err(Problem::Silence(why)) => Check::fail(name, why).advise(self.left_behind()),
            Err(Problem::Said(said)) => {
                let check = Check::answered(name, Outcome::Fail, &said);
                let left = self.left_behind();
                match said.is_denied() {
                    true => {
                        let advice = advice::denied(&self.facts, &said, "s3:DeleteObject", self.others);
                        check
                            .advise(format!("{left} {advice}"))
                            .grant(self.facts.missing(&said.message, Permission::Delete))
                    }
                    false => check.advise(left),
                }
            }
        }
    }

    fn left_behind(&self) -> String {
        format!("Delete the object {} by hand.", self.key)
    }

    /// Returns the version of the new delete marker.
    async fn delete_one(&self, version: Option<&str>) -> Result<Option<String>, Problem> {
        let question = self.client.delete_object().bucket(self.facts.bucket.as_str()).key(&self.key);
        let question = question.set_version_id(version.map(str::to_owned));
        match tokio::time::timeout(self.limit, question.send()).await {
            Ok(Ok(deleted)) => Ok(deleted.version_id().map(str::to_owned)),
            Ok(Err(error)) => Err(Problem::of_sdk(&error)),
            Err(_) => Err(Problem::Silence(format!("no response within {:?}", self.limit))),
        }
    }
}

// === impl Put ===

impl Put {
    fn into_check(self, probe: &Probe) -> Check {
        let name = CheckName::Put;
        match self {
            Self::Stored { .. } => Check::pass(name, format!("{} was written", probe.key)),
            Self::Unsure(why) => Check::fail(name, why),
            Self::Refused(said) => {
                let check = Check::answered(name, Outcome::Fail, &said);
                let is_about_key =
                    said.message.contains("kms:GenerateDataKey") || said.name.starts_with("KMS.");
                match said.is_denied() {
                    _ if is_about_key => check.advise(
                        "S3 allows the write, but KMS does not provide a key: the policies of the role or user, and of \
                         the key, must allow kms:GenerateDataKey (and kms:Decrypt, for uploads in parts).",
                    ),
                    true => check
                        .advise(format!(
                            "{} A Deny may also require an encryption that the mount does not name (encryption).",
                            advice::denied(&probe.facts, &said, "s3:PutObject", probe.others)
                        ))
                        .grant(probe.facts.missing(&said.message, Permission::Write)),
                    false => check,
                }
            }
        }
    }
}
