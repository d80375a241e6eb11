use proptest::prelude::*;

use super::*;

const TWO: &[u8] = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 5\r\n\r\nab\r\nc\r\n\r\nSIP/2.0 200 OK\r\nl :\r\n 3\r\nX: y\r\n\r\nxyz";
const FIRST: &[u8] = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 5\r\n\r\nab\r\nc";
const SECOND: &[u8] = b"SIP/2.0 200 OK\r\nl :\r\n 3\r\nX: y\r\n\r\nxyz";

#[test]
fn two_messages_come_out_at_every_possible_split() {
    for at in 0..=TWO.len() {
        let mut framer = Framer::new();
        let mut found = Vec::new();
        for part in [&TWO[..at], &TWO[at..]] {
            framer.push(part).unwrap();
            while let Some(message) = framer.next().unwrap() {
                found.push(message);
            }
        }
        assert_eq!(found, [FIRST, SECOND], "split at {at}");
        assert!(framer.is_empty());
        assert_eq!(framer.take_pings(), 1);
    }
}

#[test]
fn one_byte_at_a_time_is_no_different() {
    let mut framer = Framer::new();
    let mut found = Vec::new();
    for byte in TWO {
        framer.push(std::slice::from_ref(byte)).unwrap();
        found.extend(framer.next().unwrap());
    }
    assert_eq!(found, [FIRST, SECOND]);
}

#[test]
fn keep_alives_are_counted_and_passed() {
    let mut framer = Framer::new();
    framer.push(b"\r\n\r\n\r\n\r\n").unwrap();
    assert_eq!(framer.next(), Ok(None));
    assert_eq!((framer.take_pings(), framer.take_pings()), (2, 0));
    assert!(framer.is_empty());
}

#[test]
fn what_is_not_sip_is_cut_off_early() {
    for bytes in [
        &b"\x16\x03\x01\x02\x00"[..],
        b"GET / HTTP/1.1\r\n",
        &[b'I'; 5000],
        b"\0",
    ] {
        let mut framer = Framer::new();
        framer.push(bytes).unwrap();
        assert_eq!(framer.next(), Err(FrameError::NotSip), "{bytes:?}");
    }
    let mut framer = Framer::new();
    framer.push(b"OPTIONS sip:a SIP/2.0\r\nX: ").unwrap();
    assert_eq!(framer.next(), Ok(None));
    framer.push(&vec![b'a'; MAX_MESSAGE]).unwrap();
    assert_eq!(framer.next(), Err(FrameError::TooLong));
    assert_eq!(
        framer.push(&vec![b'a'; MAX_MESSAGE]),
        Err(FrameError::TooLong),
        "never more than two messages of memory"
    );
}

#[test]
fn a_head_without_a_usable_length_is_handed_on_to_be_refused_then_the_stream_ends() {
    for length in [
        "",
        "Content-Length: -5\r\n",
        "Content-Length: 18446744073709551617\r\n",
        "l: 1\r\nl: 1\r\n",
        "Content-Length: 2147483647\r\n",
    ] {
        let mut framer = Framer::new();
        framer
            .push(format!("OPTIONS sip:a SIP/2.0\r\n{length}\r\nrest").as_bytes())
            .unwrap();
        assert!(framer.next().unwrap().unwrap().ends_with(b"\r\n\r\n"));
        assert!(framer.next().is_err(), "{length}");
        assert!(framer.next().is_err(), "and stays so");
    }
}

proptest! {
    #[test]
    fn no_stream_makes_the_framer_panic_or_grow(parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..20), prefix in any::<bool>()) {
        let mut framer = Framer::new();
        if prefix { framer.push(&TWO[..30]).unwrap(); }
        for part in parts {
            framer.push(&part).unwrap();
            while let Ok(Some(message)) = framer.next() {
                prop_assert!(message.len() <= MAX_MESSAGE);
            }
        }
    }
}
