//! RTP headers (RFC 3550 §5.1). The only module that names `rtp_rs`.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::ops::Range;

use rtp_rs::{RtpPacketBuilder, RtpReader};

/// Octets of a header without contributing sources and extensions, the only kind we send.
pub const HEADER: usize = 12;

/// The header fields of an RTP packet, and the position of its payload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packet {
    /// The marker bit.
    pub marker: bool,
    /// The payload type, 0 to 127.
    pub payload_type: u8,
    /// The sequence number.
    pub sequence: u16,
    /// The timestamp, in 1/8000 s.
    pub timestamp: u32,
    /// The synchronisation source.
    pub ssrc: u32,
    /// Where the payload lies in the datagram, padding removed; starts at 12 or later.
    pub payload: Range<usize>,
}

/// A datagram that is no RTP packet: too short, another version, or lengths that do not fit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not an RTP packet")]
pub struct Malformed;

impl Packet {
    /// Reads a header.
    ///
    /// # Errors
    /// [`Malformed`], the peer's fault.
    pub fn parse(datagram: &[u8]) -> Result<Self, Malformed> {
        let reader = RtpReader::new(datagram).map_err(|_| Malformed)?;
        let start = reader.payload_offset();
        let end = start + reader.payload().len();
        Ok(Packet {
            marker: reader.mark(),
            payload_type: reader.payload_type(),
            sequence: reader.sequence_number().into(),
            timestamp: reader.timestamp(),
            ssrc: reader.ssrc(),
            payload: start..end,
        })
    }

    /// Writes the header in front of its payload and returns where the whole packet lies. The payload stays where it
    /// is: contributing sources and extensions of a received packet are written over, padding is left behind.
    /// `None` if there is no room for it.
    pub fn write(&self, datagram: &mut [u8]) -> Option<Range<usize>> {
        let start = self.payload.start.checked_sub(HEADER)?;
        let header = datagram.get_mut(start..self.payload.start)?;
        RtpPacketBuilder::new()
            .payload_type(self.payload_type)
            .marked(self.marker)
            .sequence(self.sequence.into())
            .timestamp(self.timestamp)
            .ssrc(self.ssrc)
            .build_into(header)
            .ok()?;
        (self.payload.end <= datagram.len()).then_some(start..self.payload.end)
    }
}

/// Whether a datagram on the RTP port is RTCP: "packet types 192–223" in the second octet (RFC 5761 §4).
pub fn is_rtcp(datagram: &[u8]) -> bool {
    datagram.get(1).is_some_and(|octet| (192..=223).contains(octet))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packet() -> Packet {
        Packet {
            marker: true,
            payload_type: 101,
            sequence: 65_535,
            timestamp: 0xdead_beef,
            ssrc: 7,
            payload: 12..16,
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut datagram = *b"............ABCD";
        assert_eq!(packet().write(&mut datagram), Some(0..16));
        assert_eq!(Packet::parse(&datagram), Ok(packet()));
    }

    #[test]
    fn a_rewritten_packet_loses_sources_extension_and_padding_but_not_its_payload() {
        let mut datagram = vec![0x80 | 0x20 | 0x10 | 1, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
        datagram.extend([9, 9, 9, 9]);
        datagram.extend([0xbe, 0xde, 0, 1, 1, 2, 3, 4]);
        datagram.extend(b"ABCD");
        datagram.extend([0, 0, 3]);
        let mut read = Packet::parse(&datagram).unwrap();
        assert_eq!(&datagram[read.payload.clone()], b"ABCD");
        read.sequence = 500;
        let range = read.write(&mut datagram).unwrap();
        assert_eq!(range, 12..28);
        let again = Packet::parse(&datagram[range]).unwrap();
        assert_eq!((again.sequence, again.payload), (500, 12..16));
    }

    #[test]
    fn a_packet_without_room_is_not_written() {
        assert_eq!(
            Packet {
                payload: 4..10,
                ..packet()
            }
            .write(&mut [0; 20]),
            None
        );
        assert_eq!(
            Packet {
                payload: 12..30,
                ..packet()
            }
            .write(&mut [0; 20]),
            None
        );
        assert_eq!(packet().write(&mut [0; 8]), None);
    }

    #[test]
    fn rtcp_is_told_from_rtp_by_its_second_octet() {
        for (octet, rtcp) in [
            (191, false),
            (192, true),
            (200, true),
            (223, true),
            (224, false),
            (0x80, false),
        ] {
            assert_eq!(is_rtcp(&[0x80, octet]), rtcp, "{octet}");
        }
        assert!(!is_rtcp(&[0x80]));
    }

    proptest! {
        #[test]
        fn no_octets_make_it_panic(mut datagram in proptest::collection::vec(any::<u8>(), 0..80), version in any::<bool>()) {
            if version && let Some(first) = datagram.first_mut() {
                *first = 0x80 | (*first & 0x3f);
            }
            if let Ok(packet) = Packet::parse(&datagram) {
                prop_assert!(packet.payload.start >= HEADER && packet.payload.end <= datagram.len());
                prop_assert!(packet.write(&mut datagram).is_some());
            }
        }
    }
}
