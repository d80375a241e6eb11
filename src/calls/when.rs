//! `--since` and `--until`: moments as people write them, and moments as they are shown.

use std::time::Duration;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};
use pronto_config::parse_duration;
use pronto_types::Time;

pub(super) const FORM: &str =
    "`2026-11-24`, `2026-11-24T18:30`, `2026-11-24T18:30:00+01:00`, or how long ago, such as `90m`";

/// The time now, of the wall: nobody waits for it.
#[expect(
    clippy::disallowed_methods,
    reason = "a command that lists is asked `an hour ago`, and that is the wall's hour"
)]
pub(crate) fn now() -> Time {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Time::ZERO + since.unwrap_or(Duration::ZERO)
}

/// Without an offset a moment is meant in `zone`; a day is its beginning.
pub(super) fn parse(text: &str, zone: &TimeZone, now: Time) -> Option<Time> {
    if let Some(ago) = parse_duration(text) {
        return Some(now - ago);
    }
    let instant: Option<Timestamp> = text.parse().ok();
    let zoned = |civil: DateTime| zone.to_timestamp(civil).ok();
    let instant = instant
        .or_else(|| {
            text.parse::<Date>()
                .ok()
                .filter(|_| !text.contains(['T', ' ']))
                .and_then(|date| zoned(date.at(0, 0, 0, 0)))
        })
        .or_else(|| text.parse::<DateTime>().ok().and_then(zoned))?;
    Some(Time::from_micros(instant.as_microsecond()))
}

/// RFC 3339, to the millisecond.
pub(crate) fn rfc3339(time: Time, zone: &TimeZone) -> String {
    zoned(time, zone).strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()
}

/// The date of a time in a zone, such as `2026-11-24`.
pub(crate) fn day(time: Time, zone: &TimeZone) -> String {
    zoned(time, zone).strftime("%Y-%m-%d").to_string()
}

/// For the table.
pub(crate) fn short(time: Time, zone: &TimeZone) -> String {
    zoned(time, zone).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// `Mon 2026-11-02 09:00`.
pub(crate) fn hour(time: Time, zone: &TimeZone) -> String {
    zoned(time, zone).strftime("%a %Y-%m-%d %H:%M").to_string()
}

/// 0 for the first hour of Monday, to 167.
pub(crate) fn hour_of_week(time: Time, zone: &TimeZone) -> usize {
    let zoned = zoned(time, zone);
    let day = i64::from(zoned.weekday().to_monday_zero_offset());
    usize::try_from(24 * day + i64::from(zoned.hour())).unwrap_or(0)
}

fn zoned(time: Time, zone: &TimeZone) -> ZonedDateTime {
    // Every time that a clock can have shown is one of jiff's.
    let instant = Timestamp::from_microsecond(time.as_micros()).unwrap_or(Timestamp::UNIX_EPOCH);
    instant.to_zoned_datetime(zone.clone())
}
