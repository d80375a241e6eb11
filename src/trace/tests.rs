//! Tests of the ladder, of the capture, and of the messages shown when there is nothing.

use super::*;

fn passed(millis: u64, sent: bool, leg: usize, octets: &str) -> Passed {
    Passed {
        at: Time::from_secs(1_700_000_000) + std::time::Duration::from_millis(millis),
        sent,
        transport: "UDP".to_owned(),
        local: "127.0.0.1:5060".parse().unwrap(),
        remote: format!("127.0.0.{}:5070", 2 + leg).parse().unwrap(),
        leg,
        repeated: false,
        octets: octets.replace('\n', "\r\n").into_bytes(),
    }
}

fn listed(id: &str) -> Listed {
    Listed {
        name: format!("gateways/gw1/calls/{id}/trace"),
        id: id.to_owned(),
        legs: vec![String::new(), "101".to_owned()],
        first: Time::from_secs(1_700_000_000),
        messages: 3,
        octets: 2_000,
        left_out: 0,
        status: 200,
    }
}

#[test]
fn a_ladder_has_both_legs_offsets_statuses_and_marks_what_came_again() {
    let mut again = passed(500, false, 0, "INVITE sip:800@h SIP/2.0\nCSeq: 1 INVITE\n\nv=0\n");
    again.repeated = true;
    let messages = [
        passed(0, false, 0, "INVITE sip:800@h SIP/2.0\nCSeq: 1 INVITE\n\nv=0\n"),
        again,
        passed(512, true, 1, "INVITE sip:101@h SIP/2.0\nCSeq: 9 INVITE\n\n"),
        passed(600, false, 1, "SIP/2.0 200 Fine \u{1b}[2J\nCSeq: 10 BYE\n\n"),
        passed(61_000, true, 0, "SIP/2.0 200 OK\nCSeq: 1 INVITE\n\nv=0\n"),
    ];
    let drawn = draw_utc(&listed("e19c92f4a0b1c2d3"), &messages);
    let expected = "\
call e19c92f4a0b1c2d3, began 2023-11-14 22:13:20
  caller         127.0.0.2:5070 over UDP
  operator 101   127.0.0.3:5070 over UDP

         s  caller                          Pronto                          operators
     0.000  │── INVITE, SDP ───────────────▶│                               │
     0.500  │── INVITE, SDP ───────────────▶│                               │ (again)
     0.512  │                               │── INVITE ────────────────────▶│ 101
     0.600  │                               │◀── 200 Fine ?[2J (BYE) ───────│ 101
    61.000  │◀── 200 OK, SDP ───────────────│                               │
";
    assert_eq!(drawn, expected, "\n{drawn}");
}

fn draw_utc(trace: &Listed, messages: &[Passed]) -> String {
    ladder::draw(trace, messages, false, &TimeZone::UTC)
}

#[test]
fn a_long_call_says_what_was_not_kept_and_messages_are_shown_in_full_where_asked() {
    let mut trace = listed("e19c92f4a0b1c2d3");
    trace.left_out = 7;
    trace.legs.truncate(1);
    let messages = [
        passed(0, false, 0, "INFO sip:800@h SIP/2.0\nX: y\n\n"),
        passed(1, false, 0, "BYE sip:800@h SIP/2.0\nX: z\n\n"),
    ];
    let drawn = ladder::draw(&trace, &messages, true, &TimeZone::UTC);
    assert!(drawn.contains("… 7 messages were not kept"), "{drawn}");
    assert!(
        drawn.contains("            X: y\n") && !drawn.contains("operators"),
        "{drawn}"
    );
}

#[test]
fn a_call_is_found_by_either_end_of_its_name_as_it_is_listed_and_every_slip_is_told() {
    let listed = [
        listed("e19c92f4a0b1c2d3"),
        listed("e19caaaaa0b1c2d3"),
        listed("attempts/7"),
    ];
    assert_eq!(chosen(&listed, "E19C92F4").unwrap().id, "e19c92f4a0b1c2d3");
    // Calls of one process begin alike and are counted: what differs is the end.
    assert_eq!(chosen(&listed, "c92f4a0b1c2d3").unwrap().id, "e19c92f4a0b1c2d3");
    let of_one_process = [1, 2, 0x12].map(|call| self::listed(&format!("e19c92f4a00{call:05x}")));
    for call in &of_one_process {
        assert_eq!(
            chosen(&of_one_process, &call.id).unwrap(),
            call,
            "as it is listed"
        );
    }
    assert_eq!(chosen(&of_one_process, "0012").unwrap().id, "e19c92f4a0000012");
    assert_eq!(chosen(&listed, "attempts/7").unwrap().id, "attempts/7");
    for (wanted, said) in [
        (
            "e19c",
            "begins or ends the names of several calls: e19c92f4a0b1c2d3, e19caaaaa0b1c2d3",
        ),
        ("b1c2d3", "`b1c2d3` begins or ends the names of several calls"),
        ("e19", "its first or last 4 digits"),
        ("e19c92f4a0b1c2d3e", "names no call"),
        ("support", "`support` names no call"),
        ("attempts/", "names no call"),
        ("attempts/77", "holds no trace of `attempts/77`"),
        ("ffffffff", "of 2 calls it holds"),
    ] {
        let error = chosen(&listed, wanted).unwrap_err().to_string();
        assert!(error.contains(said), "{wanted}: {error}");
    }
    let list = ladder::list(&listed, &TimeZone::UTC);
    assert!(
        list.starts_with(
            "began                call              with                  status  messages  octets\n"
        ),
        "{list}"
    );
    assert!(
        list.contains(
            "2023-11-14 22:13:20  e19c92f4a0b1c2d3  caller, operator 101     200         3    2000\n"
        ),
        "{list}"
    );
    assert!(list.ends_with("2 calls, 1 INVITE that became none\n"), "{list}");
}

#[test]
fn a_capture_has_a_packet_for_each_message_with_true_lengths_and_checksums() {
    let mut six = passed(2, true, 0, "BYE sip:800@h SIP/2.0\n\n");
    six.local = "[::1]:5060".parse().unwrap();
    six.remote = "[::1]:5070".parse().unwrap();
    let messages = [passed(1, false, 0, "ACK sip:800@h SIP/2.0\n\n"), six];
    let file = pcap::capture(&messages);
    assert_eq!(file[..4], 0xa1b2_c3d4_u32.to_le_bytes());
    assert_eq!(file[20..24], 101_u32.to_le_bytes());
    let mut at = 24;
    for (message, head) in messages.iter().zip([20, 40]) {
        let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
        assert_eq!(word(at), 1_700_000_000);
        let length = word(at + 8) as usize;
        assert_eq!(length, head + 8 + message.octets.len());
        let packet = &file[at + 16..at + 16 + length];
        assert!(packet.ends_with(&message.octets));
        let (addresses, header) = if head == 20 {
            (&packet[12..20], &packet[..20])
        } else {
            (&packet[8..40], &[][..])
        };
        let sum = |bytes: &[u8]| -> u64 {
            bytes
                .chunks(2)
                .map(|pair| u64::from(pair[0]) << 8 | u64::from(*pair.get(1).unwrap_or(&0)))
                .sum()
        };
        // A sum over what holds its own checksum is all ones.
        let whole = sum(addresses) + 17 + (length - head) as u64 + sum(&packet[head..]);
        assert_eq!(whole % 0xffff, 0);
        assert_eq!(sum(header) % 0xffff, 0);
        at += 16 + length;
    }
    assert_eq!(at, file.len());
}
