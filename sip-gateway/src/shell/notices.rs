//! Log lines about peers that exceed their limits: one line each, at most eight in ten seconds.

use std::collections::BTreeMap;
use std::time::Duration;

use pronto_sip::Notice;
use pronto_types::Time;

/// Between two times that the log is told.
const EVERY: Duration = Duration::from_secs(10);
/// Lines each time. Of more than these the metrics count all.
const LINES: usize = 8;

/// Notices gathered since the last log lines.
#[derive(Default)]
pub(super) struct Notices {
    gathered: BTreeMap<Notice, u64>,
    told: Option<Time>,
}

impl Notices {
    /// Takes in what happened, and writes it if the last lines are old enough: the first are written at once.
    pub(super) fn tell(&mut self, now: Time, happened: BTreeMap<Notice, u64>) {
        for line in self.lines(now, happened) {
            tracing::warn!("{line}");
        }
    }

    fn lines(&mut self, now: Time, happened: BTreeMap<Notice, u64>) -> Vec<String> {
        for (notice, times) in happened {
            if self.gathered.len() < LINES || self.gathered.contains_key(&notice) {
                *self.gathered.entry(notice).or_default() += times;
            }
        }
        if self.gathered.is_empty() || self.told.is_some_and(|told| now.since(told) < EVERY) {
            return Vec::new();
        }
        self.told = Some(now);
        let gathered = std::mem::take(&mut self.gathered);
        gathered
            .iter()
            .map(|(notice, times)| line(notice, *times))
            .collect()
    }
}

fn line(notice: &Notice, times: u64) -> String {
    match notice {
        Notice::Overdone(operator) => {
            format!("operator {operator} registers or calls too often: {times} requests were answered 503")
        }
        Notice::Limited(address) => {
            format!("{address} sends too many SIP messages: {times} were not looked at")
        }
        Notice::Banned(from) => format!(
            "too many wrong passwords came from {from}: passwords from there are ignored for a while ({times} times)"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_refusals_is_a_few_lines_every_ten_seconds() {
        let mut notices = Notices::default();
        let mut lines = Vec::new();
        for second in 0..60 {
            let now = Time::from_secs(1_000 + second);
            let flood = (0..=255).map(|n| (Notice::Limited([192, 0, 2, n].into()), 1_000));
            lines.extend(notices.lines(now, flood.collect()));
        }
        assert_eq!(lines.len(), 6 * LINES);
        assert_eq!(
            lines[0],
            "192.0.2.0 sends too many SIP messages: 1000 were not looked at"
        );
        assert!(lines[LINES].contains("10000 were not"), "{}", lines[LINES]);
        assert!(notices.lines(Time::from_secs(2_000), BTreeMap::new()).len() <= LINES);
        assert!(
            notices.lines(Time::from_secs(3_000), BTreeMap::new()).is_empty(),
            "nothing new"
        );
    }
}
