//! Another configuration without a restart.

use std::{path::PathBuf, sync::Arc};

use tokio::{
    sync::{Mutex, mpsc, oneshot},
    task::JoinSet,
};
use toml::Table;
use tower_s3_proxy::{S3ProxyConfig, S3ProxyLayer, service::SendBuffer};

use crate::{
    cache::{Admin, NO_CACHE},
    config_text,
    inherited::State,
    mounts,
    signals::Hangups,
    watched,
};

/// The configuration that is served, and where it comes from.
pub(crate) struct Reloading {
    /// `None` where flags say what to serve.
    file: Option<ConfigPath>,
    layer: S3ProxyLayer,
    send_buffer: SendBuffer,
    admin: Option<Arc<Admin>>,
    current: Mutex<Current>,
}

/// By which others have the configuration read again.
#[derive(Debug, Clone)]
pub(crate) struct ReloadRequests(mpsc::Sender<oneshot::Sender<Result<(), String>>>);

/// The other end.
pub(crate) type ReloadQueue = mpsc::Receiver<oneshot::Sender<Result<(), String>>>;

/// A file, and the one mount of it to use, if not all.
#[derive(Debug, Clone)]
pub(crate) struct ConfigPath {
    pub(crate) path: PathBuf,
    pub(crate) only: Option<String>,
}

struct Current {
    config: S3ProxyConfig,
    /// The tables of the file that count at the start alone.
    at_start: [Option<toml::Value>; 2],
    _watching: JoinSet<()>,
}

// === impl Reloading ===

impl Reloading {
    pub(crate) fn new(
        file: Option<ConfigPath>,
        layer: S3ProxyLayer,
        config: S3ProxyConfig,
        send_buffer: SendBuffer,
        admin: Option<Arc<Admin>>,
    ) -> Self {
        let at_start = file.as_ref().map(ConfigPath::tables_of_start).unwrap_or_default();
        let current = Mutex::new(Current { _watching: watched::watch(&config), config, at_start });
        Self { file, layer, send_buffer, admin, current }
    }

    /// Reads the configuration again at each SIGHUP and each request. Does not end.
    pub(crate) async fn when_asked(self, mut hangups: Hangups, mut requests: ReloadQueue) {
        loop {
            let client = tokio::select! {
                () = hangups.next() => None,
                Some(client) = requests.recv() => Some(client),
            };
            State::Reloading.tell();
            let outcome = self.reload().await;
            if let Err(why) = &outcome {
                tracing::error!("the configuration stays as it is: {why}");
            }
            State::Ready.tell();
            if let Some(client) = client {
                // It may have gone meanwhile.
                let _ = client.send(outcome);
            }
        }
    }

    /// Serves what the file says now. An error changes nothing.
    async fn reload(&self) -> Result<(), String> {
        let Some(file) = &self.file else {
            return Err(
                "there is no file to read again: flags say what to serve, and --config FILE would".to_owned()
            );
        };
        let mut current = self.current.lock().await;
        let served = mounts::from_file(&file.path, file.only.as_deref(), Some(&current.config)).await;
        let served = served.map_err(|why| why.to_string())?;
        match (&self.admin, &served.cache) {
            (Some(admin), Some(cache)) => admin.turn_to(cache),
            (Some(_), None) => return Err(NO_CACHE.to_owned()),
            (None, _) => {}
        }
        let config = served.config;
        let before = current.config.mounts();
        let kept = config.mounts().iter().filter(|mount| before.iter().any(|old| old.is_clone_of(mount)));
        let (kept, mounts) = (kept.count(), config.mounts().len());
        self.layer.reload(config.clone().send_buffer(self.send_buffer.clone()));
        tracing::info!(mounts, unchanged = kept, "the configuration was read again");
        if file.tables_of_start() != current.at_start {
            tracing::warn!(
                "[server] and [[listen]] count at the start alone: what has changed there needs a restart"
            );
        }
        current._watching = watched::watch(&config);
        current.config = config;
        Ok(())
    }
}

// === impl ReloadRequests ===

impl ReloadRequests {
    pub(crate) fn new() -> (Self, ReloadQueue) {
        let (requests, queue) = mpsc::channel(1);
        (Self(requests), queue)
    }

    /// Has it read again, and waits for the outcome.
    pub(crate) async fn ask(self) -> Result<(), String> {
        let (answer, outcome) = oneshot::channel();
        self.0.send(answer).await.map_err(|_| "the program ends".to_owned())?;
        outcome.await.map_err(|_| "the program ends".to_owned())?
    }
}

// === impl ConfigPath ===

impl ConfigPath {
    fn tables_of_start(&self) -> [Option<toml::Value>; 2] {
        let text = config_text::read(&self.path).unwrap_or_default();
        let mut table: Table = toml::from_str(&text).unwrap_or_default();
        [table.remove("server"), table.remove("listen")]
    }
}
