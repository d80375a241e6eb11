//! `[registrar]`: how long operators' phones may stay away before they count as gone.

use std::time::Duration;

use super::nearest::quoted;
use super::problem::{Problem, Problems};
use super::section::{Section, Table};
use super::settings::Registrar;

/// Where nothing is written. A phone that registers for an hour and loses its power would be rung in vain for an hour, each
/// caller at the head waiting for it.
pub(super) const DEFAULT: Registrar = Registrar {
    expires_min: Duration::from_secs(30),
    expires_max: Duration::from_secs(120),
    phones: 8,
};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// Reads the section `[registrar]`.
pub(super) fn read(table: Table<'_>, problems: &mut Problems) -> Registrar {
    let mut section = Section::new("[registrar]", table, problems);
    // "smaller than one hour AND less than a registrar-configured minimum": nobody who asks for an hour is refused (RFC 3261
    // §10.3 step 7).
    let read = Registrar {
        expires_min: section.duration("expires_min", DEFAULT.expires_min, SECOND..=HOUR),
        expires_max: section.duration("expires_max", DEFAULT.expires_max, 10 * SECOND..=24 * HOUR),
        phones: section.whole("phones", DEFAULT.phones, 1..=64),
    };
    if read.expires_min > read.expires_max {
        let place = section
            .place("expires_max")
            .or_else(|| section.place("expires_min"))
            .unwrap_or_else(|| section.span());
        let (min, max) = (read.expires_min.as_secs(), read.expires_max.as_secs());
        let message = format!("no registration can be as short as {max}s and as long as {min}s");
        let problem = Problem::error(place, message, quoted(&format!("{max}s"))).expected(format!(
            "`expires_max` of {min}s at least, or a shorter `expires_min`"
        ));
        section.problems.push(problem);
    }
    section.finish();
    read
}
