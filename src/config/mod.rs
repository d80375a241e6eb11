//! The one TOML that serves both halves of the house.
//!
//! Both halves check all of it and each uses its own sections. [`keys`] describes every key, and `pronto_config` reads the
//! tables by these descriptions. What comes out is a [`Config`] with nothing left to look up, or a [`Report`] of every
//! mistake, flows included. There are no secrets in a report.
//!
//! Not here: reloading the configuration while calls are up, and applying it (the composition's).

mod addresses;
mod builtin;
mod dial;
mod differences;
mod dscp;
mod generated;
mod grpc;
mod keys;
mod numbers;
mod overflow;
mod people;
mod read;
mod recording;
mod registrar;
mod services;
mod settings;
mod sip;
#[cfg(test)]
pub(crate) mod tests;
mod tls;
mod token;

use std::fs;
use std::io::Read;
use std::path::Path;

pub use dial::normalise_dialled;
pub use generated::generated_passwords;
pub use keys::CONFIGURATION;
pub use pronto_config::{Look, Report};
pub use settings::{Config, Credential, Gateway, Grpc, Media, Number, Phone, Registrar, Sip};
pub use token::{gateway_token, new_token};

/// Where `serve` and `config check` look when no file is named.
pub const DEFAULT_CONFIG: &str = "pronto.toml";

/// How `password_env` is looked up; `None` leaves it to the half that meets phones.
type Environment<'a> = Option<&'a dyn Fn(&str) -> Option<String>>;

/// A configuration of thousands of operators fits many times.
const LARGEST: u64 = 4 << 20;

impl Config {
    /// Reads a configuration, the flows and prompts it names, and the variables that hold its passwords.
    ///
    /// # Errors
    /// Everything that is wrong with all of them, at once.
    pub fn load(path: &Path) -> Result<Self, Report> {
        load(path, Some(&|name: &str| std::env::var(name).ok()))
    }

    /// The same for the queue service, which never meets a phone: `password_env` stays the name of a variable
    /// ([`Credential::Variable`]), so that the secrets need not be in its environment.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load_without_secrets(path: &Path) -> Result<Self, Report> {
        load(path, None)
    }
}

fn load(path: &Path, environment: Environment<'_>) -> Result<Config, Report> {
    let file = path.display().to_string();
    let source = read_bounded(path).map_err(|why| Report::unreadable(&file, &why))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let config = read::read(&source, &file, folder, environment)?;
    Ok(Config {
        file: Some(path.to_owned()),
        ..config
    })
}

fn read_bounded(path: &Path) -> Result<String, String> {
    let file = fs::File::open(path).map_err(|error| error.to_string())?;
    let mut source = String::new();
    file.take(LARGEST + 1)
        .read_to_string(&mut source)
        .map_err(|error| error.to_string())?;
    let length = u64::try_from(source.len()).unwrap_or(u64::MAX);
    if length > LARGEST {
        Err("it is larger than 4 MiB".to_owned())
    } else {
        Ok(source)
    }
}
