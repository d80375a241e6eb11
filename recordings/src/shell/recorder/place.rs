//! Where recordings lie: `YYYY/MM/DD/CALL-TICKET.wav`, and until they are finished
//! `unfinished/YYYY-MM-DD_CALL-TICKET.wav.part`, so that a start finds them without a walk over years of files.

use pronto_types::{CallId, TicketId, Time};

use crate::talk::Talk;

/// The directory of what is being written.
pub(super) const UNFINISHED: &str = "unfinished";
/// How a file in it ends.
const PART: &str = ".wav.part";

/// The two places of a recording, below the recorder's directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RecordingPath {
    pub(super) call: CallId,
    pub(super) ticket: TicketId,
    /// The day the talk began, as `YYYY-MM-DD`.
    day: String,
}

impl RecordingPath {
    pub(super) fn of(talk: &Talk) -> Self {
        RecordingPath {
            call: talk.call,
            ticket: talk.ticket,
            day: day(talk.began),
        }
    }

    /// From the name of a file that was not finished.
    pub(super) fn from_unfinished(name: &str) -> Option<Self> {
        let (day, ids) = name.strip_suffix(PART)?.split_once('_')?;
        let (call, ticket) = ids.split_once('-')?;
        let id = |text: &str| {
            let hex = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
            hex.then(|| u64::from_str_radix(text, 16).ok())
                .flatten()
                .filter(|id| *id != 0)
        };
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if day.split('-').count() != 3 || !day.split('-').all(digits) {
            return None;
        }
        Some(RecordingPath {
            call: CallId(id(call)?),
            ticket: TicketId(id(ticket)?),
            day: day.to_owned(),
        })
    }

    pub(super) fn unfinished(&self) -> String {
        let RecordingPath { call, ticket, day } = self;
        format!("{UNFINISHED}/{day}_{call}-{ticket}{PART}")
    }

    pub(super) fn finished(&self) -> String {
        let day = self.day.replace('-', "/");
        format!("{day}/{}-{}.wav", self.call, self.ticket)
    }
}

/// The day in UTC, proleptic Gregorian (ISO 8601). Days are counted in eras of 400 years that begin on 1 March, as leap
/// days then come last.
fn day(time: Time) -> String {
    const MICROS_PER_DAY: i64 = 86_400_000_000;
    const DAYS_PER_ERA: i64 = 146_097;
    /// From 1 March of the year 0 to 1 January 1970.
    const EPOCH: i64 = 719_468;
    let days = time.as_micros().div_euclid(MICROS_PER_DAY) + EPOCH;
    let (era, day_of_era) = (days.div_euclid(DAYS_PER_ERA), days.rem_euclid(DAYS_PER_ERA));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // March is month 0; five months in a row have 153 days.
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        let noon = |days: i64| day(Time::from_secs(days * 86_400 + 43_200));
        for (days, expected) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (58, "1970-02-28"),
            (59, "1970-03-01"),
            (789, "1972-02-29"),
            (11_016, "2000-02-29"),
            (11_017, "2000-03-01"),
            (20_781, "2026-11-24"),
            (47_540, "2100-02-28"),
            (47_541, "2100-03-01"),
        ] {
            assert_eq!(noon(days), expected);
        }
        assert_eq!(day(Time::from_micros(-1)), "1969-12-31");
        assert_eq!(
            day(Time::from_secs(86_400) - std::time::Duration::from_micros(1)),
            "1970-01-01"
        );
    }

    #[test]
    fn an_unfinished_file_tells_whose_it_is_and_another_does_not() {
        let place = RecordingPath::of(&Talk {
            call: CallId(0xca11),
            ticket: TicketId(u64::MAX),
            began: Time::from_secs(20_781 * 86_400),
        });
        assert_eq!(
            place.unfinished(),
            "unfinished/2026-11-24_000000000000ca11-ffffffffffffffff.wav.part"
        );
        assert_eq!(
            place.finished(),
            "2026/11/24/000000000000ca11-ffffffffffffffff.wav"
        );
        assert!(place.finished().len() <= 64, "as long as a journal entry takes");
        let name = place.unfinished();
        let name = name.strip_prefix("unfinished/").unwrap();
        assert_eq!(RecordingPath::from_unfinished(name), Some(place));
        for other in [
            "",
            ".wav.part",
            "notes.txt",
            "2026-11-24_000000000000ca11-ffffffffffffffff.wav",
            "../11-24_000000000000ca11-ffffffffffffffff.wav.part",
            "2026-11-24_000000000000ca11.wav.part",
            "2026-11-24_0000000000000000-ffffffffffffffff.wav.part",
            "2026-11-24_+00000000000ca11-ffffffffffffffff.wav.part",
            "2026-11_000000000000ca11-ffffffffffffffff.wav.part",
        ] {
            assert_eq!(RecordingPath::from_unfinished(other), None, "{other}");
        }
    }
}
