//! SIP (RFC 3261) and SDP offer/answer (RFC 3264) as pure state machines.
//!
//! An [`Endpoint`] is handed what the sockets received, the time and commands, and says what to send and what happened.
//! It opens no socket, reads no clock and rolls no dice of its own.
//!
//! ```text
//! bytes ─▶ framing ─▶ message ─▶ endpoint ─▶ Event
//!                                 │ transaction: who repeats what, until when
//!                                 │ dialog:      one leg, from INVITE to BYE
//!                                 │ registrar, digest: whose phone is where
//! ```

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod api;
mod body;
mod dialog;
mod digest;
mod endpoint;
pub mod framing;
mod identity;
pub mod message;
mod reason;
mod refusal;
mod registrar;
pub mod sdp;
mod settings;
mod stun;
mod tag;
mod transaction;

pub use api::{
    Caller, Counts, Destination, DialogChange, Dropped, EndedBy, Event, Found, Identity, Input, Invite,
    InviteOptions, LegId, Notice, Orphan, Output, Registration, RegistrationId,
};
pub use endpoint::Endpoint;
pub use message::Status;
pub use reason::Reason;
pub use refusal::{Refusal, Warning};
pub use registrar::Binding;
pub use settings::{
    Algorithm, Budget, ExpiresLimits, Flow, Ha1, Inside, Limits, Settings, StrangerLimits, Transport, Trunk,
};
