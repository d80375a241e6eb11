//! The call queue: decides who gets the next call, and forecasts the wait of other callers.
//!
//! The decisions are those of `pronto-engine`, which is pure. Here they are kept ([`ledger`]) and served
//! ([`QueueService`]): gateways attach, operators and queues can be looked at, and nothing is said to anyone before
//! the fact behind it is durable.

pub mod ledger;
mod service;

pub use service::{
    Access, LedgerReader, OwnRow, QueueService, ReadError, ResetError, Settings, StartError, StopError,
    reset_gateway,
};
