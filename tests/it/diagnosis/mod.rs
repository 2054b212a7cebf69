//! A diagnosis of broken set-ups, and the side effects that it must not have.

mod harmless;
mod origin;
mod set_ups;
mod sts;
mod watched;

use tower_s3_proxy::{
    MountBuilder,
    diagnosis::{Check, CheckName, MountReport, Options, Outcome},
};

use self::watched::watched;

/// Diagnoses a mount with the log at its most talkative. No secret may be in the report or the log.
async fn diagnose(mount: MountBuilder, options: Options, secrets: &[&str]) -> MountReport {
    diagnose_and_listen(mount, options, secrets).await.0
}

async fn diagnose_and_listen(
    mount: MountBuilder,
    options: Options,
    secrets: &[&str],
) -> (MountReport, String) {
    let mount = mount.build().unwrap();
    let (report, log) = watched(mount.diagnose(&options)).await;
    let printed = format!("{report}\n{}\n{report:?}", report.to_json());
    for secret in secrets {
        assert!(!printed.contains(secret), "{secret} is in {printed}");
        assert!(!log.contains(secret), "{secret} is in the log: {}", excerpt(&log, secret));
    }
    let [mount] = report.mounts() else { panic!("{report}") };
    let names: Vec<_> = mount.checks().iter().map(Check::name).collect();
    assert_eq!(names, CheckName::ALL, "every step has its line, in the order of all");
    (mount.clone(), log)
}

fn excerpt<'l>(log: &'l str, secret: &str) -> &'l str {
    log.lines().find(|line| line.contains(secret)).unwrap_or_default()
}

/// The line that fails first has to be this, with these words in its advice.
#[track_caller]
fn is_named<'r>(report: &'r MountReport, name: CheckName, advice: &[&str]) -> &'r Check {
    let Some(failure) = report.first_failure() else { panic!("nothing fails: {report}") };
    assert_eq!(failure.name(), name, "{report}");
    for words in advice {
        assert!(
            failure.advice().is_some_and(|advice| advice.contains(words)),
            "{words:?} is not in {report}"
        );
    }
    failure
}

#[track_caller]
fn outcome(report: &MountReport, name: CheckName) -> Outcome {
    report.check(name).unwrap().outcome()
}
