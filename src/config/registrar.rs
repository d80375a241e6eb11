//! `[registrar]`: how long operators' phones may stay away before they count as gone.

use pronto_config::{Problem, Problems, Section, Table, quoted};

use super::keys::REGISTRAR;
use super::settings::Registrar;

/// Reads the section `[registrar]`.
pub(super) fn read(table: Table<'_>, problems: &mut Problems) -> Registrar {
    let mut section = Section::new(&REGISTRAR, table, problems);
    // "smaller than one hour AND less than a registrar-configured minimum": nobody who asks for an hour is refused (RFC 3261
    // §10.3 step 7).
    let read = Registrar {
        expires_min: section.duration("expires_min"),
        expires_max: section.duration("expires_max"),
        phones: section.whole("phones"),
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
