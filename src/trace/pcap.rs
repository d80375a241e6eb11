//! A capture that tcpdump and Wireshark open (the classic pcap format, version 2.4, link type 101: raw IP). Each message
//! is one UDP datagram between the addresses it passed between, also where it passed over a stream: a stream's
//! segments were never seen.

use std::net::{IpAddr, SocketAddr};

use super::Passed;

const RAW_IP: u32 = 101;
const UDP: u8 = 17;
/// The largest UDP payload of an IPv4 datagram, in octets.
const LONGEST: usize = 65_507;

/// The file's content.
pub(super) fn capture(messages: &[Passed]) -> Vec<u8> {
    let mut file = Vec::new();
    // Magic (microseconds), version 2.4, zone, accuracy, the longest packet, the link type; in the writer's order.
    for half in [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0] {
        file.push(half);
    }
    for word in [0, 0, 0x0004_0000, RAW_IP] {
        file.extend_from_slice(&u32::to_le_bytes(word));
    }
    for message in messages {
        let packet = packet(message);
        let micros = u64::try_from(message.at.as_micros()).unwrap_or(0);
        let length = packet.len() as u64;
        for word in [micros / 1_000_000, micros % 1_000_000, length, length] {
            file.extend_from_slice(&u32::try_from(word).unwrap_or(u32::MAX).to_le_bytes());
        }
        file.extend_from_slice(&packet);
    }
    file
}

fn packet(message: &Passed) -> Vec<u8> {
    let (from, to) = if message.sent {
        (message.local, message.remote)
    } else {
        (message.remote, message.local)
    };
    let payload = &message.octets[..message.octets.len().min(LONGEST)];
    // One family: an IPv4 address in an IPv6 one where they differ.
    match (from.ip(), to.ip()) {
        (IpAddr::V4(source), IpAddr::V4(target)) => {
            let addresses = [source.octets(), target.octets()].concat();
            let datagram = datagram((from, to), &addresses, payload);
            let total = u16::try_from(20 + datagram.len())
                .unwrap_or(u16::MAX)
                .to_be_bytes();
            let mut head = vec![0x45, 0, total[0], total[1], 0, 0, 0x40, 0, 64, UDP, 0, 0];
            head.extend_from_slice(&addresses);
            let sum = checksum(&[&head]).to_be_bytes();
            head[10..12].copy_from_slice(&sum);
            [head, datagram].concat()
        }
        (source, target) => {
            let wide = |ip: IpAddr| match ip {
                IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
                IpAddr::V6(ip) => ip.octets(),
            };
            let addresses = [wide(source), wide(target)].concat();
            let datagram = datagram((from, to), &addresses, payload);
            let length = u16::try_from(datagram.len()).unwrap_or(u16::MAX).to_be_bytes();
            let head = vec![0x60, 0, 0, 0, length[0], length[1], UDP, 64];
            [head, addresses, datagram].concat()
        }
    }
}

/// With the checksum over the pseudo header (RFC 768, RFC 8200 §8.1), in which both families add up alike.
fn datagram((from, to): (SocketAddr, SocketAddr), addresses: &[u8], payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + payload.len()).unwrap_or(u16::MAX).to_be_bytes();
    let ports = [from.port().to_be_bytes(), to.port().to_be_bytes()].concat();
    let mut datagram = [&ports[..], &length, &[0, 0], payload].concat();
    let sum = match checksum(&[addresses, &[0, UDP], &length, &datagram]) {
        // "If the computed checksum is zero, it is transmitted as all ones".
        0 => u16::MAX,
        sum => sum,
    };
    datagram[6..8].copy_from_slice(&sum.to_be_bytes());
    datagram
}

/// The one's complement of the one's complement sum of these words (RFC 1071). All parts but the last are even.
fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0_u64;
    for pair in parts.iter().flat_map(|part| part.chunks(2)) {
        sum += u64::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u64::from(*low));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}
