//! The gateway is killed and another process takes its place: nobody's phone rings or stays in a dead talk.

use std::collections::BTreeMap;

use super::*;

impl House {
    /// Kills the gateway, starts the next, and gives it what was kept of the dialogs.
    fn replace_gateway(&mut self) -> usize {
        let mut kept: BTreeMap<u64, sip::Orphan> = BTreeMap::new();
        for (dialog, change) in std::mem::take(&mut self.dialogs) {
            match change {
                sip::DialogChange::Open(bytes) => {
                    let answered = false;
                    kept.insert(
                        dialog,
                        sip::Orphan {
                            kept: bytes,
                            answered,
                        },
                    );
                }
                sip::DialogChange::Answered => kept.get_mut(&dialog).unwrap().answered = true,
                sip::DialogChange::Over => drop(kept.remove(&dialog)),
            }
        }
        self.gateway = House::core(settings(), 77);
        let left: Vec<_> = kept
            .into_iter()
            .map(|(dialog, orphan)| (dialog + (1 << 63), orphan))
            .collect();
        let count = left.len();
        self.say(Input::Orphans(left));
        count
    }

    fn was_told(&self, phone: usize, what: impl Fn(&sip::Event) -> bool) -> bool {
        self.told.iter().any(|(who, event)| *who == phone && what(event))
    }
}

#[test]
fn a_phone_that_rings_for_a_killed_gateway_is_silenced_and_its_caller_hung_up_on() {
    let mut house = House::open();
    let (_, ticket) = house.wait_in_queue();
    house.offer(7, ticket);
    house.ringing();
    assert_eq!(house.replace_gateway(), 2);
    assert!(house.was_told(OPERATOR, |event| matches!(event, sip::Event::Cancelled { .. })));
    assert!(house.was_told(CALLER, |event| matches!(event, sip::Event::Ended { .. })));
    house.pass(secs(64));
    assert_eq!(house.gateway.sip_counts().dialogs, 0);
    // What was ended is kept no longer: the next process finds nothing.
    assert_eq!(house.replace_gateway(), 0);
}

#[test]
fn both_sides_of_a_dead_talk_are_hung_up_on() {
    let mut house = House::open();
    let (_, ticket) = house.wait_in_queue();
    house.offer(7, ticket);
    let (ringing, now) = (house.ringing(), house.now);
    house.phones[OPERATOR]
        .1
        .answer(now, ringing, sdp::offer(&local()));
    house.settle();
    assert_eq!(house.replace_gateway(), 2);
    for phone in [CALLER, OPERATOR] {
        assert!(house.was_told(phone, |event| matches!(event, sip::Event::Ended { .. })));
    }
}

#[test]
fn many_orphans_are_ended_a_few_at_a_time_and_those_that_ring_first() {
    let mut settings = settings();
    settings.max_calls = 1_000;
    let mut house = House::open_with(settings);
    let (_, ticket) = house.wait_in_queue();
    for _ in 0..100 {
        house.dial();
    }
    house.offer(7, ticket);
    house.ringing();
    house.sent.clear();
    assert_eq!(house.replace_gateway(), 102);
    let byes = |house: &House| {
        house
            .sent
            .iter()
            .filter(|bytes| bytes.starts_with(b"BYE "))
            .count()
    };
    assert!(house.sent.iter().any(|bytes| bytes.starts_with(b"CANCEL ")));
    assert_eq!(byes(&house), 7, "eight at once, the CANCEL among them");
    house.pass(Duration::from_millis(400));
    assert_eq!(byes(&house), 101);
    assert_eq!(house.gateway.counts().orphans, 0);
}
