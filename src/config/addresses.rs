//! No two listeners on one socket, and ports enough for the calls: found when the file is read, not when one fails to
//! bind.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use pronto_config::{Problem, Problems, Table};
use pronto_sip::Transport;

use super::settings::Config;

/// Where the sections stand.
pub(super) struct Places<'t> {
    pub(super) sip: Table<'t>,
    pub(super) media: Table<'t>,
    pub(super) grpc: Table<'t>,
    pub(super) metrics: Table<'t>,
    pub(super) gateway: Table<'t>,
}

/// One listening stream socket.
struct Listener {
    title: &'static str,
    address: SocketAddr,
    place: Option<Range<usize>>,
}

/// Notes listeners that take each other's place.
pub(super) fn check(config: &Config, places: &Places<'_>, problems: &mut Problems) {
    let listeners = listeners(config, places);
    for (at, later) in listeners.iter().enumerate() {
        let Some(earlier) = listeners[..at]
            .iter()
            .find(|earlier| collide(earlier.address, later.address))
        else {
            continue;
        };
        // What is left to its default has no place: then the other one is what was written.
        let Some(place) = later.place.as_ref().or(earlier.place.as_ref()) else {
            continue;
        };
        let message = format!("{} and {} listen on the same socket", earlier.title, later.title);
        let problem = Problem::error(place.clone(), message, format!("`{}`", later.address));
        problems.push(problem.expected("a port of its own"));
    }
    check_local(config, places, problems);
    check_media(config, places, problems);
    check_room(config, places, problems);
}

/// Warns of networks in `local` that have no effect, because no address is advertised.
fn check_local(config: &Config, places: &Places<'_>, problems: &mut Problems) {
    let advertised = !config.sip.advertise.is_empty() || config.media.advertise.is_some();
    let Some(place) = places.sip.place("local").filter(|_| !advertised) else {
        return;
    };
    let message = "`local` in [sip] changes nothing: no address is advertised to anybody";
    let problem = Problem::warning(place, message, "no `advertise`".to_owned());
    problems.push(problem.expected("`advertise` in [sip] and [media], for peers outside of `local`"));
}

/// More calls are asked for than there are ports to carry them.
fn check_room(config: &Config, places: &Places<'_>, problems: &mut Problems) {
    let (calls, most) = (config.gateway.calls, config.media.most_calls());
    let Some(place) = places.gateway.place("calls").filter(|_| calls > most) else {
        return;
    };
    let message = format!("the media ports are enough for {most} calls at once: the next is refused");
    let problem = Problem::warning(place, message, calls.to_string());
    problems.push(problem.expected("four ports for each call, or fewer `calls`"));
}

/// RTP would be handed the port on which SIP listens.
fn check_media(config: &Config, places: &Places<'_>, problems: &mut Problems) {
    let media = &config.media;
    let (first, last) = media.ports;
    let ports = first..=last;
    let udp = config
        .sip
        .listen
        .iter()
        .filter(|(transport, _)| *transport == Transport::Udp);
    for (_, address) in udp {
        if ports.contains(&address.port()) && meet(address.ip(), media.listen) {
            let place = places.media.place("ports").or_else(|| places.sip.place("listen"));
            let message = format!("the media ports include SIP's own, {}", address.port());
            let found = format!("[{first}, {last}]");
            let problem = Problem::error(place.unwrap_or(0..0), message, found);
            problems.push(problem.expected("ports on which nothing else listens"));
        }
    }
}

fn listeners(config: &Config, places: &Places<'_>) -> Vec<Listener> {
    let sip = config
        .sip
        .listen
        .iter()
        .filter(|(transport, _)| *transport != Transport::Udp)
        .map(|(transport, address)| Listener {
            title: match transport {
                Transport::Tls => "[sip] over TLS",
                Transport::Ws => "[sip] over WS",
                Transport::Wss => "[sip] over WSS",
                Transport::Udp | Transport::Tcp => "[sip] over TCP",
            },
            address: *address,
            place: places.sip.place("listen"),
        });
    let listener = |title, address, place| Listener {
        title,
        address,
        place,
    };
    let rest = [
        listener("[grpc]", config.grpc.listen, places.grpc.place("listen")),
        listener("[metrics]", config.metrics, places.metrics.place("listen")),
        listener(
            "`listen` of [gateway]",
            config.gateway.listen,
            places.gateway.place("listen"),
        ),
        listener(
            "`metrics` of [gateway]",
            config.gateway.metrics,
            places.gateway.place("metrics"),
        ),
    ];
    sip.chain(rest).collect()
}

/// Port 0 is whichever is free.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() != 0 && one.port() == other.port() && meet(one.ip(), other.ip())
}

fn meet(one: IpAddr, other: IpAddr) -> bool {
    one == other || (one.is_ipv4() == other.is_ipv4() && (one.is_unspecified() || other.is_unspecified()))
}
