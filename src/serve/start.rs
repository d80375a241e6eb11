//! The start of a process: everything that is bound, opened and started, in the order in which one part needs another.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use pronto_gateway::shell::{self, Certificates, GatewayShell, cannot_bind};
use pronto_queue::{QueueService, Settings as QueueSettings};
use pronto_types::{OperatorId, Secret};
use tokio_util::sync::CancellationToken;

use super::servers::{
    Door, ServerTask, bind, remote, report_admission, serve_gateway, serve_tcp, serve_within,
};
use super::{Halves, ServeError};
use crate::access::guard::Guard;
use crate::config::{Config, Credential, generated_passwords};
use crate::health::Health;
use crate::{compose, linked, metrics_page, process};

/// The parts of a process that is up.
pub(super) struct Up {
    pub(super) gateway: Option<GatewayShell>,
    pub(super) queue: Option<QueueService>,
    pub(super) servers: Vec<ServerTask>,
    /// The certificates in use, of SIP and of gRPC.
    pub(super) certificates: Vec<Certificates>,
}

/// Starts everything, or says why not.
pub(super) async fn start(
    config: &Config,
    halves: Halves,
    closing: CancellationToken,
    (up, health): (impl FnOnce(&GatewayShell, &BTreeMap<OperatorId, Secret>), &Health),
) -> Result<Up, ServeError> {
    if halves != Halves::Queue {
        process::raise_open_files(config.gateway.calls.min(config.media.most_calls()));
    }
    let started = async {
        serve_pages(config, halves, health).await?;
        start_all(config, halves, closing, up).await
    };
    started.await.map_err(|error| match running_here(config, halves) {
        // Its ports are taken too: that is not what is wrong.
        Some(pid) => format!(
            "Pronto already runs here: process {pid} has the store `{}`. Stop that one first, or give this one a `[store] path` \
             and addresses of its own",
            config.store.display()
        )
        .into(),
        None => error,
    })
}

/// Another process that has the store which this one needs.
fn running_here(config: &Config, halves: Halves) -> Option<u32> {
    let files: &[&str] = match halves {
        Halves::Both => &["ledger.sqlite", "journal.sqlite"],
        Halves::Queue => &["ledger.sqlite"],
        Halves::Gateway => &["journal.sqlite"],
    };
    files
        .iter()
        .find_map(|file| pronto_store::held_by(&config.store.join(file)))
}

/// Metrics and health over HTTP.
async fn serve_pages(config: &Config, halves: Halves, health: &Health) -> Result<(), ServeError> {
    let page = page(config, halves);
    metrics_page::serve(page, health.clone()).await.map_err(|error| {
        let why = error
            .downcast_ref()
            .map_or_else(|| error.to_string(), cannot_bind);
        format!("cannot serve metrics on {page}: {why}").into()
    })
}

async fn start_all(
    config: &Config,
    halves: Halves,
    closing: CancellationToken,
    up: impl FnOnce(&GatewayShell, &BTreeMap<OperatorId, Secret>),
) -> Result<Up, ServeError> {
    let (mut servers, mut certificates) = (Vec::new(), Vec::new());
    let (mut queue, mut channel) = (None, None);
    let (desk, traces) = shell::trace_desk(&config.gateway.name, config.trace.calls > 0);
    if halves != Halves::Gateway {
        let settings = QueueSettings {
            configuration: config.engine.clone(),
            store: config.store.clone(),
        };
        let service = QueueService::start(settings).await?;
        let (access, guard) = linked::access(config, halves)?;
        let mut routes = service.routes(access);
        if halves == Halves::Both {
            routes = routes.add_service(desk.service());
            service.await_gateway().await;
        }
        let door = door(config, guard).await?;
        certificates.extend(door.certificates.clone());
        servers.push(serve_tcp(routes, door, closing.clone()));
        if halves == Halves::Both {
            let (to_queue, server) = serve_within(&service, closing.clone());
            servers.push(server);
            channel = Some(to_queue);
        }
        queue = Some(service);
    }
    let mut gateway = None;
    if halves != Halves::Queue {
        let channel = match channel {
            Some(channel) => channel,
            None => remote(&config.gateway)?,
        };
        let mut reporter = None;
        if halves == Halves::Gateway {
            let guard = Guard::new(config.grpc.clients.clone());
            let (server, status) = serve_gateway(config.gateway.listen, &desk, guard, closing).await?;
            servers.push(server);
            reporter = Some(status);
        }
        let generated = generated(config)?;
        let mut settings = compose::gateway(config, &generated)?;
        settings.token = (halves == Halves::Gateway)
            .then(|| linked::token(config))
            .transpose()?;
        // On a task of its own: reading a long journal must not keep a signal waiting.
        let shell = tokio::spawn(GatewayShell::start(settings, channel, traces)).await??;
        if let Some(queue) = &queue {
            queue.follow_gateway(shell.closed(), Option::is_none);
        }
        if let Some(reporter) = reporter {
            tokio::spawn(report_admission(reporter, shell.closed()));
        }
        if halves == Halves::Both {
            linked::attached(shell.attached()).await;
            up(&shell, &generated);
        }
        certificates.extend(shell.certificates());
        gateway = Some(shell);
    }
    Ok(Up {
        gateway,
        queue,
        servers,
        certificates,
    })
}

/// The listener of the queue service.
async fn door(config: &Config, guard: Guard) -> Result<Door, ServeError> {
    let certificates = config.grpc.tls.as_ref().map(Certificates::load).transpose();
    Ok(Door {
        certificates: certificates.map_err(|error| format!("TLS of gRPC: {error}"))?,
        listener: bind(config.grpc.listen).await?,
        guard,
    })
}

/// Where Prometheus reads this process.
fn page(config: &Config, halves: Halves) -> SocketAddr {
    if halves == Halves::Gateway {
        config.gateway.metrics
    } else {
        config.metrics
    }
}

fn generated(config: &Config) -> std::io::Result<BTreeMap<OperatorId, Secret>> {
    let generated = config
        .phones
        .iter()
        .filter(|phone| phone.credential == Credential::Generated);
    let ids: Vec<OperatorId> = generated.map(|phone| phone.operator.clone()).collect();
    if ids.is_empty() {
        Ok(BTreeMap::new())
    } else {
        generated_passwords(&config.store, &ids)
    }
}
