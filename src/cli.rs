//! The command line: `pronto serve`, `gateway`, `gateway reset`, `queue`, `calls`, `trace`, `report`, `forecast`,
//! `staffing`, `demo`, `config check`, `token new`, `prompts build`.
//!
//! Only the words, and which configuration they mean; what they do is done elsewhere.

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};
use pronto_types::GatewayName;

use crate::access::Digest;
use crate::calls::CallsArgs;
use crate::config::{Config, DEFAULT_CONFIG, Look, Report, new_token};
use crate::demo::DemoArgs;
use crate::report::ReportCommand;
use crate::staffing::StaffingArgs;
use crate::trace::TraceArgs;

/// Answers calls, plays prompts, lets callers wait and connects them with operators.
#[derive(Debug, Clone, Parser, PartialEq)]
#[command(name = "pronto", version, propagate_version = true)]
pub struct Cli {
    /// Log filter: `error` to `trace`, also by module, such as `info,pronto_sip=debug`
    /// [default: info; of `demo`, whose output is its own: error]
    #[arg(long, global = true, value_name = "FILTER")]
    pub log: Option<String>,
    /// The command to run.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands of the program.
#[derive(Debug, Clone, Subcommand, PartialEq)]
pub enum Command {
    /// Run the whole centre in one process; without a configuration, the built-in one
    Serve(ServeArgs),
    /// Run the half that touches phones
    Gateway(GatewayArgs),
    /// Run the half that decides who is next
    Queue(HalfArgs),
    /// List the calls there were and those that are up
    Calls(CallsArgs),
    /// Show the SIP messages of a call, as a ladder or as a capture
    Trace(TraceArgs),
    /// Say what became of what was promised
    #[command(subcommand)]
    Report(ReportCommand),
    /// Forecast waits from a log of events, as the queue would have done
    Forecast(ForecastArgs),
    /// Say how many operators a queue needs, hour by hour of the week, for a service level (Erlang-A)
    Staffing(StaffingArgs),
    /// Show all of it at work: a centre on this machine, and callers and operators who phone it
    Demo(DemoArgs),
    /// Look at a configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Make a token for a client of the gRPC API
    #[command(subcommand)]
    Token(TokenCommand),
    /// Make the clips that are compiled in
    #[command(subcommand)]
    Prompts(PromptsCommand),
}

/// The arguments of `serve`.
#[derive(Debug, Clone, Args, PartialEq, Eq)]
pub struct ServeArgs {
    /// The configuration [default: pronto.toml if it is here, else the built-in centre]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// The arguments of a half that runs alone.
#[derive(Debug, Clone, Args, PartialEq, Eq)]
pub struct HalfArgs {
    /// The configuration, one for both halves
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
}

/// The arguments of `gateway`.
#[derive(Debug, Clone, Args, PartialEq, Eq)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct GatewayArgs {
    /// Instead of running it
    #[command(subcommand)]
    pub command: Option<GatewayCommand>,
    /// The configuration, one for both halves
    #[arg(long, value_name = "FILE", required = true)]
    pub config: Option<PathBuf>,
}

/// Commands for a gateway, besides running it.
#[derive(Debug, Clone, Subcommand, PartialEq, Eq)]
pub enum GatewayCommand {
    /// Let a gateway begin again that the queue service refuses because of its epoch
    ///
    /// Run it on the machine of the queue service's store, while the queue service is stopped. The calls that the gateway
    /// held are recorded as lost.
    Reset(ResetArgs),
}

/// The arguments of `gateway reset`.
#[derive(Debug, Clone, Args, PartialEq, Eq)]
pub struct ResetArgs {
    /// The gateway's name, as `[gateway] name` has it
    #[arg(value_parser = GatewayName::new)]
    pub name: GatewayName,
    /// The configuration of the queue service [default: pronto.toml if it is here, else the built-in centre]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl ResetArgs {
    /// Resets the gateway in the ledger that the configuration names, and says so.
    ///
    /// # Errors
    /// The fault in the configuration, the ledger or the name, as a text for whoever typed the command.
    pub fn run(&self, look: Look) -> Result<(), String> {
        let default = Path::new(DEFAULT_CONFIG);
        let config = match &self.config {
            Some(path) => Config::load_without_secrets(path),
            None if default.symlink_metadata().is_ok() => Config::load_without_secrets(default),
            None => Ok(Config::builtin()),
        };
        let config = config.map_err(|report| report.render(look))?;
        let epoch =
            pronto_queue::reset_gateway(&config.store, &self.name).map_err(|error| error.to_string())?;
        println!(
            "{} begins again: its epoch was {epoch}, and what it held is recorded as lost.",
            self.name
        );
        Ok(())
    }
}

/// The arguments of `forecast`.
#[derive(Debug, Clone, Args, PartialEq, Eq)]
pub struct ForecastArgs {
    /// The events, one JSON object a line; `-` is the standard input
    #[arg(long, value_name = "FILE", required_unless_present = "ledger")]
    pub events: Option<PathBuf>,
    /// Instead the ledger in the folder of a store: each caller who had to wait, the forecast, and what came
    #[arg(long, value_name = "DIR", conflicts_with = "events")]
    pub ledger: Option<PathBuf>,
    /// Print the ledger's events, for another estimator; a wait in another queue after an overflow is a call by itself, `ID/2`
    #[arg(long, requires = "ledger", conflicts_with = "events")]
    pub print_events: bool,
}

/// Commands for a configuration.
#[derive(Debug, Clone, Subcommand, PartialEq, Eq)]
pub enum ConfigCommand {
    /// Say whether it is right: what leads where, or everything that is wrong
    Check {
        /// The configuration file to check
        #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
        config: PathBuf,
    },
}

/// Commands for the tokens of gRPC clients.
#[derive(Debug, Clone, Subcommand, PartialEq, Eq)]
pub enum TokenCommand {
    /// Print a new random token, once, and the line for the configuration. Nothing is stored
    New,
}

impl TokenCommand {
    /// Makes the token: it, and what to do with it.
    ///
    /// # Errors
    /// The operating system gives no random numbers.
    pub fn run(&self) -> std::io::Result<String> {
        let TokenCommand::New = self;
        let token = new_token()?;
        let token = token.reveal();
        let digest = Digest::of(token.as_bytes()).hex();
        Ok(format!(
            "# The token, shown only now. The client sends it as `authorization: Bearer TOKEN`:\n{token}\n\
             # The line for the client's [[grpc.client]] in the configuration:\ntoken_sha256 = \"{digest}\"\n"
        ))
    }
}

/// Commands for the clips that are compiled in.
#[derive(Debug, Clone, Subcommand, PartialEq, Eq)]
pub enum PromptsCommand {
    /// Say what the table of texts and the announcements need, through Festival or else eSpeak NG
    ///
    /// Run it in the source tree; then compile. Needs the Debian packages festival, festvox-italp16k and
    /// festvox-us-slt-hts, or espeak-ng.
    Build {
        /// Say every clip again, not only those that are missing or whose text changed
        #[arg(long)]
        all: bool,
        /// Where build/prompts.tsv is read and prompts/ is written
        #[arg(long, value_name = "FOLDER", default_value = "recordings")]
        folder: PathBuf,
    },
}

impl Cli {
    /// The log filter in force: the one given, or the command's default.
    pub fn log(&self) -> &str {
        let default = if matches!(self.command, Command::Demo(_)) {
            "error"
        } else {
            // Ours are counted and bounded; a library's warnings are whatever a stranger's connection makes of them.
            "error,pronto=info"
        };
        self.log.as_deref().unwrap_or(default)
    }
}

impl ServeArgs {
    /// The configuration that is meant: the one named, else [`DEFAULT_CONFIG`] of the working directory, else the
    /// built-in centre.
    ///
    /// # Errors
    /// As [`Config::load`]. A file that is there is never passed over for the built-in centre.
    pub fn load(&self) -> Result<Config, Report> {
        self.load_in(Path::new(""))
    }

    fn load_in(&self, folder: &Path) -> Result<Config, Report> {
        let default = folder.join(DEFAULT_CONFIG);
        match &self.config {
            Some(path) => Config::load(path),
            // Not `exists`: a dangling link was meant as a configuration too.
            None if default.symlink_metadata().is_ok() => Config::load(&default),
            None => Ok(Config::builtin()),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_commands_are_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn each_command_takes_its_configuration() {
        let serve = parse("pronto serve").unwrap();
        assert_eq!(serve.command, Command::Serve(ServeArgs { config: None }));
        assert_eq!(serve.log(), "error,pronto=info");
        let gateway = parse("pronto gateway --config a.toml --log debug").unwrap();
        assert_eq!(
            gateway.command,
            Command::Gateway(GatewayArgs {
                command: None,
                config: Some("a.toml".into())
            })
        );
        let reset = parse("pronto gateway reset gw2 --config a.toml").unwrap();
        assert_eq!(
            reset.command,
            Command::Gateway(GatewayArgs {
                command: Some(GatewayCommand::Reset(ResetArgs {
                    name: GatewayName::new("gw2").unwrap(),
                    config: Some("a.toml".into())
                })),
                config: None
            })
        );
        assert!(parse("pronto gateway reset").is_err());
        assert!(parse("pronto gateway reset two words").is_err());
        let forecast = parse("pronto forecast --events -").unwrap();
        assert_eq!(
            forecast.command,
            Command::Forecast(ForecastArgs {
                events: Some("-".into()),
                ledger: None,
                print_events: false
            })
        );
        for wrong in ["", "--events - --ledger var", "--events - --print-events"] {
            assert!(parse(&format!("pronto forecast {wrong}")).is_err(), "{wrong}");
        }
        assert_eq!(gateway.log(), "debug");
        assert_eq!(parse("pronto demo").unwrap().log(), "error");
        let check = parse("pronto config check").unwrap();
        assert_eq!(
            check.command,
            Command::Config(ConfigCommand::Check {
                config: DEFAULT_CONFIG.into()
            })
        );
    }

    #[test]
    fn a_half_alone_needs_a_configuration() {
        assert!(parse("pronto gateway").is_err());
        assert!(parse("pronto queue").is_err());
        assert!(parse("pronto").is_err());
    }

    #[test]
    fn a_new_token_is_random_and_fits_the_line_beside_it() {
        let Command::Token(command) = parse("pronto token new").unwrap().command else {
            panic!("a command for tokens");
        };
        let printed = [command.run().unwrap(), command.run().unwrap()];
        assert_ne!(printed[0], printed[1]);
        let lines: Vec<&str> = printed[0].lines().collect();
        let (token, line) = (lines[1], lines[3]);
        let digest = line
            .strip_prefix("token_sha256 = \"")
            .unwrap()
            .strip_suffix('"')
            .unwrap();
        assert_eq!(token.len(), 64);
        assert_eq!(Digest::from_hex(digest), Some(Digest::of(token.as_bytes())));
    }

    #[test]
    fn the_default_file_is_used_only_if_it_is_there_and_never_passed_over() {
        let folder = std::env::temp_dir().join(format!("pronto-cli-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let serve = ServeArgs { config: None };
        let without = serve.load_in(&folder).map(|config| config.file);
        std::fs::write(folder.join(DEFAULT_CONFIG), "nonsense").unwrap();
        let with = serve.load_in(&folder).map(|config| config.file);
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(without, Ok(None));
        assert_eq!(with.unwrap_err().errors(), 1);
    }
}
