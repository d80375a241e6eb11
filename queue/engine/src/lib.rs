//! The queue's decisions as a pure state machine: who gets the next call, and what becomes of everyone else.
//!
//! An [`Engine`] is told facts of life ([`Input`]) and the time; it decides at once, records each decision as a
//! [`Fact`] and says what to do ([`Output`]). Its [`State`] is the fold of its facts and nothing else: an engine
//! folded from the ledger of another goes on exactly where that one stopped. It has no clock, no sockets, no
//! dice, and knows nothing of SIP.
//!
//! ```text
//!   Input ──► decide (engine/) ──record()──► Fact ──apply──► State ──► decide …
//!                 │                            │
//!                 ▼                            ▼
//!             effects ──────► Gate ◄── durable(seq) ── ledger
//! ```
//!
//! The contract with the shell:
//! - after each `handle_*`, drain [`Engine::poll_output`] to `None`; the facts come first, and *all facts of one
//!   drain are one transaction* of the ledger: they hold the consequences of one input and the cursor that says
//!   the input was taken;
//! - every output that is not a fact waits in a [`Gate`] until the newest fact before it is durable;
//! - `handle_timeout` when [`Engine::poll_timeout`] has passed;
//! - at start: [`Engine::fold`], then [`Input::ClockSet`], then [`Input::Started`], then [`Input::Configure`] (recorded only if it differs).
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod api;
mod configuration;
mod contact;
mod engine;
mod fact;
mod gate;
pub mod promises;
pub mod records;
mod state;
mod view;
#[cfg(test)]
mod world;

pub use api::{Input, Output, Refusal, RequestId, SetOperatorError};
pub use configuration::{
    Announcing, Configuration, ConfigurationError, OperatorSettings, Overflow, QueueSettings, SignIn,
    Strategy, limits,
};
pub use contact::{Contact, Reach};
pub use engine::Engine;
pub use fact::{
    CallerKey, Cause, Fact, LedgerEntry, LostReason, NoteReason, PauseReason, SignOutReason, SkipReason,
    UnreachableReason, Wanted, WithdrawReason,
};
pub use gate::Gate;
pub use pronto_forecast::{Habits, HourAhead, Wait};
pub use state::State;
pub use view::{DayView, EndedCounts, ForecastView, OperatorStatus, OperatorView, QueueView};
