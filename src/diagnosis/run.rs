//! Runs the steps in their order.

use aws_sdk_s3::{Client, config::retry::RetryConfig};
use http::Method;

use super::{
    Check, CheckName, Options, Outcome,
    advice::Others,
    checklist::Checklist,
    context::Facts,
    probes,
    report::{MountReport, Report},
};
use crate::{
    config::{Mount, S3ProxyConfig},
    object::BucketName,
    origin::Route,
    route::BucketSource,
};

/// The subject of the requests.
pub(super) struct Subject<'s> {
    pub(super) mount: &'s Mount,
    pub(super) way: Route,
    pub(super) facts: Facts,
}

// === impl Subject ===

impl Subject<'_> {
    /// The SDK's client, without retries.
    pub(super) fn client(&self) -> Result<Client, String> {
        let client =
            self.mount.0.origin.checking_client(&self.facts.bucket).map_err(|why| why.to_string())?;
        let config = client.config().to_builder().retry_config(RetryConfig::disabled());
        Ok(Client::from_conf(config.build()))
    }

    /// Whether clients may write on the mount, and delete nothing there.
    pub(super) fn deletes_nothing(&self) -> bool {
        self.mount.0.writes.as_ref().is_some_and(|writes| !writes.methods.contain(&Method::DELETE))
    }
}

// === impl Mount ===

impl Mount {
    /// Takes the steps of a request one by one, for the mount's own credentials and then for each of its
    /// [sets](crate::MountBuilder::credential_set): see [`diagnosis`](crate::diagnosis).
    ///
    /// The results do not change how requests are served, except that credentials are loaded if they had not been.
    pub async fn diagnose(&self, options: &Options) -> Report {
        let mut mounts = vec![self.diagnose_one(None, options).await];
        for (name, mount) in &self.0.sets {
            mounts.push(mount.diagnose_one(Some(name.as_str()), options).await);
        }
        Report { mounts }
    }

    async fn diagnose_one(&self, set: Option<&str>, options: &Options) -> MountReport {
        let bucket = match &self.0.bucket {
            BucketSource::Fixed(name) => Some(name),
            source @ (BucketSource::FromPath(_) | BucketSource::Resolver(_)) => {
                options.bucket.as_ref().filter(|bucket| source.may_be(bucket))
            }
        };
        let mut course = Checklist::new(options);
        match bucket {
            Some(bucket) => self.walk(bucket, &mut course).await,
            None => probes::credentials::alone(&mut course, self).await,
        }
        let mut checks = course.finish();
        let secrets = self.0.origin.secrets(bucket);
        checks.iter_mut().for_each(|check| check.rewrite(|text| secrets.hide_in(text)));
        MountReport {
            mount: match &self.0.host {
                Some(host) => format!("{}{}", host.as_str(), self.0.path),
                None => self.0.path.to_string(),
            },
            bucket: bucket.map(ToString::to_string),
            credential_set: set.map(str::to_owned),
            credentials: self.0.credentials.to_string(),
            checks,
        }
    }

    async fn walk(&self, bucket: &BucketName, course: &mut Checklist<'_>) {
        let way = match self.0.origin.way(bucket) {
            Ok(way) => way,
            Err(why) => {
                course.note(Check::fail(CheckName::Endpoint, why.to_string()));
                for name in CheckName::ALL.into_iter().filter(|name| *name != CheckName::Endpoint) {
                    let _ = course.may(name);
                }
                return;
            }
        };
        let facts = Facts::of(self, bucket.clone());
        let mut subject = Subject { mount: self, way, facts };
        probes::network::walk(course, &subject).await;
        let contact = probes::contact::ask(course, &subject).await;
        subject.facts.signer = probes::credentials::load(course, &subject).await;
        probes::identity::ask(course, &subject).await;
        let absent = probes::place::ask(course, &subject, contact.as_ref()).await;
        let first = probes::list::ask(course, &subject).await;
        probes::place::absent_keys(course, &subject, absent.as_ref());
        probes::read::ask(course, &subject, first).await;
        probes::write::ask(course, &subject).await;
        probes::website::ask(course, &subject).await;
        probes::settings::ask(course, &subject).await;
    }
}

// === impl S3ProxyConfig ===

impl S3ProxyConfig {
    /// [`Mount::diagnose`] for all mounts, one after the other.
    pub async fn diagnose(&self, options: &Options) -> Report {
        let mut mounts = Vec::new();
        for mount in self.mounts() {
            mounts.extend(mount.diagnose(options).await.mounts);
        }
        Report { mounts }
    }
}

// === impl Checklist ===

impl Checklist<'_> {
    /// What the permissions tried so far suggest about the rest.
    pub(super) fn others(&self) -> Others {
        let is_granted = |name| self.outcome(name) == Some(Outcome::Pass);
        match [CheckName::List, CheckName::Read, CheckName::Put].into_iter().any(is_granted) {
            true => Others::Granted,
            false => Others::Denied,
        }
    }
}
