use std::time::Duration;

use tokio::task::JoinSet;
use tower_s3_proxy::{S3ProxyConfig, access::Users, clients::ClientKeys};

/// How often files are looked at.
const PERIOD: Duration = Duration::from_secs(2);

/// What is read from a file beside the configuration's.
#[derive(Clone)]
enum Watched {
    ClientKeys(ClientKeys),
    Users(Users),
}

/// Reads the files of client keys and of users again when they change, until it is dropped.
#[must_use = "it ends when it is dropped"]
pub(crate) fn watch(config: &S3ProxyConfig) -> JoinSet<()> {
    let mounts = config.mounts().iter();
    let keys = mounts.clone().filter_map(|mount| mount.client_keys().cloned().map(Watched::ClientKeys));
    let users = mounts.filter_map(|mount| mount.users().cloned().map(Watched::Users));
    let files: Vec<Watched> = keys.chain(users).collect();
    let mut watching = JoinSet::new();
    if files.is_empty() {
        return watching;
    }
    watching.spawn(async move {
        let mut look = tokio::time::interval(PERIOD);
        loop {
            look.tick().await;
            let files = files.clone();
            // Files are read where no connection waits for them.
            let looked = tokio::task::spawn_blocking(move || files.iter().for_each(Watched::reload)).await;
            if let Err(why) = looked {
                tracing::error!("the files of client keys and users are not looked at any more: {why}");
                return;
            }
        }
    });
    watching
}

// === impl Watched ===

impl Watched {
    fn reload(&self) {
        match self {
            Self::ClientKeys(keys) => match keys.reload() {
                Ok(false) => {}
                Ok(true) => tracing::info!(?keys, "the file of client keys was read again"),
                Err(why) => tracing::error!("the client keys stay as they are: {why}"),
            },
            Self::Users(users) => match users.reload() {
                Ok(false) => {}
                Ok(true) => tracing::info!(?users, "the file of users was read again"),
                Err(why) => tracing::error!("the users stay as they are: {why}"),
            },
        }
    }
}
