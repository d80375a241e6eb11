//! RTCP (RFC 3550 §6): reports of ours, and as much of the peer's as those need. The only module that names `rtcp_types`.
//!
//! The peer's reports are counted and otherwise believed in nothing: no BYE ends a call here, signalling does.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use pronto_types::Time;
use rtcp_types::{
    Compound, Packet, ReceiverReport, ReportBlock, RtcpPacketWriterExt, Sdes, SdesChunk, SdesItem,
    SenderReport,
};

/// Room for a report of ours.
pub const REPORT: usize = 128;

/// A datagram that is no compound RTCP packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not an RTCP packet")]
pub struct Malformed;

/// The part of a received compound RTCP packet that we use.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Heard {
    /// The SSRC of its sender report and the middle 32 bits of its NTP timestamp.
    pub sender_report: Option<(u32, u32)>,
}

/// Reads a datagram. Packets of unknown type inside it are skipped.
///
/// # Errors
/// [`Malformed`], the peer's fault.
pub fn parse(datagram: &[u8]) -> Result<Heard, Malformed> {
    let mut heard = Heard::default();
    for packet in Compound::parse(datagram).map_err(|_| Malformed)? {
        if let Packet::Sr(report) = packet.map_err(|_| Malformed)? {
            heard.sender_report = Some((report.ssrc(), (report.ntp_timestamp() >> 16) as u32));
        }
    }
    Ok(heard)
}

/// The input of an RTCP report: figures of our own stream, if there is one, and of the peer's stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Report {
    /// Our SSRC, the sender of the report.
    pub ssrc: u32,
    /// 96 random bits, "a short-term persistent RTCP CNAME" (RFC 7022 §4.2), as hexadecimal digits.
    pub cname: [u8; 24],
    /// When this is sent.
    pub now: Time,
    /// Our stream: the RTP timestamp of `now`, packets and octets sent; `None` if we sent nothing.
    pub sent: Option<(u32, u32, u32)>,
    /// The peer's stream.
    pub received: Option<Block>,
}

/// A report block (RFC 3550 §6.4.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Block {
    /// The SSRC of the reported stream.
    pub ssrc: u32,
    /// Lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Lost in all, 24 bits.
    pub lost: u32,
    /// The extended highest sequence number.
    pub highest: u32,
    /// In timestamp units.
    pub jitter: u32,
    /// The middle 32 bits of the NTP timestamp of the peer's last sender report, and how long ago it came in 1/65536 s;
    /// zeros if there was none.
    pub last_report: (u32, u32),
}

/// Seconds from 1900, where NTP begins, to 1970.
const NTP_EPOCH: i128 = 2_208_988_800;

/// 32.32 fixed point seconds since 1900 (RFC 3550 §4).
fn ntp(now: Time) -> u64 {
    let micros = i128::from(now.as_micros()) + NTP_EPOCH * 1_000_000;
    ((micros << 32) / 1_000_000) as u64
}

impl Report {
    /// Writes a compound packet: SR or RR, and SDES with the CNAME. Returns its length; `None` if there is no room.
    pub fn write(&self, buffer: &mut [u8]) -> Option<usize> {
        let block = self.received.map(|block| {
            ReportBlock::builder(block.ssrc)
                .fraction_lost(block.fraction_lost)
                .cumulative_lost(block.lost)
                .extended_sequence_number(block.highest)
                .interarrival_jitter(block.jitter)
                .last_sender_report_timestamp(block.last_report.0)
                .delay_since_last_sender_report_timestamp(block.last_report.1)
        });
        let cname = std::str::from_utf8(&self.cname).ok()?;
        let chunk = SdesChunk::builder(self.ssrc).add_item(SdesItem::builder(SdesItem::CNAME, cname));
        let sdes = Sdes::builder().add_chunk(chunk);
        let written = match self.sent {
            Some((timestamp, packets, octets)) => {
                let mut report = SenderReport::builder(self.ssrc)
                    .ntp_timestamp(ntp(self.now))
                    .rtp_timestamp(timestamp)
                    .packet_count(packets)
                    .octet_count(octets);
                if let Some(block) = block {
                    report = report.add_report_block(block);
                }
                Compound::builder()
                    .add_packet(report)
                    .add_packet(sdes)
                    .write_into(buffer)
            }
            None => {
                let mut report = ReceiverReport::builder(self.ssrc);
                if let Some(block) = block {
                    report = report.add_report_block(block);
                }
                Compound::builder()
                    .add_packet(report)
                    .add_packet(sdes)
                    .write_into(buffer)
            }
        };
        written.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn report() -> Report {
        Report {
            ssrc: 0x0102_0304,
            cname: *b"0123456789abcdef01234567",
            now: Time::from_micros(1_500_000),
            sent: Some((160, 7, 1_120)),
            received: Some(Block {
                ssrc: 9,
                fraction_lost: 3,
                lost: 4,
                highest: 0x1_0005,
                jitter: 6,
                last_report: (7, 8),
            }),
        }
    }

    #[test]
    fn our_own_report_is_read_again() {
        let mut buffer = [0; REPORT];
        let length = report().write(&mut buffer).unwrap();
        // 1970 + 1.5 s: NTP seconds 2208988801, half a second is 0x8000_0000.
        let middle = ((2_208_988_801u64 & 0xffff) << 16 | 0x8000) as u32;
        assert_eq!(
            parse(&buffer[..length]),
            Ok(Heard {
                sender_report: Some((0x0102_0304, middle))
            })
        );
        let length = Report {
            sent: None,
            ..report()
        }
        .write(&mut buffer)
        .unwrap();
        assert_eq!(parse(&buffer[..length]), Ok(Heard::default()));
        assert_eq!(report().write(&mut [0; 20]), None);
    }

    #[test]
    fn broken_compounds_are_malformed() {
        for datagram in [
            &b""[..],
            &[0x80],
            &[0x80, 200, 0, 0],
            &[0x80, 200, 0xff, 0xff, 0, 0, 0, 0],
            &[0x40, 201, 0, 1, 0, 0, 0, 0],
        ] {
            assert_eq!(parse(datagram), Err(Malformed), "{datagram:?}");
        }
    }

    proptest! {
        #[test]
        fn no_octets_make_it_panic(mut datagram in proptest::collection::vec(any::<u8>(), 0..120), kind in 200u8..208, words in 0u8..30) {
            let _ = parse(&datagram);
            if let [first, second, high, low, ..] = datagram.as_mut_slice() {
                (*first, *second, *high, *low) = (0x80 | (*first & 0x3f), kind, 0, words);
            }
            let _ = parse(&datagram);
        }
    }
}
