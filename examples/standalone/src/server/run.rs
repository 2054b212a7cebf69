use std::{
    io,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{sync::watch, task::JoinSet, time};
use tower::Layer;
use tower_s3_proxy::{S3Proxy, S3ProxyLayer, explain::ExplainToken, service::NotFound};

use super::{
    admission::{Admission, Limit, Refusal, Seat, SeatKind},
    client_address::TrustedProxies,
    connection::{self, Accepted, Http1},
    constant_fields::ConstantFields,
    files::{Files, Shares},
    limits::Limits,
    listener::{Addressing, Binding},
    meters::Meters,
    rates::RequestRate,
    refusals::Refusals,
    sweep::Sweeps,
};
use crate::{access_log::AccessLog, cache::Admin, inherited::State, signals::Signals, throttled::Throttled};

/// What connections are served with.
pub(crate) struct Server {
    pub(crate) layer: S3ProxyLayer,
    pub(crate) ping_path: String,
    pub(crate) ready_path: String,
    pub(crate) admin: Option<Arc<Admin>>,
    /// What every response has.
    pub(crate) fields: ConstantFields,
    /// For load balancers to see that it is not ready.
    pub(crate) shutdown_delay: Duration,
    pub(crate) drain_timeout: Duration,
    pub(crate) limits: Limits,
    pub(crate) trusted: TrustedProxies,
    pub(crate) requests: Option<RequestRate>,
    /// Whoever shows it gets explanations.
    pub(crate) explain: Option<ExplainToken>,
    /// Of the files that the process can have open.
    pub(crate) shares: Shares,
    pub(crate) access_log: Option<Arc<AccessLog>>,
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
    pub(crate) admin: Option<Arc<Admin>>,
    pub(crate) fields: ConstantFields,
    pub(crate) limits: Limits,
    pub(crate) trusted: TrustedProxies,
    pub(crate) requests: Option<RequestRate>,
    pub(crate) explain: Option<ExplainToken>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) refusals: Refusals,
    pub(crate) meters: Meters,
    pub(crate) access_log: Option<Arc<AccessLog>>,
    pub(crate) sweeps: Sweeps,
    pub(crate) http1: Http1,
    /// Whether a signal has come: it is not ready any more.
    pub(crate) is_stopping: AtomicBool,
}

// === impl Server ===

impl Server {
    /// Serves until a signal stops it, then lets the requests in flight end.
    pub(crate) async fn run(self, bindings: Vec<Binding>, mut signals: Signals) -> Ended {
        let (drain_timeout, shutdown_delay) = (self.drain_timeout, self.shutdown_delay);
        let proxy = self.layer.layer(NotFound);
        let shared = Arc::new(self.share());
        let _sweeping = shared.sweeps.run();
        let (drain, _) = watch::channel(());
        let mut accepting = JoinSet::new();
        for binding in bindings {
            accepting.spawn(accept(binding, Arc::clone(&shared), proxy.clone(), drain.clone()));
        }
        State::Ready.tell();
        signals.stop().await;
        State::Stopping.tell();
        shared.is_stopping.store(true, Relaxed);
        if !shutdown_delay.is_zero() {
            tracing::info!(?shutdown_delay, "not ready any more; requests are still answered");
            tokio::select! {
                () = time::sleep(shutdown_delay) => {}
                () = signals.stop() => {}
            }
        }
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
        let Self {
            layer,
            ping_path,
            ready_path,
            admin,
            fields,
            limits,
            trusted,
            requests,
            explain,
            access_log,
            shares,
            ..
        } = self;
        let files = Files::new(shares.to_s3);
        let admission = Arc::new(Admission::new(shares.clients, limits.per_address, files));
        let (refusals, sweeps, http1) =
            (Refusals::default(), Sweeps::new(limits.timeouts), Http1::new(&limits));
        let meters = Meters::default();
        Shared {
            layer,
            ping_path,
            ready_path,
            admin,
            access_log,
            fields,
            limits,
            trusted,
            requests,
            explain,
            admission,
            refusals,
            meters,
            sweeps,
            http1,
            is_stopping: AtomicBool::new(false),
        }
    }
}

// === impl Shared ===

impl Shared {
    /// Lets a client in. When there is no room, a connection without a request gives way.
    fn admit(&self, address: Option<IpAddr>) -> Result<Seat, Refusal> {
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
    Binding { listener, role, addressing }: Binding,
    shared: Arc<Shared>,
    proxy: S3Proxy,
    drain: watch::Sender<()>,
) {
    let failures = Throttled::default();
    loop {
        shared.admission.can_make_room().await;
        let (socket, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                pause_after(&error, &failures).await;
                continue;
            }
        };
        // The connections of a proxy are those of its clients.
        let is_shared = addressing == Addressing::ProxyProtocol || shared.trusted.trust(peer);
        match shared.admit(peer.filter(|_| !is_shared)) {
            Ok(seat) => {
                if let SeatKind::Reserved(limit) = seat.kind {
                    shared.refusals.reserved(limit);
                }
                let accepted = Accepted { socket, peer, addressing, role: role.clone(), seat };
                let shared = (Arc::clone(&shared), proxy.clone());
                tokio::spawn(connection::serve(accepted, shared, drain.subscribe()));
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
