//! Pronto: the composition of the house, as a small library for the tests.

pub mod access;
pub mod calls;
mod channel;
pub mod cli;
mod columns;
mod compose;
pub mod config;
mod connections;
pub mod demo;
pub mod diagnose;
pub mod forecast;
mod halves;
mod health;
mod in_memory;
mod json;
mod linked;
pub mod log;
mod machine;
mod metrics_page;
mod process;
pub mod prompts;
pub mod reload;
pub mod report;
pub mod serve;
mod signals;
pub mod staffing;
pub mod trace;
