use std::time::Duration;

use tokio::task::JoinSet;
use tower_s3_proxy::{S3ProxyConfig, clients::ClientKeys};

/// How often the files of client keys are looked at.
const PERIOD: Duration = Duration::from_secs(2);

/// Reads the files of client keys again when they change, until it is dropped.
#[must_use = "it ends when it is dropped"]
pub(crate) fn watch(config: &S3ProxyConfig) -> JoinSet<()> {
    let tables: Vec<ClientKeys> =
        config.mounts().iter().filter_map(|mount| mount.client_keys().cloned()).collect();
    let mut watching = JoinSet::new();
    if tables.is_empty() {
        return watching;
    }
    watching.spawn(async move {
        let mut look = tokio::time::interval(PERIOD);
        loop {
            look.tick().await;
            let tables = tables.clone();
            // Files are read where no connection waits for them.
            let looked = tokio::task::spawn_blocking(move || tables.iter().for_each(reload)).await;
            if let Err(why) = looked {
                tracing::error!("client keys are not looked at any more: {why}");
                return;
            }
        }
    });
    watching
}

fn reload(keys: &ClientKeys) {
    match keys.reload() {
        Ok(false) => {}
        Ok(true) => tracing::info!(?keys, "the file of client keys was read again"),
        Err(why) => tracing::error!("the client keys stay as they are: {why}"),
    }
}
