//! The machine's own addresses: as the kernel tells them, without a library. Linux only, as the media sockets are.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

use ipnet::IpNet;

/// All addresses of this machine, loopback included; empty where the kernel does not tell.
pub(crate) fn own_addresses() -> Vec<IpAddr> {
    let four = std::fs::read_to_string("/proc/self/net/fib_trie").unwrap_or_default();
    let six = std::fs::read_to_string("/proc/self/net/if_inet6").unwrap_or_default();
    let four = ipv4_of(&four).into_iter().map(IpAddr::V4);
    let mut own: Vec<IpAddr> = four.chain(ipv6_of(&six).into_iter().map(IpAddr::V6)).collect();
    own.sort_unstable();
    own.dedup();
    own
}

/// The address under which a network reaches this machine: ours in it, else the one that we would send from; `None` where
/// there is no way there.
pub(crate) fn address_towards(network: &IpNet, own: &[IpAddr]) -> Option<IpAddr> {
    own.iter()
        .copied()
        .find(|address| network.contains(address))
        .or_else(|| sending_address(network.hosts().next()?))
}

/// Connecting a datagram socket sends nothing: the kernel only chooses the way.
fn sending_address(to: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = if to.is_ipv4() {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((to, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// Finds own addresses in `/proc/net/fib_trie`: an address is on one line, and its kind on the next.
fn ipv4_of(trie: &str) -> Vec<Ipv4Addr> {
    let mut last: Option<Ipv4Addr> = None;
    let mut own = Vec::new();
    for line in trie.lines().map(str::trim_start) {
        if let Some(leaf) = line.strip_prefix("|-- ") {
            last = leaf.trim_end().parse().ok();
        } else if line.starts_with("/32 host LOCAL") {
            own.extend(last);
        }
    }
    own
}

/// Finds addresses in `/proc/net/if_inet6`: each line begins with 32 hexadecimal digits.
fn ipv6_of(table: &str) -> Vec<Ipv6Addr> {
    let digits = table.lines().filter_map(|line| line.get(..32));
    let numbers = digits.filter_map(|digits| u128::from_str_radix(digits, 16).ok());
    numbers.map(Ipv6Addr::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_tables_are_read() {
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n     +-- 192.168.7.0/24 2 0 2\n        \
                    |-- 192.168.7.5\n           /32 host LOCAL\n        |-- 192.168.7.255\n           /32 link BROADCAST\n";
        assert_eq!(ipv4_of(trie), [Ipv4Addr::new(192, 168, 7, 5)]);
        let table = "00000000000000000000000000000001 01 80 10 80       lo\n20010db8000000000000000000000007 02 40 00 80     eth0\n";
        let expected: [Ipv6Addr; 2] = ["::1".parse().unwrap(), "2001:db8::7".parse().unwrap()];
        assert_eq!(ipv6_of(table), expected);
        assert!(own_addresses().contains(&Ipv4Addr::LOCALHOST.into()));
    }

    #[test]
    fn a_network_reaches_us_at_our_address_in_it_and_else_at_the_one_we_send_from() {
        let own: Vec<IpAddr> = vec!["192.168.7.5".parse().unwrap()];
        let towards = |net: &str, own: &[IpAddr]| address_towards(&net.parse().unwrap(), own);
        assert_eq!(towards("192.168.0.0/16", &own), Some(own[0]));
        assert!(towards("127.0.0.0/8", &[]).is_some_and(|ip| ip.is_loopback()));
    }
}
