//! Types shared by all crates of the workspace: time, identifiers, digits, languages and personal data that does not
//! print itself. No dependencies, no logic beyond parsing and printing.

mod deadlines;
mod digit;
mod id;
mod language;
pub mod link;
mod personal;
mod rate_limit;
mod source;
mod time;
mod wait;
mod wall;

pub use deadlines::Deadlines;
pub use digit::Digit;
pub use id::{
    AnnouncementId, CallId, ContactId, GatewayName, InvalidName, OfferId, OperatorId, QueueName, RoundId,
    TicketId, TrunkName,
};
pub use language::Language;
pub use personal::{DisplayName, PhoneNumber, Secret};
pub use rate_limit::RateLimit;
pub use source::source_of;
pub use time::Time;
pub use wait::{Forecast, MOST_MINUTES, Quantile, WaitRange, is_figure};
pub use wall::Wall;
