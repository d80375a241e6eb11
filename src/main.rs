//! The command line of Pronto: reads the arguments and the configuration, and runs what was asked for.

use std::io::{BufReader, IsTerminal};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use pronto::calls::CallsError;
use pronto::cli::{Cli, Command, ConfigCommand, ForecastArgs, PromptsCommand};
use pronto::config::{Config, Look, Report};
use pronto::serve::{self, Halves};
use pronto::{calls, demo, diagnose, forecast, prompts, report, staffing, trace};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// glibc's spends a third of a call's processor time on joining blocks again that will be split for the next call.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = match cli.log().parse::<Targets>() {
        Ok(filter) => filter,
        Err(error) => {
            eprintln!(
                "--log {}: {error}: expected a level (error, warn, info, debug, trace) or module=level",
                cli.log()
            );
            return ExitCode::from(2);
        }
    };
    let colour = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(colour);
    tracing_subscriber::registry().with(filter).with(lines).init();
    match cli.command {
        Command::Serve(arguments) => run(arguments.load(), Halves::Both),
        Command::Gateway(half) => run(Config::load(&half.config), Halves::Gateway),
        Command::Queue(half) => run(Config::load_without_secrets(&half.config), Halves::Queue),
        Command::Calls(arguments) => exit(calls::run(&arguments, look(std::io::stderr().is_terminal()))),
        Command::Trace(arguments) => exit(trace::run(&arguments, look(std::io::stderr().is_terminal()))),
        Command::Report(command) => exit(report::run(&command, look(std::io::stderr().is_terminal()))),
        Command::Forecast(arguments) => forecast(&arguments),
        Command::Staffing(arguments) => {
            exit(staffing::run(&arguments, look(std::io::stderr().is_terminal())))
        }
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Config(ConfigCommand::Check { config }) => {
            let finding = diagnose::check(&config, look(std::io::stdout().is_terminal()));
            print!("{}", finding.text);
            if finding.sound {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Command::Prompts(PromptsCommand::Build { all, folder }) => match prompts::build(&folder, all) {
            Ok(summary) => {
                println!("{summary}");
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("pronto: {error}");
                ExitCode::FAILURE
            }
        },
    }
}

fn run(config: Result<Config, Report>, halves: Halves) -> ExitCode {
    let look = look(std::io::stderr().is_terminal());
    let config = match config {
        Ok(config) => config,
        Err(report) => {
            eprint!("{}", report.render(look));
            return ExitCode::FAILURE;
        }
    };
    eprint!("{}", config.warnings.render(look));
    match serve::run(&config, halves) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pronto: {error}");
            ExitCode::FAILURE
        }
    }
}

fn forecast(arguments: &ForecastArgs) -> ExitCode {
    let Some(store) = &arguments.ledger else {
        return forecast_events(arguments.events.as_deref().unwrap_or(Path::new("-")));
    };
    let out = std::io::BufWriter::new(std::io::stdout().lock());
    match forecast::replay(store, arguments.print_events, out) {
        // Whoever reads us has seen enough.
        Err(CallsError::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        done => exit(done),
    }
}

fn forecast_events(events: &Path) -> ExitCode {
    let (answers, faults) = (std::io::stdout().lock(), std::io::stderr().lock());
    let done = if events == Path::new("-") {
        forecast::run(std::io::stdin().lock(), answers, faults)
    } else {
        std::fs::File::open(events).and_then(|file| forecast::run(BufReader::new(file), answers, faults))
    };
    match done {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("pronto: {}: {error}", events.display());
            ExitCode::FAILURE
        }
    }
}

/// The exit status, and to whoever typed it what went wrong.
fn exit(done: Result<(), impl std::fmt::Display>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pronto: {error}");
            ExitCode::FAILURE
        }
    }
}

fn look(terminal: bool) -> Look {
    if terminal { Look::Colour } else { Look::Plain }
}
