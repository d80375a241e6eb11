//! Where requests to a peer go: to the address of its Contact or route, or over the flow that it used.
//!
//! RFC 3261 sends them to the address that the peer names (§8.1.2, §12.2.1.1). That address is worth nothing where the peer is
//! behind a NAT and does not know it. A NAT shows where the Via or the Contact is not the address that we see, and the peer
//! asks with `rport` for answers at the port that we see (RFC 3581), or where the address it names cannot be reached from
//! here. A peer that keeps its flow open asks for it itself (RFC 5626), and browsers cannot be reached in another way (RFC
//! 7118). Names are not looked up.

use std::net::{IpAddr, SocketAddr};

use pronto_types::{OperatorId, Time};

use super::Endpoint;
use super::request::Request;
use crate::api::{Event, LegId};
use crate::dialog::leg::{Leg, State, Stop};
use crate::dialog::{Dialog, Way};
use crate::digest::Verdict;
use crate::identity::LocalIdentity;
use crate::message::{Host, NameAddr, Scheme, Uri, Via};
use crate::registrar::{Binding, Wanted};
use crate::settings::{Flow, Transport};

impl Endpoint {
    /// The address at which a Contact of a REGISTER is rung; `None`: over the flow of the REGISTER. `alone`: the REGISTER
    /// binds no other Contact.
    pub(super) fn contact_at(
        &self,
        request: &Request<'_>,
        wanted: &Wanted<'_>,
        path: Option<&[u8]>,
        alone: bool,
    ) -> Option<Flow> {
        if wanted.instance.is_some() {
            return None;
        }
        let hop = path.unwrap_or(wanted.contact);
        let to = self.named_flow(request, hop)?;
        let (source, via) = (request.flow.remote, &request.essentials.via);
        let is_there = to.remote.ip().to_canonical() == source.ip().to_canonical();
        if request.flow.transport.is_reliable() && is_there && to.transport == request.flow.transport {
            // The connection that is open leads to the phone; but two phones behind one connection have an address each.
            let apart = !alone && via.host == Host::Ip(source.ip());
            return apart.then_some(to);
        }
        (!is_behind_nat(via, source, to.remote)).then_some(to)
    }

    /// Where our requests go in a dialog that the peer began.
    pub(super) fn way_back(
        &self,
        request: &Request<'_>,
        routes: &[bytes::Bytes],
        target: &[u8],
    ) -> (Flow, Way) {
        let (hop, way) = match routes.first() {
            Some(route) => (&route[..], Way::Route),
            None => (target, Way::Target),
        };
        let (source, via) = (request.flow.remote, &request.essentials.via);
        let named = self.named_flow(request, hop);
        match named.filter(|_| !request.flow.transport.is_reliable()) {
            Some(to) if !is_behind_nat(via, source, to.remote) => (to, way),
            _ => (request.flow, Way::Flow),
        }
    }

    /// The flow to the numeric address in a URI of the sender's, from the socket that the request arrived at; `None` where
    /// the sender asks for its own flow, or cannot be called.
    fn named_flow(&self, request: &Request<'_>, hop: &[u8]) -> Option<Flow> {
        let uri = uri_of(hop)?;
        if matches!(request.flow.transport, Transport::Ws | Transport::Wss) || uri.param("ob").is_some() {
            return None;
        }
        let came = request.flow.transport;
        let to = self.flow_by(&uri, came)?;
        let same_socket = to.transport == came && to.remote.is_ipv4() == request.flow.remote.is_ipv4();
        let local = if same_socket { request.flow.local } else { to.local };
        Some(Flow { local, ..to })
    }

    /// The flow that a URI asks for. Without a transport it is UDP (RFC 3263 §4.1), or what we have; TLS cannot be dialled.
    fn flow_by(&self, uri: &Uri<'_>, came: Transport) -> Option<Flow> {
        let named = uri.param("transport");
        let is = |name: &[u8]| named.is_some_and(|n| n.eq_ignore_ascii_case(name));
        let secure = uri.scheme == Scheme::Sips || matches!(came, Transport::Tls) && named.is_none();
        let transports: &[Transport] = match named {
            _ if secure => &[],
            None => &[Transport::Udp, Transport::Tcp],
            Some(_) if is(b"udp") => &[Transport::Udp],
            Some(_) if is(b"tcp") => &[Transport::Tcp],
            Some(_) => &[],
        };
        // A phone that registers over TCP and names no transport is at home on TCP, whatever the default is.
        let first = transports.contains(&came).then_some(came);
        let mut each = first.into_iter().chain(transports.iter().copied());
        each.find_map(|transport| self.flow_to(uri.raw, transport))
    }

    /// A flow to the numeric address in a URI or name-addr; `None` for a name: nothing here asks the DNS.
    pub(super) fn flow_to(&self, hop: &[u8], transport: Transport) -> Option<Flow> {
        flow_to(&self.identity, hop, transport)
    }

    /// The dialog of an INVITE of ours stands: "the remote target" and the route set of the 2xx are known (§12.1.2).
    pub(super) fn aim_first(&self, dialog: &mut Dialog) {
        if dialog.way != Way::Flow && !dialog.routes.is_empty() {
            dialog.way = Way::Route;
            let route = dialog.routes[0].clone();
            self.aim(dialog, &route);
        }
        self.aim_again(dialog);
    }

    /// The remote target was refreshed.
    pub(super) fn aim_again(&self, dialog: &mut Dialog) {
        if dialog.way == Way::Target {
            let target = dialog.target.clone();
            self.aim(dialog, &target);
        }
    }

    fn aim(&self, dialog: &mut Dialog, hop: &[u8]) {
        let from = dialog.flow;
        if from.transport.is_reliable() {
            return;
        }
        let Some(to) = uri_of(hop).and_then(|uri| self.flow_by(&uri, from.transport)) else {
            return;
        };
        if is_out_of_sight(to.remote.ip(), from.remote.ip()) {
            return;
        }
        let same_socket = to.transport == from.transport && to.remote.is_ipv4() == from.remote.is_ipv4();
        let local = if same_socket { from.local } else { to.local };
        dialog.flow = Flow { local, ..to };
    }

    /// A request of the dialog arrived from another port than the peer's last: the NAT before the peer has another one for
    /// it. From another address that takes the password of the operator whose phone it is: the tags prove the dialog, but
    /// whoever has seen a message of it knows them.
    pub(super) fn follow_source(&mut self, now: Time, id: LegId, leg: &mut Leg, request: &Request<'_>) {
        let (from, to) = (leg.dialog.flow, request.flow);
        if leg.dialog.way != Way::Flow || from == to || from.transport != to.transport {
            return;
        }
        if to.transport.is_reliable() {
            return;
        }
        let is_there = from.remote.ip().to_canonical() == to.remote.ip().to_canonical();
        if is_there || leg.operator.is_some() && self.proves(now, leg.operator.as_ref(), request) {
            self.move_to(id, leg, to);
        }
    }

    /// The other end of a dialog is reached over another flow from now on.
    pub(super) fn move_to(&mut self, id: LegId, leg: &mut Leg, to: Flow) {
        let ip = to.remote.ip();
        let moved = leg.dialog.flow.remote.ip().to_canonical() != ip.to_canonical();
        leg.dialog.flow = to;
        let over = match &leg.state {
            State::Calling(calling) => calling.stop != Stop::No,
            State::Answered(_, parting) => parting.is_some(),
            State::Ending | State::Over => true,
            State::Incoming(_) | State::Up => false,
        };
        if moved && !over && !leg.told {
            self.tell(Event::Moved { leg: id, ip });
        }
    }

    fn proves(&mut self, now: Time, operator: Option<&OperatorId>, request: &Request<'_>) -> bool {
        matches!(self.prove(now, request), Verdict::Proven(who) if Some(&who) == operator)
    }

    /// A phone that is reached over its flow has registered again from elsewhere: its talks go on there.
    pub(super) fn follow_phone(&mut self, operator: &OperatorId, before: &[Binding]) {
        for old in before
            .iter()
            .filter(|b| !b.direct && b.reach.transport == Transport::Udp)
        {
            if self.registrar.of(operator).any(|b| b.reach == old.reach) {
                continue;
            }
            let new = self
                .registrar
                .of(operator)
                .find(|b| !b.direct && b.is_same_phone(old));
            let Some(to) = new.map(|b| b.reach).filter(|to| to.transport == Transport::Udp) else {
                continue;
            };
            let on_flow = self
                .leg_flows
                .range((old.reach, LegId(0))..=(old.reach, LegId(u64::MAX)));
            let ids: Vec<LegId> = on_flow.map(|(_, id)| *id).collect();
            for id in ids {
                self.with_leg(id, |endpoint, leg| {
                    if leg.operator.as_ref() == Some(operator) && leg.dialog.way == Way::Flow {
                        endpoint.move_to(id, leg, to);
                    }
                });
            }
        }
    }

    /// A connection has closed: the operators whose phones were at its other end. A phone that takes connections itself, and
    /// did not ask for this one to be kept, is asked where its Contact says.
    pub(super) fn unbind_flow(&mut self, now: Time, flow: Flow) -> Vec<OperatorId> {
        let identity = &self.identity;
        let operators = self.registrar.close_flow(flow, |binding| {
            let there = flow_to(identity, &binding.contact, Transport::Tcp)?;
            let same = there.remote.ip().to_canonical() == flow.remote.ip().to_canonical();
            let asked = binding.instance.is_some() || !binding.path.is_empty();
            let dialled = flow.transport == Transport::Tcp && same && there != flow && !asked;
            let uri = Uri::parse(&binding.contact)?;
            let plain = uri.scheme == Scheme::Sip && uri.param("ob").is_none();
            (dialled && plain).then_some(there)
        });
        for (operator, moved) in &operators {
            self.tell_binding(operator.clone());
            if *moved {
                self.ask_again(now, operator);
            }
        }
        operators.into_iter().map(|(operator, _)| operator).collect()
    }
}

fn flow_to(identity: &LocalIdentity, hop: &[u8], transport: Transport) -> Option<Flow> {
    let uri = uri_of(hop)?;
    let Host::Ip(ip) = uri.host else { return None };
    if ip.is_unspecified() || ip.is_multicast() || uri.port == Some(0) {
        return None;
    }
    let remote = SocketAddr::new(ip, uri.port.unwrap_or(5060));
    Some(Flow {
        transport,
        local: identity.socket(transport, remote)?,
        remote,
    })
}

/// A URI with its parameters, which without brackets would be those of a header field.
fn uri_of(hop: &[u8]) -> Option<Uri<'_>> {
    Uri::parse(hop).or_else(|| NameAddr::parse(hop).map(|address| address.uri))
}

/// Whether the sender of a request is behind a NAT, so that the address it names is not where it is reached.
fn is_behind_nat(via: &Via<'_>, source: SocketAddr, named: SocketAddr) -> bool {
    let (seen, ip) = (source.ip().to_canonical(), named.ip().to_canonical());
    let asks = via.params.find("rport").is_some();
    let sent_by = match via.host {
        Host::Ip(sent_by) => Some(sent_by.to_canonical()),
        Host::Name(_) => None,
    };
    if ip == seen {
        // Only the port differs: a NAT may have changed it, unless the sender knows the port it sends from.
        let knows = sent_by == Some(seen) && via.port.unwrap_or(5060) == source.port();
        return asks && !knows && named.port() != source.port();
    }
    // It names its own address, which is not the one we see.
    if sent_by == Some(ip) {
        return true;
    }
    let unsure = asks || sent_by != Some(seen);
    is_out_of_sight(ip, seen) || unsure && is_private(ip) && !is_private(seen)
}

/// From where an address is reached: this machine, this link, this network, everywhere.
fn scope(ip: IpAddr) -> u8 {
    match ip.to_canonical() {
        IpAddr::V4(ip) if ip.is_loopback() => 0,
        IpAddr::V4(ip) if ip.is_link_local() => 1,
        // RFC 1918, and the shared addresses of RFC 6598.
        IpAddr::V4(ip) if ip.is_private() || matches!(ip.octets(), [100, 64..=127, ..]) => 2,
        IpAddr::V6(ip) if ip.is_loopback() => 0,
        IpAddr::V6(ip) if ip.is_unicast_link_local() => 1,
        IpAddr::V6(ip) if ip.is_unique_local() => 2,
        _ => 3,
    }
}

fn is_private(ip: IpAddr) -> bool {
    scope(ip) == 2
}

/// Whether an address means something only nearer to the peer than we are: a private one that a public one names.
fn is_out_of_sight(named: IpAddr, seen: IpAddr) -> bool {
    scope(named) < scope(seen)
}
