//! `grpc.health.v1`: whether the service takes new work, and whether it works at all.

use std::sync::Arc;

use pronto_proto::v1::callers_server::CallersServer;
use pronto_proto::v1::gateways_server::GatewaysServer;
use pronto_proto::v1::operators_server::OperatorsServer;
use pronto_proto::v1::queues_server::QueuesServer;
use tokio::sync::{Mutex, watch};
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use super::callers::CallersService;
use super::gateways::GatewaysService;
use super::operators::OperatorsService;
use super::queues::QueuesService;

/// How far the service is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ready {
    /// Ready for everybody.
    Always,
    /// For the people who are here, and for nobody new: the ledger's disk is full. The whole and `Callers` are not
    /// serving, so that a balancer sends nobody; gateways and operators are served.
    Here,
    /// Not ready for anybody.
    Never,
}

/// The readiness reported to health checks.
#[derive(Clone)]
pub(super) struct Readiness {
    health: HealthReporter,
    state: Arc<Mutex<State>>,
    /// Why nobody new is served, in words.
    closed: watch::Sender<Option<&'static str>>,
}

struct State {
    ready: Ready,
    /// The gateway in this process takes new calls.
    gateway: bool,
}

impl Readiness {
    pub(super) fn new(health: HealthReporter) -> Self {
        let state = State {
            ready: Ready::Always,
            gateway: true,
        };
        Readiness {
            health,
            state: Arc::new(Mutex::new(state)),
            closed: watch::Sender::new(None),
        }
    }

    /// Why nobody new is served, now and later; the gateway in this process is not asked.
    pub(super) fn closed(&self) -> watch::Receiver<Option<&'static str>> {
        self.closed.subscribe()
    }

    /// From now on.
    pub(super) async fn set(&self, ready: Ready) {
        let mut state = self.state.lock().await;
        state.ready = ready;
        self.closed.send_replace(match ready {
            Ready::Always => None,
            Ready::Here => Some("the ledger has no room"),
            Ready::Never => Some("the ledger cannot be written"),
        });
        self.say(&state).await;
    }

    /// Whether the gateway in this process takes new calls, from now on.
    pub(super) async fn set_gateway(&self, admits: bool) {
        let mut state = self.state.lock().await;
        state.gateway = admits;
        self.say(&state).await;
    }

    async fn say(&self, state: &State) {
        let status = |serving| {
            if serving {
                ServingStatus::Serving
            } else {
                ServingStatus::NotServing
            }
        };
        let all = status(state.ready != Ready::Never);
        let new = status(state.ready == Ready::Always);
        let whole = status(state.ready == Ready::Always && state.gateway);
        let health = &self.health;
        health.set_service_status("", whole).await;
        health
            .set_service_status(name::<CallersServer<CallersService>>(), new)
            .await;
        for service in [
            name::<GatewaysServer<GatewaysService>>(),
            name::<OperatorsServer<OperatorsService>>(),
            name::<QueuesServer<QueuesService>>(),
        ] {
            health.set_service_status(service, all).await;
        }
    }
}

fn name<S: tonic::server::NamedService>() -> &'static str {
    S::NAME
}
