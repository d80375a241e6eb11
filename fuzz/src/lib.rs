//! Fuzz targets: functions that take any octets and panic if a parser breaks its word.
//!
//! `corpus/` has a directory for each target: octets of our own, legal and not. `tests/corpus.rs` replays each file as it is;
//! `tests/mutations.rs` changes them, under cargo test or for any time you like.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a target fails by panicking"
)]

mod corpus;
mod mutation;
mod sip;

use std::str;

use pronto_media::rtp;
use pronto_media::telephone_event::Payload;

pub use corpus::{Seed, seeds};
pub use mutation::Mutation;
pub use sip::{Step, address, description, endpoint, message, stream};

/// A flow is understood, or each problem lies within its text.
pub fn flow(octets: &[u8]) {
    let Ok(text) = str::from_utf8(octets) else { return };
    match pronto_ivr::Script::parse(text) {
        Ok(script) => {
            let queues = script.queues().map(|(_, at)| at);
            let places = script.prompts().map(|(_, at)| at).chain(queues);
            for at in places {
                assert!(text.get(at.clone()).is_some(), "{at:?} lies in the text");
            }
        }
        Err(problems) => {
            assert!(!problems.is_empty(), "a refusal says why");
            for problem in &problems {
                let at = problem.span.clone();
                assert!(text.get(at.clone()).is_some(), "{at:?} lies in the text");
            }
        }
    }
}

/// A datagram on a media port: the payload of RTP lies within it, and an event in it is read again as it was.
pub fn datagram(octets: &[u8]) {
    if rtp::is_rtcp(octets) {
        let _ = pronto_media::rtcp::parse(octets);
        return;
    }
    let Ok(packet) = rtp::Packet::parse(octets) else {
        return;
    };
    let payload = octets.get(packet.payload.clone());
    let payload = payload.expect("the payload lies in the datagram");
    if let Some(event) = Payload::parse(payload) {
        assert_eq!(Payload::parse(&event.octets()), Some(event));
    }
    let mut again = octets.to_vec();
    let at = packet.write(&mut again).expect("there is room for the header");
    let written = rtp::Packet::parse(&again[at]).expect("what we write can be read");
    assert_eq!((written.sequence, written.ssrc), (packet.sequence, packet.ssrc));
}
