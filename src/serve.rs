//! `pronto serve`, `gateway`, `queue`: the two halves of the house, together over in-memory pipes or apart over TCP.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pronto_gateway::Closed;
use pronto_gateway::shell::{self, GatewayShell, Stopped, TraceDesk, cannot_bind};
use pronto_queue::{Access, QueueService, Settings as QueueSettings};
use pronto_types::OperatorId;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tonic::service::Routes;
use tonic::transport::{Channel, Endpoint, Server};
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::config::{Config, Credential, Report, generated_passwords};
use crate::connections::grpc;
pub use crate::halves::{Halves, ServeError};
use crate::health::Health;
use crate::reload::{Loader, Reload};
use crate::signals::{Asked, HangUp, Stop};
use crate::{compose, in_memory, linked, metrics_page, process};

/// Between two halves over TCP: a peer that says nothing for twice this long is gone.
const KEEP_ALIVE: Duration = Duration::from_secs(2);
/// After the calls are over: how long streams and the store may take to close.
const CLOSING: Duration = Duration::from_secs(10);
/// At the end of the process: how long threads may go on that nobody waits for.
const GIVEN_UP: Duration = Duration::from_secs(1);

/// Calls at once over one connection.
const STREAMS: u32 = 128;
/// The fields of one request together, in octets.
const LARGEST_HEAD: u32 = 16 * 1024;
/// Until a call is answered, or a stream opened: half a request is not waited for.
const ANSWER: Duration = Duration::from_secs(30);

/// A server that has begun: its signals are taken, and nothing else is done.
pub struct Process {
    runtime: Runtime,
    stop: Stop,
    /// SIGHUP came before there was anything to read again.
    reload_wanted: bool,
}

impl Process {
    /// Takes the signals, so that none but SIGTERM and SIGINT ends what is about to start.
    ///
    /// # Errors
    /// The system gives no thread, or no handler.
    pub fn begin() -> std::io::Result<Process> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .thread_name("pronto")
            .build()?;
        let stop = {
            let _inside = runtime.enter();
            Stop::listen(HangUp::Reloads)?
        };
        Ok(Process {
            runtime,
            stop,
            reload_wanted: false,
        })
    }

    /// Reads the configuration; `None` if asked to stop meanwhile: a disk may be slow.
    pub fn load(&mut self, load: &Loader) -> Option<Result<Config, Report>> {
        let load = Arc::clone(load);
        let Process {
            runtime,
            stop,
            reload_wanted,
        } = self;
        runtime.block_on(async {
            let read = tokio::task::spawn_blocking(move || load());
            tokio::select! {
                biased;
                () = stop_asked(stop, reload_wanted) => None,
                read = read => match read {
                    Ok(read) => Some(read),
                    Err(crashed) => std::panic::resume_unwind(crashed.into_panic()),
                },
            }
        })
    }

    /// Ends it, whatever still runs in it.
    pub fn end(self) {
        self.runtime.shutdown_timeout(GIVEN_UP);
    }

    /// Runs until told to stop (SIGTERM or SIGINT: calls finish; once more: now) or until a store fails. `load` reads
    /// the configuration again.
    ///
    /// # Errors
    /// Whatever cannot be bound, opened or started, and a store that failed.
    pub fn run(self, config: &Config, halves: Halves, load: Loader) -> Result<(), ServeError> {
        let Process {
            runtime,
            stop,
            reload_wanted,
        } = self;
        let greeting = |shell: &GatewayShell, generated: &BTreeMap<_, _>| {
            // Nobody may be left to read it: `pronto serve | head -1`.
            let _ = std::io::stdout().write_all(greeting(config, shell, generated).as_bytes());
        };
        let orders = Orders {
            stop,
            load: Some(load),
            reload_wanted,
        };
        let ended = runtime.block_on(serve(config, halves, orders, greeting));
        // A start that was given up may still read a long ledger.
        runtime.shutdown_timeout(GIVEN_UP);
        ended
    }
}

/// Orders to a running centre from outside.
pub(crate) struct Orders {
    /// The source of requests to stop, or to read the files again.
    pub(crate) stop: Stop,
    /// How the configuration is read again, if that may be asked.
    pub(crate) load: Option<Loader>,
    /// Whether that was asked already.
    pub(crate) reload_wanted: bool,
}

/// The parts of a process that is up.
struct Up {
    gateway: Option<GatewayShell>,
    queue: Option<QueueService>,
    servers: Vec<ServerTask>,
}

/// The same inside another command, which says when to stop. `up` is called once the whole centre is up.
///
/// # Errors
/// As [`Process::run`].
pub(crate) async fn serve(
    config: &Config,
    halves: Halves,
    mut orders: Orders,
    up: impl FnOnce(&GatewayShell, &BTreeMap<OperatorId, pronto_types::Secret>),
) -> Result<(), ServeError> {
    let (close, closing) = watch::channel(false);
    let health = Health::default();
    health.set("process", Some("it is starting"));
    let started = tokio::select! {
        biased;
        () = stop_asked(&mut orders.stop, &mut orders.reload_wanted) => {
            tracing::info!("asked to stop before it was up: nobody has called");
            return Ok(());
        }
        started = start(config, halves, closing, (up, &health)) => started?,
    };
    let Up {
        mut gateway,
        queue,
        servers,
    } = started;
    if let Some(shell) = &gateway {
        health.follow("new calls", shell.closed());
    }
    if let Some(service) = &queue {
        health.follow("queue service", service.closed());
    }
    health.set("process", None);
    tracing::info!(version = env!("CARGO_PKG_VERSION"), ?halves, "ready");
    let reload = Arc::new(Notify::new());
    if let Some(load) = orders.load {
        let task = Reload {
            load,
            in_force: config.clone(),
            certificates: gateway.as_ref().and_then(GatewayShell::certificates),
        };
        tokio::spawn(task.run(Arc::clone(&reload)));
    }
    if orders.reload_wanted {
        reload.notify_one();
    }
    let ended = until_stopped(
        config,
        (&mut orders.stop, &reload, &health),
        gateway.as_mut(),
        queue.as_ref(),
    )
    .await;
    let _ = close.send(true);
    drop(gateway);
    if let Some(queue) = queue {
        queue.shutdown().await?;
    }
    end(servers).await;
    ended
}

/// Completes when asked to stop; remembers whether files are to be read again.
async fn stop_asked(stop: &mut Stop, reload_wanted: &mut bool) {
    while stop.asked().await == Asked::Reload {
        *reload_wanted = true;
    }
}

/// Starts everything, or says why not.
async fn start(
    config: &Config,
    halves: Halves,
    closing: watch::Receiver<bool>,
    (up, health): (
        impl FnOnce(&GatewayShell, &BTreeMap<OperatorId, pronto_types::Secret>),
        &Health,
    ),
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
    closing: watch::Receiver<bool>,
    up: impl FnOnce(&GatewayShell, &BTreeMap<OperatorId, pronto_types::Secret>),
) -> Result<Up, ServeError> {
    let (mut servers, mut queue, mut channel) = (Vec::new(), None, None);
    let (desk, traces) = shell::trace_desk(&config.gateway.name, config.trace.calls > 0);
    if halves != Halves::Gateway {
        let settings = QueueSettings {
            configuration: compose::engine(config),
            store: config.store.clone(),
        };
        let service = QueueService::start(settings).await?;
        let mut routes = service.routes(linked::access(config, halves)?);
        if halves == Halves::Both {
            routes = routes.add_service(desk.service());
            service.await_gateway().await;
        }
        servers.push(serve_tcp(routes, bind(config.grpc).await?, closing.clone()));
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
            None => remote(&config.gateway.queue)?,
        };
        let mut reporter = None;
        if halves == Halves::Gateway {
            let (server, status) = serve_gateway(config.gateway.listen, &desk, closing).await?;
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
        gateway = Some(shell);
    }
    Ok(Up {
        gateway,
        queue,
        servers,
    })
}

/// The gRPC of a gateway that runs alone: its calls and its health.
async fn serve_gateway(
    listen: SocketAddr,
    desk: &TraceDesk,
    closing: watch::Receiver<bool>,
) -> Result<(ServerTask, HealthReporter), ServeError> {
    let (health, service) = tonic_health::server::health_reporter();
    health.set_service_status("", ServingStatus::NotServing).await;
    let routes = Routes::new(service).add_service(desk.service());
    Ok((serve_tcp(routes, bind(listen).await?, closing), health))
}

/// A gateway that takes no new calls is not serving, so that a balancer sends its calls elsewhere.
async fn report_admission(health: HealthReporter, mut closed: watch::Receiver<Option<Closed>>) {
    loop {
        let status = if closed.borrow_and_update().is_none() {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        health.set_service_status("", status).await;
        if closed.changed().await.is_err() {
            return health.set_service_status("", ServingStatus::NotServing).await;
        }
    }
}

async fn end(servers: Vec<ServerTask>) {
    for server in servers {
        let _ = tokio::time::timeout(CLOSING, server).await;
    }
}

/// The queue service for the gateway of this process: nobody else reaches it there.
fn serve_within(service: &QueueService, mut closing: watch::Receiver<bool>) -> (Channel, ServerTask) {
    let (to_queue, incoming) = in_memory::link();
    let server = Server::builder().add_routes(service.routes(Access::SameProcess));
    let task = tokio::spawn(async move {
        let closed = async move { drop(closing.wait_for(|closed| *closed).await) };
        server.serve_with_incoming_shutdown(incoming, closed).await
    });
    (to_queue, task)
}

/// Where Prometheus reads this process.
fn page(config: &Config, halves: Halves) -> SocketAddr {
    if halves == Halves::Gateway {
        config.gateway.metrics
    } else {
        config.metrics
    }
}

async fn bind(listen: SocketAddr) -> Result<TcpListener, ServeError> {
    Ok(TcpListener::bind(listen)
        .await
        .map_err(|error| format!("cannot listen for gRPC on {listen}: {}", cannot_bind(&error)))?)
}

type ServerTask = JoinHandle<Result<(), tonic::transport::Error>>;

fn serve_tcp(routes: Routes, listener: TcpListener, mut closing: watch::Receiver<bool>) -> ServerTask {
    let server = Server::builder()
        .http2_keepalive_interval(Some(KEEP_ALIVE))
        .http2_keepalive_timeout(Some(KEEP_ALIVE))
        .max_concurrent_streams(STREAMS)
        .http2_max_header_list_size(LARGEST_HEAD)
        .timeout(ANSWER)
        .layer(grpc::Counting)
        .add_routes(routes);
    tokio::spawn(async move {
        let closed = async move { drop(closing.wait_for(|closed| *closed).await) };
        server
            .serve_with_incoming_shutdown(grpc::incoming(listener), closed)
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
    (stop, reload, health): (&mut Stop, &Notify, &Health),
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
        loop {
            tokio::select! {
                wish = stop.asked() => match wish {
                    Asked::Stop => return Ok(()),
                    Asked::Reload => reload.notify_one(),
                },
                error = &mut queue_failed => return Err(error.into()),
            }
        }
    };
    let mut asked = 0_u32;
    let mut failed = None;
    loop {
        tokio::select! {
            wish = stop.asked() => {
                if wish == Asked::Reload {
                    reload.notify_one();
                    continue;
                }
                asked += 1;
                health.set("process", Some("it is stopping: no new calls are taken"));
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
                    (None, Stopped::Refused(why)) => Err(why.into()),
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

/// How to dial, who answers, and what to type.
fn greeting(
    config: &Config,
    gateway: &GatewayShell,
    generated: &BTreeMap<OperatorId, pronto_types::Secret>,
) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "Pronto {} is up.", env!("CARGO_PKG_VERSION"));
    for (transport, address) in gateway.listening() {
        let _ = writeln!(text, "  SIP      {}:{address}", transport.name());
    }
    let _ = writeln!(text, "  gRPC     {}", config.grpc);
    let _ = writeln!(text, "  metrics  http://{}/metrics", config.metrics);
    let Some((_, first)) = gateway.listening().first() else {
        return text;
    };
    for number in &config.numbers {
        let _ = writeln!(
            text,
            "Dial     sip:{}@{first}   ({}, flow {})",
            number.dial, number.language, number.flow_name
        );
    }
    for (id, password) in generated {
        let _ = writeln!(text, "Operator {id}   password {}", password.reveal());
    }
    if let Some((id, password)) = generated.iter().next() {
        let domain = &config.sip.domain;
        let _ = writeln!(text, "In baresip, to be operator {id}:");
        let password = password.reveal();
        let _ = writeln!(
            text,
            "  /uanew <sip:{id}@{domain};transport=udp>;outbound=\"sip:{first}\";auth_user={id};auth_pass={password}"
        );
        if let Some(number) = config.numbers.first() {
            // Whoever calls from an operator's phone is that operator: nobody would be free to answer.
            let _ = writeln!(text, "In a second baresip, to call as an outsider:");
            let _ = writeln!(text, "  /uanew <sip:caller@{}>;regint=0", first.ip());
            let _ = writeln!(text, "  /dial sip:{}@{first}", number.dial);
        }
    }
    let _ = writeln!(
        text,
        "Stop with Ctrl-C: calls that are up may finish; once more ends them."
    );
    text
}
