//! Everything that touches a phone.
//!
//! [`call`] is the pure core: it owns the SIP endpoint, the calls and the [`journal`], and is told what happened.
//! [`shell`] owns the sockets, the clock and the tasks; [`shell::link`] replicates the journal to the queue over gRPC.

pub mod call;
pub mod journal;
pub mod prompts;
pub mod settings;
pub mod shell;
pub mod trace;

pub use call::{Closed, Counts, Gateway, Input, Output};
pub use prompts::Prompts;
pub use settings::{Answer, Number, Settings, normalise_dialled};
