//! Sockets and readiness: UDP port pairs, epoll, eventfd, and the one wait of a media thread.
//!
//! System calls that the standard library has no name for go through rustix. Packets themselves go through
//! `std::net::UdpSocket`: each leg has its own port, so at any moment a socket holds one packet to read and one to write,
//! and `recvmmsg` and `sendmmsg`, which batch on one socket, would have nothing to batch.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
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

/// Finds the sockets that have data to read (epoll, level-triggered: a socket left half read is reported again).
#[derive(Debug)]
pub(super) struct Poller(OwnedFd);

/// Room for the answers of one [`Poller::ready`].
pub(super) struct Ready([Event; 256]);

impl Ready {
    pub(super) fn new() -> Self {
        let nothing = Event {
            flags: EventFlags::empty(),
            data: EventData::new_u64(0),
        };
        Ready([nothing; 256])
    }

    /// The port of answer `n` of the last call.
    pub(super) fn port(&self, n: usize) -> u16 {
        // Only ports are watched.
        self.0[n].data.u64() as u16
    }
}

impl Poller {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Poller(epoll::create(CreateFlags::CLOEXEC)?))
    }

    /// Watches a pair until it is closed: its sockets are known by their ports. Watches neither if it fails.
    pub(super) fn watch(&self, pair: &Pair) -> io::Result<()> {
        self.add(&pair.rtp, pair.port)?;
        self.add(&pair.rtcp, pair.port + 1)
            .inspect_err(|_| drop(self.remove(&pair.rtp)))
    }

    fn add(&self, socket: &UdpSocket, port: u16) -> io::Result<()> {
        let data = EventData::new_u64(port.into());
        Ok(epoll::add(&self.0, socket, data, EventFlags::IN)?)
    }

    /// Watches a pair no longer, though it stays open.
    pub(super) fn unwatch(&self, pair: &Pair) -> io::Result<()> {
        self.remove(&pair.rtp)?;
        self.remove(&pair.rtcp)
    }

    fn remove(&self, socket: &UdpSocket) -> io::Result<()> {
        Ok(epoll::delete(&self.0, socket)?)
    }

    /// How many sockets can be read now, at most as many as `ready` holds. Does not wait.
    pub(super) fn ready(&self, ready: &mut Ready) -> usize {
        let at_once = Timespec::default();
        // Interrupted is the only failure with valid descriptors: nothing now, more at the next call.
        epoll::wait(&self.0, &mut ready.0, Some(&at_once)).unwrap_or(0)
    }
}

/// Rouses a media thread from its wait (eventfd).
#[derive(Debug)]
pub(super) struct Wake(OwnedFd);

impl Wake {
    pub(super) fn new() -> io::Result<Self> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        Ok(Wake(eventfd(0, flags)?))
    }

    pub(super) fn wake(&self) {
        // A full counter fails with EAGAIN, and is awake already.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }

    fn clear(&self) {
        // EAGAIN means there was nothing to clear.
        let _ = rustix::io::read(&self.0, &mut [0; size_of::<u64>()]);
    }
}

/// Waits until roused, until a socket of `poller` can be read if one is given, or until `timeout` has passed.
pub(super) fn wait(wake: &Wake, poller: Option<&Poller>, timeout: Option<Duration>) {
    // A repeated entry stands in for the absent one; only `count` are looked at.
    let second = poller.map_or(&wake.0, |poller| &poller.0);
    let mut entries = [&wake.0, second].map(|fd| PollFd::new(fd, PollFlags::IN));
    let count = 1 + usize::from(poller.is_some());
    // A time too long for the system's type is as good as none.
    let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
    // Interrupted by a signal, it reports nothing: the caller looks at its clock and waits again.
    let _ = poll(&mut entries[..count], timeout.as_ref());
    if !entries[0].revents().is_empty() {
        wake.clear();
    }
}

/// Lets the process have `wanted` file descriptors, or as many as it may: two per leg are more than the usual 1,024.
pub(super) fn raise_descriptor_limit(wanted: u64) {
    let limit = getrlimit(Resource::Nofile);
    // No figure is no limit.
    let wanted = wanted.min(limit.maximum.unwrap_or(u64::MAX));
    if limit.current.is_some_and(|current| wanted > current) {
        let raised = Rlimit {
            current: Some(wanted),
            ..limit
        };
        // Failing leaves the old limit, which opening respects.
        let _ = setrlimit(Resource::Nofile, raised);
    }
}
