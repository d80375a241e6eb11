//! Synthetic callers and operators for `pronto demo`: phones that reach a centre like anybody's, over SIP and RTP on
//! UDP sockets, and listen to what they hear.
//!
//! ```text
//!  script   what each person will do, from a seed                        (pure)
//!  caller, operator   one person at their phone: decides                 (pure)
//!  ear, voice   what is heard, and by which pitch who is heard           (pure)
//!  phone    one person's phone: SIP endpoint, RTP session, their sockets (shell)
//! ```
//!
//! Nothing here knows the centre's inside: a phone has an address to call, and an operator a password.

mod caller;
mod ear;
mod operator;
mod person;
mod phone;
pub mod script;
mod voice;

pub use caller::Caller;
pub use ear::Listening;
pub use operator::Operator;
pub use person::{Note, Offer, Outcome, Phase, Wish};
pub use phone::{Account, Centre, Clock, Phone, PhoneError};
pub use voice::{MOST_CALLERS, MOST_OPERATORS, Speaker};
