//! Phones behind a NAT whose public address changes in mid-call.

use std::net::IpAddr;

use super::*;

const BEFORE: &str = "203.0.113.9:31000";
const AFTER: &str = "198.51.100.77:4000";
/// The leg of a caller, and the second leg of the call.
const FIRST_LEG: media::LegId = media::LegId(1);
const SECOND_LEG: media::LegId = media::LegId(2);

impl House {
    /// From now on the gateway sees this phone at another address; the phone, which has noticed, registers again.
    fn appears_at(&mut self, phone: usize, user: &str, address: &str) {
        self.seen_at.insert(phone, address.parse().unwrap());
        self.enrol_as(phone, user);
    }

    /// From which address the media of a leg is learned.
    fn learns_from(&self, wanted: media::LegId) -> Option<IpAddr> {
        self.commands.iter().rev().find_map(|command| match command {
            media::Command::Configure {
                leg,
                learn: media::Learn::Once { ip },
                ..
            } if *leg == wanted => Some(*ip),
            _ => None,
        })
    }

    fn picks_up(&mut self, phone: usize) {
        let (ringing, now) = (self.ringing_at(phone), self.now);
        self.phones[phone].1.answer(now, ringing, sdp::offer(&local()));
        self.settle();
    }
}

fn ip(address: &str) -> Option<IpAddr> {
    Some(address.parse::<SocketAddr>().unwrap().ip())
}

#[test]
fn an_operator_whose_address_changes_in_mid_talk_is_heard_from_the_new_one() {
    for while_it_rings in [false, true] {
        let mut house = House::open();
        house.appears_at(OPERATOR, "101", BEFORE);
        let (_, ticket) = house.wait_in_queue();
        house.offer(7, ticket);
        if while_it_rings {
            house.appears_at(OPERATOR, "101", AFTER);
        }
        house.picks_up(OPERATOR);
        let first = if while_it_rings { AFTER } else { BEFORE };
        assert_eq!(house.learns_from(SECOND_LEG), ip(first));
        house.appears_at(OPERATOR, "101", AFTER);
        assert_eq!(house.learns_from(SECOND_LEG), ip(AFTER));
        // What is agreed later says the same.
        let (leg, now) = (house.ringing(), house.now);
        house.phones[OPERATOR].1.reoffer(now, leg, sdp::offer(&local()));
        house.settle();
        assert_eq!(house.learns_from(SECOND_LEG), ip(AFTER));
    }
}

#[test]
fn of_two_operators_who_talk_the_one_whose_address_changes_is_heard_from_the_new_one() {
    for (phone, user, leg) in [(OPERATOR, "101", FIRST_LEG), (DESK, "102", SECOND_LEG)] {
        let mut house = House::open();
        house.appears_at(OPERATOR, "101", "203.0.113.8:30000");
        house.appears_at(DESK, "102", BEFORE);
        let to = sip::Destination {
            uri: "sip:102@10.0.0.1".into(),
            flow: house.flow(OPERATOR),
        };
        let options = sip::InviteOptions {
            from_user: Some("101".to_owned()),
            from_display: None,
        };
        let now = house.now;
        house.phones[OPERATOR]
            .1
            .invite(now, &to, sdp::offer(&local()), options);
        house.settle();
        house.picks_up(DESK);
        house.appears_at(phone, user, AFTER);
        assert_eq!(house.learns_from(leg), ip(AFTER), "operator {user}");
    }
}
