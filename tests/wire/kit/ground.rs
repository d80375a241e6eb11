//! The ground a test stands on: a /24 of 127.0.0.0/8 and a directory, both its own, so that tests run side by side
//! on the ports they like.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

/// The last byte of the addresses, by role.
pub(crate) const CENTRE: u8 = 1;
/// Callers: inside the trunk's range, .0 to .63.
pub(crate) const CALLER: u8 = 2;
/// Phones of ours that register as operators: in no trunk.
pub(crate) const PHONE: u8 = 101;
/// In no trunk and nobody's phone.
pub(crate) const STRANGER: u8 = 209;

/// The port that is bound on .254. Above 1023, so that it needs no right that a user has not.
const LEASE: u16 = 9_009;

static TAKEN: AtomicU32 = AtomicU32::new(0);

pub(crate) struct Ground {
    net: [u8; 2],
    directory: PathBuf,
    /// Holds the /24: whoever binds this port first has it.
    _lease: UdpSocket,
}

impl Ground {
    pub(crate) fn take() -> Ground {
        for _ in 0..1_000 {
            let number = process::id()
                .wrapping_mul(37)
                .wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed));
            // 127.64.0.0 to 127.127.255.0: away from what people use by hand.
            let net = [64 + (number >> 8) as u8 % 64, number as u8];
            if let Some(ground) = Ground::at(net) {
                return ground;
            }
        }
        panic!("no free /24 in 127.64.0.0/10");
    }

    /// The /24 of these two middle bytes, unless another test has it.
    pub(crate) fn at(net: [u8; 2]) -> Option<Ground> {
        let lease = SocketAddr::from(([127, net[0], net[1], 254], LEASE));
        let lease = UdpSocket::bind(lease).ok()?;
        let directory =
            std::env::temp_dir().join(format!("pronto-wire-{}-{}-{}", process::id(), net[0], net[1]));
        fs::create_dir_all(&directory).expect("the temporary directory is writable");
        Some(Ground {
            net,
            directory,
            _lease: lease,
        })
    }

    pub(crate) fn ip(&self, host: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(127, self.net[0], self.net[1], host))
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// A directory of its own below the test's.
    pub(crate) fn subdirectory(&self, name: &str) -> PathBuf {
        let path = self.directory.join(name);
        fs::create_dir_all(&path).expect("the temporary directory is writable");
        path
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("kept for you: {}", self.directory.display());
        } else {
            let _ = fs::remove_dir_all(&self.directory);
        }
    }
}

/// A UDP port of `ip` that was free a moment ago, even, as RTP likes it, and each time another. They lie below those that
/// the kernel gives away, so that nobody has it before the one it is for.
pub(crate) fn free_port(ip: IpAddr) -> u16 {
    const PORTS: u32 = 11_000;
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    for _ in 0..PORTS {
        let number = GIVEN.fetch_add(1, Ordering::Relaxed) % PORTS;
        let port = 10_000 + 2 * number as u16;
        if UdpSocket::bind((ip, port)).is_ok() {
            return port;
        }
    }
    panic!("no free port of {ip}");
}
