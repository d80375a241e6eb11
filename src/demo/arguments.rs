//! The command-line arguments of `pronto demo`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

/// The arguments of `demo`.
#[derive(Debug, Clone, Args, PartialEq, Eq)]
pub struct DemoArgs {
    /// How many callers call, again and again
    #[arg(long, value_name = "N", default_value_t = DEMO_CALLERS, value_parser = up_to(pronto_demo::MOST_CALLERS))]
    pub callers: usize,
    /// How many operators answer
    #[arg(long, value_name = "N", default_value_t = DEMO_OPERATORS, value_parser = up_to(pronto_demo::MOST_OPERATORS))]
    pub operators: usize,
    /// For how long calls are made, such as `2` or `0.5`
    #[arg(long, value_name = "MINUTES", default_value = "2", value_parser = minutes)]
    pub minutes: Duration,
    /// Seed of the simulated people: the same seed gives the same people
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Keep configuration, ledger and journal in this directory, which must be new or empty
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
}

/// Callers and operators of a demonstration where nobody says otherwise.
const DEMO_CALLERS: usize = 24;
const DEMO_OPERATORS: usize = 8;

impl DemoArgs {
    /// As many callers and operators as where nobody says otherwise.
    pub fn are_default(&self) -> bool {
        (self.callers, self.operators) == (DEMO_CALLERS, DEMO_OPERATORS)
    }
}

/// From 1 to `most`.
fn up_to(most: usize) -> impl Fn(&str) -> Result<usize, String> + Clone {
    move |text| {
        let within = |number: &usize| (1..=most).contains(number);
        let number = text.parse().ok().filter(within);
        number.ok_or_else(|| format!("expected a whole number from 1 to {most}"))
    }
}

/// Minutes, of which there may be a part; at least six seconds, at most a day.
fn minutes(text: &str) -> Result<Duration, String> {
    let minutes = text.parse::<f64>().ok().filter(|m| (0.1..=1440.0).contains(m));
    minutes
        .map(|minutes| Duration::from_secs_f64(minutes * 60.0))
        .ok_or_else(|| "expected minutes, from 0.1 to 1440".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: DemoArgs,
    }

    fn demo(line: &str) -> Result<DemoArgs, String> {
        let line = Line::try_parse_from(line.split_whitespace());
        line.map(|line| line.arguments).map_err(|error| error.to_string())
    }

    #[test]
    fn a_demonstration_says_what_it_takes() {
        let default = demo("demo").unwrap();
        assert!(default.are_default());
        assert_eq!((default.minutes, default.seed), (Duration::from_secs(120), 1));
        let short = demo("demo --minutes 0.3 --callers 3 --seed 9").unwrap();
        assert_eq!(short.minutes, Duration::from_secs(18));
        assert!(!short.are_default());
        for (wrong, expected) in [
            ("--minutes 0", "from 0.1 to 1440"),
            ("--minutes soon", "from 0.1 to 1440"),
            ("--callers 0", "from 1 to 200"),
            ("--operators 101", "from 1 to 100"),
        ] {
            let error = demo(&format!("demo {wrong}")).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
