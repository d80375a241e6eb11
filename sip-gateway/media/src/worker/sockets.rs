//! Sockets and readiness: UDP port pairs, epoll, eventfd, and the one wait of a media thread.
//!
//! The only module of the crate with `unsafe`: a few system calls without a safe name in the standard library. Packets
//! themselves go through `std::net::UdpSocket`: each leg has its own port, so at any moment a socket holds one packet to
//! read and one to write, and `recvmmsg` and `sendmmsg`, which batch on one socket, would have nothing to batch.

#![expect(
    unsafe_code,
    reason = "epoll, eventfd, ppoll and limits have no safe wrapper in std"
)]

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

/// Kernel memory one leg may fill: some 100 packets, so a flood on one port costs only that port.
const RECEIVE_BUFFER: usize = 128 * 1024;

/// More than that holds, whatever the size of the packets.
const MOST_HELD: usize = 1_024;

/// A leg's two sockets.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) rtp: UdpSocket,
    pub(super) rtcp: UdpSocket,
    pub(super) port: u16,
}

impl Pair {
    /// Throws away what came while nobody listened, and says how many packets that was; `None` where it does not end, as
    /// somebody sends without a pause.
    pub(super) fn empty(&self) -> Option<usize> {
        let mut nothing = [0; 1];
        let mut emptied = |socket: &UdpSocket| {
            // A receive buffer holds some hundred packets.
            (0..MOST_HELD).find(|_| {
                socket
                    .recv(&mut nothing)
                    .is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
            })
        };
        Some(emptied(&self.rtp)? + emptied(&self.rtcp)?)
    }
}

/// Binds `port` for RTP and the next one for RTCP; their packets carry this DSCP.
pub(super) fn bind_pair(listen: IpAddr, port: u16, dscp: u8) -> io::Result<Pair> {
    let rtp = bind(SocketAddr::new(listen, port), dscp)?;
    let rtcp = bind(SocketAddr::new(listen, port + 1), dscp)?;
    Ok(Pair { rtp, rtcp, port })
}

fn bind(address: SocketAddr, dscp: u8) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    // Both are wishes: media flows without them.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    let class = u32::from(dscp) << 2;
    // An IPv6 socket may send IPv4 too.
    let _ = socket.set_tos_v4(class);
    let _ = if address.is_ipv6() {
        socket.set_tclass_v6(class)
    } else {
        Ok(())
    };
    if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        socket.set_only_v6(false)?;
    }
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// The address as the socket's family wants it: an IPv4 peer of an IPv6 socket is a mapped address.
pub(super) fn for_family(v6: bool, to: SocketAddr) -> SocketAddr {
    match to.ip() {
        IpAddr::V4(ip) if v6 => SocketAddr::new(ip.to_ipv6_mapped().into(), to.port()),
        _ => to,
    }
}

/// The other way round: a mapped address is the IPv4 address it stands for.
pub(super) fn canonical(from: SocketAddr) -> SocketAddr {
    SocketAddr::new(from.ip().to_canonical(), from.port())
}

fn checked(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// Finds the sockets that have data to read (epoll, level-triggered: a socket left half read is reported again).
#[derive(Debug)]
pub(super) struct Poller(OwnedFd);

/// Room for the answers of one [`Poller::ready`].
pub(super) struct Ready([libc::epoll_event; 256]);

impl Ready {
    pub(super) fn new() -> Self {
        Ready([libc::epoll_event { events: 0, u64: 0 }; 256])
    }

    /// The key of answer `n` of the last call.
    pub(super) fn key(&self, n: usize) -> u64 {
        self.0[n].u64
    }
}

impl Poller {
    pub(super) fn new() -> io::Result<Self> {
        // SAFETY: no pointers; the result is checked and is a descriptor nobody else owns.
        let fd = checked(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: `fd` was just made and is owned by nobody else.
        Ok(Poller(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Watches a socket until it is closed.
    pub(super) fn add(&self, socket: &UdpSocket, key: u64) -> io::Result<()> {
        let mut event = libc::epoll_event {
            events: libc::EPOLLIN as u32,
            u64: key,
        };
        // SAFETY: both descriptors are open, as their owners are borrowed, and `event` outlives the call.
        checked(unsafe {
            libc::epoll_ctl(
                self.0.as_raw_fd(),
                libc::EPOLL_CTL_ADD,
                socket.as_raw_fd(),
                &raw mut event,
            )
        })?;
        Ok(())
    }

    /// Watches a socket no longer, though it stays open.
    pub(super) fn remove(&self, socket: &UdpSocket) -> io::Result<()> {
        // SAFETY: both descriptors are open, as their owners are borrowed; a removal reads no event.
        checked(unsafe {
            libc::epoll_ctl(
                self.0.as_raw_fd(),
                libc::EPOLL_CTL_DEL,
                socket.as_raw_fd(),
                std::ptr::null_mut(),
            )
        })?;
        Ok(())
    }

    /// How many sockets can be read now, at most as many as `ready` holds. Does not wait.
    pub(super) fn ready(&self, ready: &mut Ready) -> usize {
        let room = ready.0.len() as libc::c_int;
        // SAFETY: the kernel writes at most `room` events, and the array has that many.
        let count = unsafe { libc::epoll_wait(self.0.as_raw_fd(), ready.0.as_mut_ptr(), room, 0) };
        // Interrupted is the only failure with valid descriptors: nothing now, more at the next call.
        usize::try_from(count).unwrap_or(0)
    }
}

/// Rouses a media thread from its wait (eventfd).
#[derive(Debug)]
pub(super) struct Wake(OwnedFd);

impl Wake {
    pub(super) fn new() -> io::Result<Self> {
        // SAFETY: no pointers; the result is checked and is a descriptor nobody else owns.
        let fd = checked(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
        // SAFETY: `fd` was just made and is owned by nobody else.
        Ok(Wake(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    pub(super) fn wake(&self) {
        let one = 1u64;
        // SAFETY: eight octets of a local are read. A full counter fails with EAGAIN, and is awake already.
        unsafe { libc::write(self.0.as_raw_fd(), (&raw const one).cast(), size_of::<u64>()) };
    }

    fn clear(&self) {
        let mut count = 0u64;
        // SAFETY: eight octets of a local are written. EAGAIN means there was nothing to clear.
        unsafe { libc::read(self.0.as_raw_fd(), (&raw mut count).cast(), size_of::<u64>()) };
    }
}

/// Waits until roused, until a socket of `poller` can be read if one is given, or until `timeout` has passed.
pub(super) fn wait(wake: &Wake, poller: Option<&Poller>, timeout: Option<Duration>) {
    let entry = |fd: &OwnedFd| libc::pollfd {
        fd: fd.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // A repeated entry stands in for the absent one; only `count` are looked at.
    let mut entries = [entry(&wake.0), entry(poller.map_or(&wake.0, |poller| &poller.0))];
    let count = 1 + libc::nfds_t::from(poller.is_some());
    let timeout = timeout.map(|timeout| libc::timespec {
        tv_sec: libc::time_t::try_from(timeout.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: timeout.subsec_nanos().into(),
    });
    let timeout = timeout.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: `count` is at most the length of `entries`, which, like the time, outlives the call; a null time waits for
    // ever and a null mask changes no signals.
    unsafe { libc::ppoll(entries.as_mut_ptr(), count, timeout, std::ptr::null()) };
    if entries[0].revents != 0 {
        wake.clear();
    }
}

/// Lets the process have `wanted` file descriptors, or as many as it may: two per leg are more than the usual 1,024.
pub(super) fn raise_descriptor_limit(wanted: u64) {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the kernel writes one `rlimit` into a local.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return;
    }
    let wanted = wanted.min(limit.rlim_max);
    if wanted > limit.rlim_cur {
        limit.rlim_cur = wanted;
        // SAFETY: the kernel reads one `rlimit` from a local. Failing leaves the old limit, which opening respects.
        unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    }
}
