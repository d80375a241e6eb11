//! `pronto staffing`: how many operators a queue needs, hour by hour of the week, for a service level and a bound on
//! hang-ups: Erlang-A ([`pronto_forecast::staffing`]) with what the ledger has taught, or with what is given.
//!
//! Each hour is taken for itself, as if its callers came evenly and the hour went on for ever: right where talks are short
//! against an hour. What is too little known is refused, or said to be missing, rather than guessed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use jiff::tz::TimeZone;
use pronto_config::parse_duration;
use pronto_engine::{Fact, Habits, State};
use pronto_forecast::staffing::{Load, Target};
use pronto_queue::LedgerReader;
use pronto_types::{QueueName, Time, Wall};

use crate::calls::read::{present, unknown};
use crate::calls::{CallsError, place, when};
use crate::columns::Columns;
use crate::config::Look;

/// Fewer talks than these say too little of the handling time.
const TALKS: u64 = 30;
/// Fewer hang-ups than these say too little of the patience.
const HANG_UPS: u64 = 10;
/// Fewer callers than these say too little of the week.
const CALLERS: u64 = 50;
/// A smaller share of callers than this is nobody, and is printed as 0.0 %: as long as callers come and hang up by chance, no
/// number of operators makes it nothing at all.
const NOBODY: f64 = 0.0005;
/// Hours of a week.
const HOURS: usize = 168;
const HOUR: i64 = 3_600_000_000;

/// The arguments of `staffing`.
#[derive(Debug, Clone, Args, PartialEq)]
pub struct StaffingArgs {
    /// The configuration that says where the store is [default: pronto.toml if it is here, else the built-in centre]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The folder of the store itself; hours are those of UTC
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    pub store: Option<PathBuf>,
    /// The queue; needs not be named if `--arrivals` and `--handling` are given, or if there is but one
    #[arg(long, value_name = "QUEUE")]
    pub queue: Option<String>,
    /// The share of callers answered in time, in percent; 100: all but one in two thousand
    #[arg(long, value_name = "PERCENT", default_value_t = 80.0, value_parser = percent)]
    pub service_level: f64,
    /// Answer-time target: the longest wait of a caller answered in time, for example 20s
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = duration)]
    pub within: Duration,
    /// Highest share of callers who hang up, in percent; 0: fewer than one in two thousand
    #[arg(long, value_name = "PERCENT", default_value_t = 100.0, value_parser = percent)]
    pub max_abandonment: f64,
    /// Callers an hour, instead of those of the ledger
    #[arg(long, value_name = "NUMBER", value_parser = number)]
    pub arrivals: Option<f64>,
    /// Operator time per call (ring, talk and wrap-up), instead of the ledger's figure
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub handling: Option<Duration>,
    /// How long callers wait before they hang up, on average, instead of what the ledger says; `none`: they never do
    #[arg(long, value_name = "TIME", value_parser = patience)]
    pub patience: Option<Patience>,
}

/// No wait, talk or patience on the telephone is longer, and the sums stay short.
const LONGEST: Duration = Duration::from_secs(86_400);

/// The callers' patience, as given on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Nobody hangs up: Erlang-C.
    Endless,
    /// The average patience of a caller.
    Mean(Duration),
}

fn duration(text: &str) -> Result<Duration, String> {
    let found = parse_duration(text).filter(|found| !found.is_zero() && *found <= LONGEST);
    found.ok_or_else(|| {
        format!("found `{text}`, expected a duration such as \"30s\", \"5m\" or \"1h30m\", of a day at most")
    })
}

fn patience(text: &str) -> Result<Patience, String> {
    match text {
        "none" => Ok(Patience::Endless),
        text => duration(text)
            .map(Patience::Mean)
            .map_err(|why| format!("{why}, or `none`")),
    }
}

fn percent(text: &str) -> Result<f64, String> {
    let found = text.trim_end_matches([' ', '%']).parse::<f64>().ok();
    let found = found.filter(|found| (0.0..=100.0).contains(found));
    found.ok_or_else(|| format!("found `{text}`, expected 0 to 100 percent"))
}

fn number(text: &str) -> Result<f64, String> {
    let found = text.parse::<f64>().ok();
    let found = found.filter(|found| (0.0..=1e6).contains(found));
    found.ok_or_else(|| format!("found `{text}`, expected 0 to 1000000 callers an hour"))
}

/// Prints the table.
///
/// # Errors
/// [`CallsError`]: there is no ledger, it has no such queue, or it says too little.
pub fn run(arguments: &StaffingArgs, look: Look) -> Result<(), CallsError> {
    let text = text(arguments, look)?;
    match io::stdout().lock().write_all(text.as_bytes()) {
        // Whoever reads us has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(CallsError::Output),
    }
}

fn text(arguments: &StaffingArgs, look: Look) -> Result<String, CallsError> {
    let given = arguments.arrivals.is_some() && arguments.handling.is_some();
    let taught = if given && arguments.queue.is_none() {
        None
    } else {
        let (store, zone) = place(arguments.config.as_deref(), arguments.store.as_deref(), look)?;
        let wanted = Wanted {
            queue: arguments.queue.as_deref(),
            habits: arguments.handling.is_none() || arguments.patience.is_none(),
        };
        Some(Taught::of(&store, &zone, &wanted)?)
    };
    sheet(arguments, taught.as_ref()).map_err(CallsError::Staffing)
}

/// Figures of one queue, learned from the ledger.
struct Taught {
    queue: QueueName,
    habits: Habits,
    week: Arrivals,
}

/// Callers by hour of the week, Monday first, in the zone of the centre; and how often each hour has passed whole.
struct Arrivals {
    callers: [u32; HOURS],
    passed: [u32; HOURS],
}

impl Arrivals {
    fn total(&self) -> u64 {
        self.callers.iter().map(|&callers| u64::from(callers)).sum()
    }

    /// Counts joinings by hour of the week, from joinings by whole hours since the epoch. Of each span only the hours
    /// between those of its first and last fact count, because those two hours are not whole.
    fn of(joined: &BTreeMap<i64, u32>, spans: &[(Time, Time)], zone: &TimeZone) -> Self {
        let of_week = |hour: i64| when::hour_of_week(Time::from_micros(hour.saturating_mul(HOUR)), zone);
        let mut week = Arrivals {
            callers: [0; HOURS],
            passed: [0; HOURS],
        };
        let whole = |(first, last): &(Time, Time)| hour(*first) + 1..hour(*last);
        for whole in spans.iter().flat_map(whole) {
            week.passed[of_week(whole)] += 1;
            week.callers[of_week(whole)] += joined.get(&whole).copied().unwrap_or(0);
        }
        week
    }
}

fn hour(time: Time) -> i64 {
    time.as_micros().div_euclid(HOUR)
}

/// The figures wanted from the ledger.
struct Wanted<'a> {
    /// None: the only one there is.
    queue: Option<&'a str>,
    /// How long calls take and callers wait: the whole ledger has to be folded for it.
    habits: bool,
}

impl Taught {
    fn of(store: &Path, zone: &TimeZone, wanted: &Wanted<'_>) -> Result<Self, CallsError> {
        let named = wanted.queue.map(QueueName::new).transpose();
        let named = named.map_err(|error| CallsError::Queue(error.to_string()))?;
        let ledger = present(LedgerReader::open(store)).map_err(CallsError::OpenLedger)?;
        let ledger = ledger.ok_or_else(|| CallsError::Absent(store.to_owned()))?;
        let (mut state, mut spans, mut joined) = (State::default(), Vec::new(), BTreeMap::new());
        let mut wall = Wall::default();
        let mut names = BTreeSet::new();
        for fact in ledger.facts() {
            let recorded = fact?;
            recorded.tell(&mut wall);
            let now = wall.date(recorded.at);
            match spans.last_mut() {
                // Nothing passed while somebody set the clock.
                Some((_, last)) if !matches!(recorded.fact, Fact::ClockSet { .. }) => *last = now,
                _ => spans.push((now, now)),
            }
            match &recorded.fact {
                Fact::Configured(configuration) => {
                    names = configuration
                        .queues
                        .iter()
                        .map(|queue| queue.name.clone())
                        .collect();
                }
                Fact::Joined {
                    queue,
                    joined_at,
                    regained: None,
                    ..
                } if named.as_ref().is_none_or(|named| named == queue) => {
                    *joined.entry(hour(wall.date(*joined_at))).or_default() += 1;
                }
                _ => {}
            }
            if wanted.habits {
                state.apply(&recorded);
            }
        }
        let queue = match (named, names.len()) {
            (Some(named), _) if names.contains(&named) => named,
            (Some(named), _) => return Err(unknown(&named, &names)),
            (None, 1) => names
                .into_iter()
                .next()
                .ok_or_else(|| CallsError::Absent(store.to_owned()))?,
            (None, _) => {
                let many: Vec<&str> = names.iter().map(QueueName::as_str).collect();
                let expected = format!("`--queue` with one of {}", many.join(", "));
                return Err(CallsError::Staffing(format!(
                    "no queue is named: expected {expected}"
                )));
            }
        };
        let habits = state.habits(&queue).unwrap_or_default();
        let week = Arrivals::of(&joined, &spans, zone);
        Ok(Taught { queue, habits, week })
    }
}

/// The whole sheet, or what is missing.
fn sheet(arguments: &StaffingArgs, taught: Option<&Taught>) -> Result<String, String> {
    let target = Target {
        share: (arguments.service_level / 100.0).min(1.0 - NOBODY),
        within: arguments.within.as_secs_f64(),
        hang_ups: (arguments.max_abandonment / 100.0).max(NOBODY),
    };
    let mut text = String::new();
    let mut say = |line: String| text.push_str(&(line + "\n"));
    if let Some(taught) = taught {
        say(format!("queue     {}", taught.queue));
    }
    say(format!(
        "wanted    {} % answered within {:.0} s, at most {} % hang up",
        arguments.service_level, target.within, arguments.max_abandonment
    ));
    let (handling, told) = handling(arguments, taught)?;
    say(told);
    let (patience, told) = expected_patience(arguments, taught);
    say(told);
    let load = |an_hour: f64| Load {
        arrivals: an_hour / 3600.0,
        handling,
        patience,
    };
    let rows = match (arguments.arrivals, taught) {
        (Some(arrivals), _) => {
            say(format!("arrivals  {arrivals} an hour, given"));
            vec![("given".to_owned(), Some(arrivals))]
        }
        (None, Some(taught)) => {
            say(arrivals(&taught.week)?);
            by_hour(&taught.week)
        }
        (None, None) => return Err("nothing is known of the callers: expected `--arrivals`".to_owned()),
    };
    text.push_str(&table(&rows, load, target)?);
    Ok(text)
}

fn handling(arguments: &StaffingArgs, taught: Option<&Taught>) -> Result<(f64, String), String> {
    if let Some(given) = arguments.handling {
        let seconds = given.as_secs_f64();
        return Ok((seconds, format!("handling  {seconds:.0} s a call, given")));
    }
    let habits = taught.map(|taught| taught.habits);
    match habits.and_then(|habits| Some((habits.talks, habits.handling?))) {
        Some((talks, handling)) if talks >= TALKS => {
            let seconds = handling.as_secs_f64();
            Ok((
                seconds,
                format!("handling  {seconds:.0} s a call, of {talks} talks"),
            ))
        }
        found => Err(format!(
            "the ledger says too little of how long a call takes: found {} talks, expected {TALKS}, or `--handling`",
            found.map_or(0, |(talks, _)| talks)
        )),
    }
}

fn expected_patience(arguments: &StaffingArgs, taught: Option<&Taught>) -> (Option<f64>, String) {
    let habits = taught.map(|taught| taught.habits);
    let learned = habits.filter(|habits| habits.hang_ups >= HANG_UPS);
    let learned = learned.and_then(|habits| Some((habits.hang_ups, habits.patience?)));
    match (arguments.patience, learned) {
        (Some(Patience::Mean(given)), _) => {
            let seconds = given.as_secs_f64();
            (Some(seconds), format!("patience  {seconds:.0} s, given"))
        }
        (Some(Patience::Endless), _) => (None, "patience  endless, given: Erlang-C".to_owned()),
        (None, Some((hang_ups, patience))) => {
            let seconds = patience.as_secs_f64();
            (
                Some(seconds),
                format!("patience  {seconds:.0} s, of {hang_ups} hang-ups"),
            )
        }
        (None, None) => {
            let found = habits.map_or(0, |habits| habits.hang_ups);
            let told = format!(
                "patience  taken as endless (Erlang-C, rather too many operators than too few): found {found} hang-ups, \
                 expected {HANG_UPS}, or `--patience`"
            );
            (None, told)
        }
    }
}

fn arrivals(week: &Arrivals) -> Result<String, String> {
    let (total, hours) = (week.total(), week.passed.iter().sum::<u32>());
    if total < CALLERS || hours < 24 {
        return Err(format!(
            "the ledger says too little of when callers come: found {total} in {hours} whole hours, expected {CALLERS} in \
             24, or `--arrivals`"
        ));
    }
    let unseen = week.passed.iter().filter(|passed| **passed == 0).count();
    let unseen = match unseen {
        0 => String::new(),
        some => format!("; {some} hours of the week not seen yet"),
    };
    Ok(format!(
        "arrivals  {total} callers in {hours} whole hours{unseen}"
    ))
}

/// Each hour that passed and had callers; one that was never seen has no number.
fn by_hour(week: &Arrivals) -> Vec<(String, Option<f64>)> {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let hours = (0..HOURS).map(|hour| {
        let name = format!("{} {:02}:00", DAYS[hour / 24], hour % 24);
        let passed = week.passed[hour];
        let an_hour = (passed > 0).then(|| f64::from(week.callers[hour]) / f64::from(passed));
        (name, an_hour)
    });
    hours.filter(|(_, an_hour)| *an_hour != Some(0.0)).collect()
}

fn table(
    rows: &[(String, Option<f64>)],
    load: impl Fn(f64) -> Load,
    target: Target,
) -> Result<String, String> {
    let titles = [
        "hour",
        "callers",
        "operators",
        "in time",
        "hang up",
        "wait s",
        "occupancy",
    ];
    let mut table = Columns::new(&titles, 1);
    for (name, an_hour) in rows {
        let Some(an_hour) = an_hour else {
            table.row([name.as_str(), "not seen", "-"]);
            continue;
        };
        if *an_hour == 0.0 {
            table.row([name.clone(), format!("{an_hour:.1}"), "0".to_owned()]);
            continue;
        }
        let (operators, service) = load(*an_hour).needed(target).ok_or_else(|| {
            format!("{name}: no number of operators up to 10000 meets that for {an_hour:.1} callers an hour")
        })?;
        let percent = |part: f64| format!("{:.1} %", 100.0 * part);
        table.row([
            name.clone(),
            format!("{an_hour:.1}"),
            operators.to_string(),
            percent(service.in_time),
            percent(service.hang_ups),
            format!("{:.1}", service.wait),
            percent(service.occupancy),
        ]);
    }
    Ok(format!("\n{}", table.text()))
}

#[cfg(test)]
mod tests;
