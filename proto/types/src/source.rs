//! The address that a limit counts by.

use std::net::{IpAddr, Ipv6Addr};

/// The address that stands for one source: an IPv4 address, or the /64 network that one IPv6 subscriber has to itself.
pub fn source_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => IpAddr::V6(Ipv6Addr::from(u128::from(six) >> 64 << 64)),
        four @ IpAddr::V4(_) => four,
    }
}
