//! `[registrar]`: how long operators' phones may stay away before they count as gone.

use pronto_config::{Problem, Problems, Section, Table, quoted};
use pronto_sip::ExpiresLimits;

use super::keys::REGISTRAR;
use super::settings::Registrar;

/// Reads the section `[registrar]`.
pub(super) fn read(table: Table<'_>, problems: &mut Problems) -> Registrar {
    let mut section = Section::new(&REGISTRAR, table, problems);
    // "smaller than one hour AND less than a registrar-configured minimum": nobody who asks for an hour is refused (RFC 3261
    // §10.3 step 7).
    let [min, max] = ["expires_min", "expires_max"].map(|key| section.duration(key));
    let expires = ExpiresLimits {
        min,
        max,
        // RFC 3261 §10.2.1.1: a phone leaves the time to the registrar, or asks for more than it gets.
        default: max,
    };
    let phones = section.whole("phones");
    if min > max {
        let place = section
            .place("expires_max")
            .or_else(|| section.place("expires_min"))
            .unwrap_or_else(|| section.span());
        let (min, max) = (min.as_secs(), max.as_secs());
        let message = format!("no registration can be as short as {max}s and as long as {min}s");
        let problem = Problem::error(place, message, quoted(&format!("{max}s"))).expected(format!(
            "`expires_max` of {min}s at least, or a shorter `expires_min`"
        ));
        section.problems.push(problem);
    }
    section.finish();
    Registrar { expires, phones }
}
