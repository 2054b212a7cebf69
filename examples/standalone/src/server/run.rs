use std::{io, net::IpAddr, sync::Arc, time::Duration};

use tokio::{net::TcpListener, sync::watch, task::JoinSet, time};
use tower::Layer;
use tower_s3_proxy::{S3Proxy, S3ProxyLayer, cache::CacheAdmin, service::NotFound};

use super::{
    admission::{Admission, Limit, Refusal, Seat, SeatKind},
    connection::{self, Http1},
    constant_fields::ConstantFields,
    files::{Files, Shares},
    limits::Limits,
    refusals::Refusals,
    role::Role,
    sweep::Sweeps,
};
use crate::{signals::Signals, throttled::Throttled};

/// What connections are served with.
pub(crate) struct Server {
    pub(crate) layer: S3ProxyLayer,
    pub(crate) ping_path: String,
    pub(crate) ready_path: String,
    /// What purges the cache, and its path.
    pub(crate) admin: Option<(String, CacheAdmin)>,
    /// What every response has.
    pub(crate) fields: ConstantFields,
    pub(crate) drain_timeout: Duration,
    pub(crate) limits: Limits,
    /// Of the files that the process can have open.
    pub(crate) shares: Shares,
}

/// How serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The requests in flight were answered.
    Drained,
    /// Some were not.
    Cut,
}

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) layer: S3ProxyLayer,
    pub(crate) ping_path: String,
    pub(crate) ready_path: String,
    pub(crate) admin: Option<(String, CacheAdmin)>,
    pub(crate) fields: ConstantFields,
    pub(crate) limits: Limits,
    pub(crate) admission: Arc<Admission>,
    pub(crate) refusals: Refusals,
    pub(crate) sweeps: Sweeps,
    pub(crate) http1: Http1,
}

// === impl Server ===

impl Server {
    /// Serves until a signal stops it, then lets the requests in flight end.
    pub(crate) async fn run(self, listeners: Vec<(TcpListener, Role)>, mut signals: Signals) -> Ended {
        let (drain_timeout, proxy) = (self.drain_timeout, self.layer.layer(NotFound));
        let shared = Arc::new(self.share());
        let _sweeping = shared.sweeps.run();
        let (drain, _) = watch::channel(());
        let mut accepting = JoinSet::new();
        for (listener, role) in listeners {
            accepting.spawn(accept(listener, role, Arc::clone(&shared), proxy.clone(), drain.clone()));
        }
        signals.stop().await;
        accepting.shutdown().await;
        let _ = drain.send(());
        tokio::select! {
            biased;
            // Every connection has a receiver.
            () = drain.closed() => return Ended::Drained,
            () = signals.stop() => tracing::warn!("a second signal: requests in flight are cut off"),
            () = time::sleep(drain_timeout) => {
                tracing::warn!(?drain_timeout, "requests in flight are cut off");
            }
        }
        Ended::Cut
    }

    fn share(self) -> Shared {
        let Self { layer, ping_path, ready_path, admin, fields, limits, shares, .. } = self;
        let files = Files::new(shares.to_s3);
        let admission = Arc::new(Admission::new(shares.clients, limits.per_address, files));
        let (refusals, sweeps, http1) =
            (Refusals::default(), Sweeps::new(limits.timeouts), Http1::new(&limits));
        Shared { layer, ping_path, ready_path, admin, fields, limits, admission, refusals, sweeps, http1 }
    }
}

// === impl Shared ===

impl Shared {
    /// Lets a client in. When there is no room, a connection without a request gives way.
    fn admit(&self, address: IpAddr) -> Result<Seat, Refusal> {
        let admitted = self.admission.admit(address);
        let gives_way = match &admitted {
            Ok(Seat { kind: SeatKind::Reserved(Limit::All), .. }) => self.sweeps.regular.make_room(),
            Err(Refusal(Limit::All)) => self.sweeps.regular.make_room() || self.sweeps.reserved.make_room(),
            _ => false,
        };
        if !gives_way {
            return admitted;
        }
        drop(admitted);
        self.refusals.gave_way();
        self.admission.admit(address)
    }
}

/// Lets clients in, for ever.
async fn accept(
    listener: TcpListener,
    role: Role,
    shared: Arc<Shared>,
    proxy: S3Proxy,
    drain: watch::Sender<()>,
) {
    let failures = Throttled::default();
    loop {
        shared.admission.can_make_room().await;
        let (tcp, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                pause_after(&error, &failures).await;
                continue;
            }
        };
        match shared.admit(address.ip()) {
            Ok(seat) => {
                if let SeatKind::Reserved(limit) = seat.kind {
                    shared.refusals.reserved(limit);
                }
                tokio::spawn(connection::serve(
                    tcp,
                    seat,
                    role.clone(),
                    (Arc::clone(&shared), proxy.clone()),
                    drain.subscribe(),
                ));
            }
            Err(refusal) => shared.refusals.closed(refusal),
        }
    }
}

/// Out of file descriptors: accepting again at once would only spin.
async fn pause_after(error: &io::Error, failures: &Throttled) {
    if let Some(count) = failures.count(time::Instant::now().into_std()) {
        tracing::error!(%error, count, "accept failed");
    }
    time::sleep(Duration::from_millis(100)).await;
}
