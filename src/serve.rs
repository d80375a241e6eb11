//! `pronto serve`, `gateway`, `queue`: the two halves of the house, together over in-memory pipes or apart over TCP.

mod greeting;
mod servers;
mod start;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use pronto_gateway::shell::{GatewayShell, Stopped};
use pronto_queue::QueueService;
use pronto_types::{OperatorId, Secret};
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use self::greeting::greeting;
use self::start::{Up, start};
use crate::config::{Config, Report};
pub use crate::halves::{Halves, ServeError};
use crate::health::Health;
use crate::reload::{Loader, Reload};
use crate::signals::{Asked, HangUp, Stop};

/// At the end of the process: how long threads may go on that nobody waits for.
const GIVEN_UP: Duration = Duration::from_secs(1);

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

/// The same inside another command, which says when to stop. `up` is called once the whole centre is up.
///
/// # Errors
/// As [`Process::run`].
pub(crate) async fn serve(
    config: &Config,
    halves: Halves,
    mut orders: Orders,
    up: impl FnOnce(&GatewayShell, &BTreeMap<OperatorId, Secret>),
) -> Result<(), ServeError> {
    let close = CancellationToken::new();
    // A start that fails closes what it has opened.
    let _closes = close.clone().drop_guard();
    let health = Health::default();
    health.set("process", Some("it is starting"));
    let started = tokio::select! {
        biased;
        () = stop_asked(&mut orders.stop, &mut orders.reload_wanted) => {
            tracing::info!("asked to stop before it was up: nobody has called");
            return Ok(());
        }
        started = start(config, halves, close.clone(), (up, &health)) => started?,
    };
    let Up {
        mut gateway,
        queue,
        servers,
        certificates,
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
            certificates,
        };
        tokio::spawn(task.run(Arc::clone(&reload)));
    }
    if orders.reload_wanted {
        reload.notify_one();
    }
    let up = Running {
        config,
        stop: &mut orders.stop,
        reload: &reload,
        health: &health,
    };
    let ended = up.until_stopped(gateway.as_mut(), queue.as_ref()).await;
    close.cancel();
    drop(gateway);
    if let Some(queue) = queue {
        queue.shutdown().await?;
    }
    servers::end(servers).await;
    ended
}

/// Completes when asked to stop; remembers whether files are to be read again.
async fn stop_asked(stop: &mut Stop, reload_wanted: &mut bool) {
    while stop.asked().await == Asked::Reload {
        *reload_wanted = true;
    }
}

/// A process that is up, and what it obeys.
struct Running<'a> {
    config: &'a Config,
    stop: &'a mut Stop,
    reload: &'a Notify,
    health: &'a Health,
}

impl Running<'_> {
    /// Waits for the first of: a signal and the end of the calls, a second signal, a failed store.
    async fn until_stopped(
        self,
        gateway: Option<&mut GatewayShell>,
        queue: Option<&QueueService>,
    ) -> Result<(), ServeError> {
        let Running {
            config,
            stop,
            reload,
            health,
        } = self;
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
}
