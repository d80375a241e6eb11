//! The reaction of the process to each signal (signal(7)).
//!
//! ```text
//!   SIGTERM, SIGINT     stop; the second one: at once
//!   SIGHUP              read again what can be read again (`demo`: stop)
//!   the others that would end a process by default, SIGUSR1 to the real-time signals: nothing
//! ```
//! Left as they are: SIGQUIT (a core dump is what an administrator asks for), the signals of a fault (SIGABRT, SIGBUS,
//! SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP), those that stop a process until SIGCONT, and SIGKILL. SIGPIPE is ignored by
//! Rust's runtime.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// A request to the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// To stop the process.
    Stop,
    /// To read its files again.
    Reload,
}

/// The meaning of SIGHUP for this command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HangUp {
    /// To read files again: a server outlives the terminal it was started from.
    Reloads,
    /// To stop: what is shown on a terminal ends with it.
    Stops,
}

/// Where the process is asked something.
pub(crate) enum Stop {
    /// By signals of the operating system.
    Signals {
        /// The stream of SIGTERM.
        terminate: Signal,
        /// The stream of SIGINT.
        interrupt: Signal,
        /// SIGHUP, and what it asks.
        hang_up: (Signal, Asked),
    },
    /// By another part of this process, to stop.
    Told(mpsc::Receiver<()>),
}

impl Stop {
    /// Takes all signals from now on, for the rest of the process. Needs a runtime around it.
    ///
    /// # Errors
    /// The system refuses a handler.
    pub(crate) fn listen(hang_up: HangUp) -> io::Result<Self> {
        let asked = match hang_up {
            HangUp::Reloads => Asked::Reload,
            HangUp::Stops => Asked::Stop,
        };
        let signals = Stop::Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: (signal(SignalKind::hangup())?, asked),
        };
        ignore_the_others()?;
        Ok(signals)
    }

    /// Completes when asked.
    pub(crate) async fn asked(&mut self) -> Asked {
        match self {
            Stop::Signals {
                terminate,
                interrupt,
                hang_up: (hang_up, asked),
            } => tokio::select! {
                _ = terminate.recv() => Asked::Stop,
                _ = interrupt.recv() => Asked::Stop,
                _ = hang_up.recv() => *asked,
            },
            Stop::Told(told) => match told.recv().await {
                Some(()) => Asked::Stop,
                None => std::future::pending().await,
            },
        }
    }
}

/// A handler that does nothing, where the default would end the process.
fn ignore_the_others() -> io::Result<()> {
    let unheard = Arc::new(AtomicBool::new(false));
    let named = [
        libc::SIGUSR1,
        libc::SIGUSR2,
        libc::SIGALRM,
        libc::SIGVTALRM,
        libc::SIGPROF,
        libc::SIGIO,
        libc::SIGPWR,
        libc::SIGSTKFLT,
        // A soft limit of processor time, or of a file's size: the write then fails, and whoever wrote says so.
        libc::SIGXCPU,
        libc::SIGXFSZ,
    ];
    for number in named.into_iter().chain(libc::SIGRTMIN()..=libc::SIGRTMAX()) {
        signal_hook::flag::register(number, Arc::clone(&unheard))?;
    }
    Ok(())
}
