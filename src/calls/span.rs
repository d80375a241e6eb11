//! Options that `calls` and `report` share: the store, the time span, the queue.

use std::path::{Path, PathBuf};

use clap::Args;
use jiff::tz::TimeZone;
use pronto_types::{QueueName, Time};

use super::{CallsError, when};
use crate::config::DEFAULT_CONFIG;
use crate::config::{Config, Look};

/// The arguments of both.
#[derive(Debug, Clone, Args, PartialEq, Eq)]
pub struct SpanArgs {
    /// The configuration that says where the store is [default: pronto.toml if it is here, else the built-in centre]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The folder of the store itself; times and days are those of UTC
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    pub store: Option<PathBuf>,
    /// Only calls and promises begun at or after: `2026-11-24`, `2026-11-24T18:30`, RFC 3339, or `90m` for that long
    /// ago
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Only calls and promises begun before this time
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Only calls and promises of this queue
    #[arg(long, value_name = "QUEUE")]
    pub queue: Option<String>,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// The selected time span and queue.
#[derive(Clone, Debug, Default)]
pub(crate) struct Span {
    pub(crate) since: Option<Time>,
    pub(crate) until: Option<Time>,
    pub(crate) queue: Option<QueueName>,
}

impl SpanArgs {
    /// The store, and the zone its times are shown in.
    pub(crate) fn place(&self, look: Look) -> Result<(PathBuf, TimeZone), CallsError> {
        place(self.config.as_deref(), self.store.as_deref(), look)
    }

    /// Parses the time span and the queue from the arguments.
    pub(crate) fn span(&self, zone: &TimeZone) -> Result<Span, CallsError> {
        let time = |option, text: &Option<String>| {
            let read = |text: &String| {
                when::parse(text, zone, when::now()).ok_or_else(|| CallsError::time(option, text))
            };
            text.as_ref().map(read).transpose()
        };
        let queue =
            |text: &String| QueueName::new(text).map_err(|error| CallsError::Queue(error.to_string()));
        Ok(Span {
            since: time("--since", &self.since)?,
            until: time("--until", &self.until)?,
            queue: self.queue.as_ref().map(queue).transpose()?,
        })
    }
}

/// The store that a configuration or an option names, and the zone its times are shown in.
pub(crate) fn place(
    config: Option<&Path>,
    store: Option<&Path>,
    look: Look,
) -> Result<(PathBuf, TimeZone), CallsError> {
    if let Some(store) = store {
        return Ok((store.to_owned(), TimeZone::UTC));
    }
    let default = Path::new(DEFAULT_CONFIG);
    let file = match config {
        Some(file) => Some(file),
        None => default.symlink_metadata().is_ok().then_some(default),
    };
    // The secrets of phones are nothing that a list of calls needs.
    let config = match file {
        Some(file) => {
            Config::load_without_secrets(file).map_err(|report| CallsError::Config(report.render(look)))?
        }
        None => Config::builtin(),
    };
    Ok((config.store, config.timezone))
}

impl Span {
    /// Whether what happened then in this queue is wanted.
    pub(crate) fn takes(&self, at: Time, queue: &QueueName) -> bool {
        self.holds(at) && self.queue.as_ref().is_none_or(|wanted| wanted == queue)
    }

    /// Whether what happened then is wanted.
    pub(crate) fn holds(&self, at: Time) -> bool {
        self.since.is_none_or(|since| at >= since) && self.until.is_none_or(|until| at < until)
    }
}
