//! Addresses that have not shown themselves get little; ports that a NAT has changed are found.

use super::*;
use crate::session::UNPROVEN;

fn unproven() -> Agreement {
    Agreement {
        proof: Proof::Awaited,
        ..World::agreement(1, Codec::Pcmu)
    }
}

fn octets(sent: &[Sent]) -> usize {
    sent.iter().map(|s| s.bytes.len()).sum()
}

fn begun(agreed: Agreement) -> World {
    let mut world = World::new();
    world.open(1);
    world.configure(1, agreed);
    world
}

#[test]
fn a_forged_invite_sends_a_third_party_a_few_packets_and_no_more() {
    let mut world = begun(unproven());
    let (leg, clip) = (LegId(1), Clip::from_pcm16_8k(&[99; 8_000]));
    world.command(Command::Music { leg, clip });
    let sent = world.run(180_000);
    assert!((1..=UNPROVEN).contains(&octets(&sent)), "{}", octets(&sent));
    assert!(sent.iter().any(|s| s.channel == Channel::Rtp));
    // Nor what the other leg of a bridge says, nor keys, nor reports.
    world.talking(2, Codec::Pcmu);
    let (a, b) = (LegId(1), LegId(2));
    world.command(Command::Bridge { a, b });
    let digits = vec![pronto_types::Digit::from_char('1').unwrap()];
    world.command(Command::Digits { leg, digits });
    let before = world.out.sent.len();
    for n in 0..100_u16 {
        world.deliver(2, phone(2), &datagram(0, n, u32::from(n) * 160, 5, &[0x55; 160]));
        world.run(20);
    }
    assert!(world.out.sent[before..].iter().all(|s| s.leg == 2));
}

#[test]
fn rtp_or_rtcp_from_the_address_or_the_ack_opens_the_way() {
    let rtp = |world: &mut World| {
        world.deliver(1, phone(1), &datagram(0, 1, 0, 9, &[0; 160]));
    };
    let rtcp = |world: &mut World| {
        // An empty receiver report (RFC 3550 §6.4.2).
        let report = [0x80, 201, 0, 1, 0, 0, 0, 9];
        world.deliver_to(1, Channel::Rtcp, at("192.0.2.1:4001"), &report);
    };
    let ack = |world: &mut World| world.configure(1, World::agreement(1, Codec::Pcmu));
    let ways: [&dyn Fn(&mut World); 3] = [&rtp, &rtcp, &ack];
    for (n, proves) in ways.into_iter().enumerate() {
        let mut world = begun(unproven());
        world.run(1_000);
        assert!(of(&world.run(200), 1).is_empty(), "{n}");
        // A stranger's packet proves nothing.
        world.deliver(1, at("203.0.113.66:4000"), &datagram(0, 1, 0, 9, &[0; 160]));
        assert!(of(&world.run(200), 1).is_empty(), "{n}");
        proves(&mut world);
        assert_eq!(of(&world.run(200), 1).len(), 10, "{n}");
        // Another offer of the same address changes nothing, one of another address does.
        world.configure(1, unproven());
        assert_eq!(of(&world.run(200), 1).len(), 10, "{n}");
        let elsewhere = Agreement {
            remote: Some(at("192.0.2.99:4000")),
            ..unproven()
        };
        world.configure(1, elsewhere);
        let sent = of(&world.run(10_000), 1);
        assert!((1..=UNPROVEN).contains(&octets(&sent)), "{n}: {}", octets(&sent));
        world.configure(
            1,
            Agreement {
                proof: Proof::Given,
                ..elsewhere
            },
        );
        assert_eq!(of(&world.run(200), 1).len(), 10, "{n}: acknowledged");
    }
}

#[test]
fn a_port_that_a_nat_changed_is_heard_and_spoken_to_both_ways() {
    let learn = Learn::Once { ip: phone(1).ip() };
    let mut world = begun(Agreement {
        learn,
        ..World::agreement(1, Codec::Pcmu)
    });
    let (mapped, moved) = (at("192.0.2.1:31000"), at("192.0.2.1:31002"));
    let told = |world: &World| (world.shard.tally().received, world.shard.tally().foreign);
    // The destination of each packet of that many milliseconds.
    let spoken = |world: &mut World, millis| -> Vec<SocketAddr> {
        of(&world.run(millis), 1).iter().map(|sent| sent.to).collect()
    };
    world.deliver(1, mapped, &datagram(0, 1, 0, 9, &[0; 160]));
    assert_eq!(told(&world), (1, 0), "heard from the port that the NAT gave");
    assert_eq!(spoken(&mut world, 100), [mapped; 5]);
    // Strangers take nothing, whenever they come; the NAT's next port is found after a stall.
    for n in 0..20_u16 {
        let stranger = at("203.0.113.66:4000");
        world.deliver(1, stranger, &datagram(0, n, u32::from(n) * 160, 66, &[0; 160]));
        assert_eq!(told(&world), (1, u64::from(n) + 1), "{n}");
        assert_eq!(spoken(&mut world, 500), [mapped; 25], "{n}");
    }
    world.deliver(1, moved, &datagram(0, 2, 160, 9, &[0; 160]));
    assert_eq!(told(&world), (2, 20), "heard from the NAT's next port");
    assert_eq!(spoken(&mut world, 100), [moved; 5]);
    let fixed = World::agreement(1, Codec::Pcmu);
    world.configure(1, fixed);
    world.deliver(1, mapped, &datagram(0, 3, 320, 9, &[0; 160]));
    assert_eq!(told(&world), (2, 21), "learning is off");
    assert_eq!(spoken(&mut world, 100), [phone(1); 5], "learning is off");
}
