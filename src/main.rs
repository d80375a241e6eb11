//! The command line of Pronto: reads the arguments and the configuration, and runs what was asked for.

use std::io::{BufReader, IsTerminal};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use pronto::calls::CallsError;
use pronto::cli::{Cli, Command, ConfigCommand, ForecastArgs, GatewayCommand, PromptsCommand};
use pronto::config::{Config, Look};
use pronto::log::{Log, complain};
use pronto::reload::Loader;
use pronto::serve::{Halves, Process};
use pronto::{calls, demo, diagnose, forecast, prompts, report, staffing, trace};
use tracing_subscriber::filter::Targets;

/// glibc's spends a third of a call's processor time on joining blocks again that will be split for the next call.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = match cli.log().parse::<Targets>() {
        Ok(filter) => filter,
        Err(error) => {
            let filter = cli.log();
            complain(format_args!(
                "--log {filter}: {error}: expected a level (error, warn, info, debug, trace) or module=level\n"
            ));
            return ExitCode::from(2);
        }
    };
    let _log = match Log::start(filter) {
        Ok(log) => log,
        Err(error) => {
            complain(format_args!("pronto: cannot write a log: {error}\n"));
            return ExitCode::FAILURE;
        }
    };
    match cli.command {
        Command::Serve(arguments) => run(Arc::new(move || arguments.load()), Halves::Both),
        Command::Gateway(gateway) => match (gateway.command, gateway.config) {
            (Some(GatewayCommand::Reset(reset)), _) => exit(reset.run(look(std::io::stderr().is_terminal()))),
            (None, Some(config)) => run(Arc::new(move || Config::load(&config)), Halves::Gateway),
            // clap asks for one of them.
            (None, None) => ExitCode::from(2),
        },
        Command::Queue(half) => {
            let load = move || Config::load_without_secrets(&half.config);
            run(Arc::new(load), Halves::Queue)
        }
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
        Command::Token(command) => exit(command.run().map(|text| print!("{text}"))),
        Command::Prompts(PromptsCommand::Build { all, folder }) => match prompts::build(&folder, all) {
            Ok(summary) => {
                println!("{summary}");
                ExitCode::SUCCESS
            }
            Err(error) => {
                complain(format_args!("pronto: {error}\n"));
                ExitCode::FAILURE
            }
        },
    }
}

fn run(load: Loader, halves: Halves) -> ExitCode {
    let look = look(std::io::stderr().is_terminal());
    // Before anything is read: from now on no signal but SIGTERM and SIGINT ends the process.
    let mut process = match Process::begin() {
        Ok(process) => process,
        Err(error) => {
            complain(format_args!("pronto: {error}\n"));
            return ExitCode::FAILURE;
        }
    };
    let config = match process.load(&load) {
        Some(Ok(config)) => config,
        Some(Err(report)) => {
            complain(report.render(look));
            return ExitCode::FAILURE;
        }
        None => {
            process.end();
            return ExitCode::SUCCESS;
        }
    };
    complain(config.warnings.render(look));
    exit(process.run(&config, halves, load))
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
            complain(format_args!("pronto: {}: {error}\n", events.display()));
            ExitCode::FAILURE
        }
    }
}

/// The exit status, and to whoever typed it what went wrong.
fn exit(done: Result<(), impl std::fmt::Display>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("pronto: {error}\n"));
            ExitCode::FAILURE
        }
    }
}

fn look(terminal: bool) -> Look {
    if terminal { Look::Colour } else { Look::Plain }
}
