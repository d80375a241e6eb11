//! `pronto serve`, `gateway`, `queue`: the two halves of the house, together over in-memory pipes or apart over TCP.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use pronto_gateway::shell::{self, GatewayShell, Stopped, TraceDesk};
use pronto_queue::{QueueService, Settings as QueueSettings};
use pronto_types::OperatorId;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::service::Routes;
use tonic::transport::{Channel, Endpoint, Server};
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::config::{Config, Credential, generated_passwords};
use crate::{compose, in_memory, metrics_page};

/// Between two halves over TCP: a peer that says nothing for twice this long is gone.
const KEEP_ALIVE: Duration = Duration::from_secs(2);
/// After the calls are over: how long streams and the store may take to close.
const CLOSING: Duration = Duration::from_secs(10);

/// Which halves run in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halves {
    /// The whole centre.
    Both,
    /// The half that touches phones.
    Gateway,
    /// The half that decides who is next.
    Queue,
}

/// Why the process ended badly.
pub type ServeError = Box<dyn std::error::Error + Send + Sync>;

/// Runs until told to stop (SIGTERM or SIGINT: calls finish; once more: now) or until a store fails.
///
/// # Errors
/// Whatever cannot be bound, opened or started, and a store that failed.
pub fn run(config: &Config, halves: Halves) -> Result<(), ServeError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("pronto")
        .build()?;
    runtime.block_on(async {
        let greeting = |shell: &GatewayShell, generated: &BTreeMap<_, _>| greet(config, shell, generated);
        let reloads = config.sip.tls.is_some() && halves != Halves::Queue;
        serve(config, halves, Stop::listen(reloads)?, greeting).await
    })
}

/// The same inside another command, which says when to stop. `up` is called once the whole centre is up.
///
/// # Errors
/// As [`run`].
pub(crate) async fn serve(
    config: &Config,
    halves: Halves,
    mut stop: Stop,
    up: impl FnOnce(&GatewayShell, &BTreeMap<OperatorId, pronto_types::Secret>),
) -> Result<(), ServeError> {
    let page = if halves == Halves::Gateway {
        config.gateway.metrics
    } else {
        config.metrics
    };
    metrics_page::serve(page).map_err(|error| format!("cannot serve metrics on {page}: {error}"))?;
    let (close, closing) = watch::channel(false);
    let mut servers = Vec::new();
    let mut queue = None;
    let mut channel = None;
    let (desk, traces) = shell::trace_desk(&config.gateway.name, config.trace.calls > 0);
    if halves != Halves::Gateway {
        let settings = QueueSettings {
            configuration: compose::engine(config),
            store: config.store.clone(),
        };
        let service = QueueService::start(settings).await?;
        let mut routes = service.routes();
        if halves == Halves::Both {
            routes = routes.add_service(desk.service());
        }
        servers.push(serve_tcp(routes, bind(config.grpc).await?, closing.clone()));
        if halves == Halves::Both {
            let (to_queue, incoming) = in_memory::link();
            let server = Server::builder().add_routes(service.routes());
            let mut closing = closing.clone();
            servers.push(tokio::spawn(async move {
                let closed = async move { drop(closing.wait_for(|closed| *closed).await) };
                server.serve_with_incoming_shutdown(incoming, closed).await
            }));
            channel = Some(to_queue);
        }
        queue = Some(service);
    }
    let mut gateway = None;
    if halves != Halves::Queue {
        let channel = match channel {
            Some(channel) => channel,
            None => remote(&config.gateway.queue)?,
        };
        let mut health = None;
        if halves == Halves::Gateway {
            let (server, reporter) = serve_gateway(config.gateway.listen, &desk, closing.clone()).await?;
            servers.push(server);
            health = Some(reporter);
        }
        let generated = generated(config)?;
        let shell = GatewayShell::start(compose::gateway(config, &generated)?, channel, traces).await?;
        if let Some(queue) = &queue {
            queue.follow_gateway(shell.admission());
        }
        if let Some(health) = health {
            tokio::spawn(report_admission(health, shell.admission()));
        }
        if halves == Halves::Both {
            up(&shell, &generated);
        }
        gateway = Some(shell);
    }
    tracing::info!(version = env!("CARGO_PKG_VERSION"), ?halves, "ready");
    let ended = until_stopped(config, &mut stop, gateway.as_mut(), queue.as_ref()).await;
    let _ = close.send(true);
    drop(gateway);
    if let Some(queue) = queue {
        queue.shutdown().await?;
    }
    for server in servers {
        let _ = tokio::time::timeout(CLOSING, server).await;
    }
    ended
}

/// The gRPC of a gateway that runs alone: its calls and its health.
async fn serve_gateway(
    listen: SocketAddr,
    desk: &TraceDesk,
    closing: watch::Receiver<bool>,
) -> Result<(ServerTask, HealthReporter), ServeError> {
    let (health, service) = tonic_health::server::health_reporter();
    health.set_service_status("", ServingStatus::Serving).await;
    let routes = Routes::new(service).add_service(desk.service());
    Ok((serve_tcp(routes, bind(listen).await?, closing), health))
}

/// A gateway that takes no new calls is not serving, so that a balancer sends its calls elsewhere.
async fn report_admission(health: HealthReporter, mut admits: watch::Receiver<bool>) {
    loop {
        let status = if *admits.borrow_and_update() {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        health.set_service_status("", status).await;
        if admits.changed().await.is_err() {
            return health.set_service_status("", ServingStatus::NotServing).await;
        }
    }
}

async fn bind(listen: SocketAddr) -> Result<TcpListener, ServeError> {
    Ok(TcpListener::bind(listen)
        .await
        .map_err(|error| format!("cannot listen for gRPC on {listen}: {error}"))?)
}

type ServerTask = JoinHandle<Result<(), tonic::transport::Error>>;

fn serve_tcp(routes: Routes, listener: TcpListener, mut closing: watch::Receiver<bool>) -> ServerTask {
    let server = Server::builder()
        .http2_keepalive_interval(Some(KEEP_ALIVE))
        .http2_keepalive_timeout(Some(KEEP_ALIVE))
        .add_routes(routes);
    tokio::spawn(async move {
        let closed = async move { drop(closing.wait_for(|closed| *closed).await) };
        server
            .serve_with_incoming_shutdown(TcpListenerStream::new(listener), closed)
            .await
    })
}

fn remote(queue: &str) -> Result<Channel, ServeError> {
    let endpoint = Endpoint::from_shared(queue.to_owned())?
        .connect_timeout(Duration::from_secs(2))
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .keep_alive_while_idle(true);
    Ok(endpoint.connect_lazy())
}

fn generated(config: &Config) -> std::io::Result<BTreeMap<OperatorId, pronto_types::Secret>> {
    let generated = config
        .operators
        .iter()
        .filter(|operator| operator.credential == Credential::Generated);
    let ids: Vec<OperatorId> = generated.map(|operator| operator.id.clone()).collect();
    if ids.is_empty() {
        Ok(BTreeMap::new())
    } else {
        generated_passwords(&config.store, &ids)
    }
}

/// Waits for the first of: a signal and the end of the calls, a second signal, a failed store.
async fn until_stopped(
    config: &Config,
    stop: &mut Stop,
    gateway: Option<&mut GatewayShell>,
    queue: Option<&QueueService>,
) -> Result<(), ServeError> {
    let queue_failed = async {
        match queue {
            Some(queue) => queue.stopped().await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(queue_failed);
    let Some(gateway) = gateway else {
        return tokio::select! {
            _ = stop.asked() => Ok(()),
            error = &mut queue_failed => Err(error.into()),
        };
    };
    let mut asked = 0_u32;
    let mut failed = None;
    loop {
        tokio::select! {
            wish = stop.asked() => {
                if wish == Asked::Reload {
                    gateway.reload_certificates();
                    continue;
                }
                asked += 1;
                if asked == 1 {
                    tracing::info!("no new calls; those that are up may finish");
                    gateway.drain(config.sip.drain);
                } else {
                    tracing::info!("ending now");
                    gateway.end_now();
                }
            }
            stopped = gateway.stopped() => {
                return match (failed, stopped) {
                    (Some(error), _) => Err(error),
                    (None, Stopped::Drained) => Ok(()),
                    (None, Stopped::StoreFailed(error)) => Err(format!("the gateway's journal failed: {error}").into()),
                };
            }
            error = &mut queue_failed, if failed.is_none() => {
                // Losing the queue never drops a talk: those that are up may finish, then the process ends.
                tracing::error!(%error, "the queue service has stopped; no new calls");
                gateway.drain_alone(config.sip.drain);
                failed = Some(error.into());
            }
        }
    }
}

/// What the process is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// To stop.
    Stop,
    /// To read the certificate anew.
    Reload,
}

/// What asks the process to stop, the first time and once more, or to read its certificate anew.
pub(crate) enum Stop {
    /// SIGTERM and SIGINT; SIGHUP for the certificate.
    Signals {
        terminate: Signal,
        interrupt: Signal,
        /// Caught only where there is a certificate: a terminal that closes ends everything else.
        hang_up: Option<Signal>,
    },
    /// Another part of this process.
    Told(mpsc::Receiver<()>),
}

impl Stop {
    /// Takes SIGTERM and SIGINT from now on, and with `reloads` SIGHUP.
    pub(crate) fn listen(reloads: bool) -> std::io::Result<Self> {
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let hang_up = reloads.then(|| signal(SignalKind::hangup())).transpose()?;
        Ok(Stop::Signals {
            terminate,
            interrupt,
            hang_up,
        })
    }

    /// Completes when asked.
    pub(crate) async fn asked(&mut self) -> Asked {
        match self {
            Stop::Signals {
                terminate,
                interrupt,
                hang_up,
            } => {
                let reload = async {
                    match hang_up {
                        Some(signal) => signal.recv().await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    _ = terminate.recv() => Asked::Stop,
                    _ = interrupt.recv() => Asked::Stop,
                    _ = reload => Asked::Reload,
                }
            }
            Stop::Told(told) => match told.recv().await {
                Some(()) => Asked::Stop,
                None => std::future::pending().await,
            },
        }
    }
}

/// How to dial, who answers, and what to type.
fn greet(config: &Config, gateway: &GatewayShell, generated: &BTreeMap<OperatorId, pronto_types::Secret>) {
    println!("Pronto {} is up.", env!("CARGO_PKG_VERSION"));
    for (transport, address) in gateway.listening() {
        println!("  SIP      {}:{address}", transport.name());
    }
    println!("  gRPC     {}", config.grpc);
    println!("  metrics  http://{}/metrics", config.metrics);
    let Some((_, first)) = gateway.listening().first() else {
        return;
    };
    for number in &config.numbers {
        println!(
            "Dial     sip:{}@{first}   ({}, flow {})",
            number.dial, number.language, number.flow_name
        );
    }
    for (id, password) in generated {
        println!("Operator {id}   password {}", password.reveal());
    }
    if let Some((id, password)) = generated.iter().next() {
        let domain = &config.sip.domain;
        println!("In baresip, to be operator {id}:");
        let password = password.reveal();
        println!(
            "  /uanew <sip:{id}@{domain};transport=udp>;outbound=\"sip:{first}\";auth_user={id};auth_pass={password}"
        );
        if let Some(number) = config.numbers.first() {
            // Whoever calls from an operator's phone is that operator: nobody would be free to answer.
            println!("In a second baresip, to call as an outsider:");
            println!("  /uanew <sip:caller@{}>;regint=0", first.ip());
            println!("  /dial sip:{}@{first}", number.dial);
        }
    }
    println!("Stop with Ctrl-C: calls that are up may finish; once more ends them.");
}
