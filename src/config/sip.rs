//! `[sip]` and `[media]`: the sockets phones and trunks reach.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use ipnet::IpNet;
use pronto_config::{Problem, Problems, Section, Table, Text, Wrong, nearest, quoted};
use pronto_sip::{Algorithm, Budget, Transport, Trunk};
use pronto_types::TrunkName;
use toml::de::DeValue;

use super::keys::{
    ADDRESS, ADDRESSES, ALGORITHMS, ALLOW, DIGESTS, LISTEN, MEDIA, PORTS, SIP, THIS_MACHINE, TRUNK,
};
use super::settings::{Media, Sip};
use super::{dscp, tls};

/// The well-known port of RFC 3261 §19.1.2.
const SIP_PORT: u16 = 5060;
/// The ports where none are written.
const MEDIA_PORTS: (u16, u16) = (20_000, 29_999);

/// Reads `[sip]`, its trunks and what is below it. `open` looks into the files of the certificate.
pub(super) fn read(table: Table<'_>, folder: &Path, open: bool, problems: &mut Problems) -> Sip {
    let mut section = Section::new(&SIP, table, problems);
    let listen = read_listen(&mut section);
    let domain = section.setting("domain", parse_domain);
    let hosts = read_hosts(&mut section);
    let advertise = read_advertised(&mut section);
    let local = read_local(&mut section);
    let dscp = dscp::read(&mut section);
    let drain = section.duration("drain");
    let qualify = section.duration("qualify");
    let digest = read_digest(&mut section).unwrap_or_default();
    let trunks = section.tables("trunk");
    let [tls, websocket] = ["tls", "websocket"].map(|key| section.table(key));
    if !tls.is_written() && listen.iter().any(|(transport, _)| transport.is_secure()) {
        section.missing(
            "tls",
            "a section `[sip.tls]` with `certificate` and `key`, for `tls:` and `wss:`",
        );
    }
    check_advertised(&mut section, &listen, &advertise);
    section.finish();
    Sip {
        tls: tls::read(tls, &listen, folder, open, problems),
        origins: tls::read_websocket(websocket, problems),
        listen,
        domain,
        hosts,
        advertise,
        local,
        dscp,
        drain,
        digest,
        qualify,
        trunks: read_trunks(trunks, problems),
    }
}

fn read_listen(section: &mut Section<'_, '_>) -> Vec<(Transport, SocketAddr)> {
    let texts = section.texts("listen").unwrap_or_default();
    let mut listen = Vec::with_capacity(texts.len());
    for text in &texts {
        let Some(parsed) = section.understand("listen", text, parse_listen) else {
            continue;
        };
        let (transport, address) = parsed;
        if listen.contains(&parsed) && address.port() != 0 {
            let message = format!("[sip] listens on {}:{address} twice", transport.name());
            section
                .problems
                .push(Problem::error(text.span.clone(), message, quoted(text.text)));
        } else {
            listen.push(parsed);
        }
    }
    if texts.is_empty() {
        let message = "[sip] listens nowhere: no phone can reach it";
        section
            .problems
            .push(Problem::error(section.span(), message, "no address in `listen`").expected(LISTEN));
    }
    listen
}

fn parse_listen(text: &str) -> Result<(Transport, SocketAddr), Wrong> {
    if text.parse::<SocketAddr>().is_ok() {
        let wrong = Wrong::because(format!("{} does not say over which transport", quoted(text)));
        return Err(wrong.nearest(format!("udp:{text}")));
    }
    let (scheme, address) = text.split_once(':').ok_or_else(Wrong::default)?;
    let Some(transport) = Transport::ALL.into_iter().find(|one| one.name() == scheme) else {
        let wrong = Wrong::unknown(scheme, Transport::ALL.map(Transport::name));
        return Err(Wrong {
            message: Some(format!("SIP is not spoken over {}", quoted(scheme))),
            ..wrong
        });
    };
    match address.parse() {
        Ok(address) => Ok((transport, address)),
        Err(_) => Err(nearly_an_address(transport, address)),
    }
}

/// The two usual slips: no port, and a name for the machine itself.
fn nearly_an_address(transport: Transport, address: &str) -> Wrong {
    let scheme = transport.name();
    if let Ok(ip) = address
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>()
    {
        let message = format!("`{scheme}:{address}` names no port");
        return Wrong::because(message)
            .nearest(format!("{scheme}:{}", SocketAddr::new(ip, usual_port(transport))));
    }
    match address
        .strip_prefix("localhost:")
        .and_then(|port| port.parse::<u16>().ok())
    {
        Some(port) => Wrong::default().nearest(format!("{scheme}:127.0.0.1:{port}")),
        None => Wrong::default(),
    }
}

/// The well-known port (RFC 3261 §19.1.2); those of WebSockets are 80 and 443 (RFC 7118 §5.2.3), which only root binds.
fn usual_port(transport: Transport) -> u16 {
    match transport {
        Transport::Udp | Transport::Tcp => SIP_PORT,
        Transport::Tls => SIP_PORT + 1,
        Transport::Ws => 8080,
        Transport::Wss => 8443,
    }
}

/// A host name of RFC 1123 §2.1, or an address: it also stands, quoted, in every challenge.
fn parse_domain(text: &str) -> Result<String, Wrong> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-');
    let name = text.len() <= 253 && text.bytes().all(legal) && text.split('.').all(|label| !label.is_empty());
    if name || text.parse::<IpAddr>().is_ok() {
        Ok(text.to_owned())
    } else {
        Err(Wrong::default())
    }
}

fn read_advertise(section: &mut Section<'_, '_>) -> Option<IpAddr> {
    let text = section.text("advertise")?;
    section.understand_as("advertise", &text, ADDRESS, parse_advertise)
}

/// One address, or a list of one of each family.
fn read_advertised(section: &mut Section<'_, '_>) -> Vec<IpAddr> {
    if !section.is_list("advertise") {
        return read_advertise(section).into_iter().collect();
    }
    let texts = section.texts("advertise").unwrap_or_default();
    let mut known: Vec<IpAddr> = Vec::with_capacity(2);
    for text in &texts {
        let address = section.understand_as("advertise", text, ADDRESS, |text| {
            let address = parse_advertise(text)?;
            match known.iter().find(|known| known.is_ipv4() == address.is_ipv4()) {
                Some(other) => {
                    let message = format!("{other} and {address} are of one family: which is it?");
                    Err(Wrong::because(message).expected(ADDRESSES))
                }
                None => Ok(address),
            }
        });
        known.extend(address);
    }
    known
}

/// `hosts`: what else callers dial us at.
fn read_hosts(section: &mut Section<'_, '_>) -> Vec<String> {
    let texts = section.texts("hosts").unwrap_or_default();
    let host = |text| section.understand_as("hosts", text, "a domain name or an IP address", parse_domain);
    texts.iter().filter_map(host).collect()
}

/// `local`: networks that do not see `advertise`.
fn read_local(section: &mut Section<'_, '_>) -> Vec<IpNet> {
    let texts = section.texts("local").unwrap_or_default();
    let mut local: Vec<IpNet> = Vec::with_capacity(texts.len());
    for text in &texts {
        let network = section.understand_as("local", text, "an address or a range", |text| {
            let network = parse_network(text)?;
            match local.iter().find(|known| known.contains(&network)) {
                Some(known) => Err(Wrong::because(format!(
                    "{network} stands in `local` twice: {known} has it"
                ))),
                None => Ok(network),
            }
        });
        local.extend(network);
    }
    local
}

fn parse_advertise(text: &str) -> Result<IpAddr, Wrong> {
    let address: IpAddr = text.parse().map_err(|_| Wrong::default())?;
    if address.is_unspecified() {
        return Err(Wrong::because(format!("nobody can answer to {address}")));
    }
    Ok(address)
}

/// Each family of which all addresses are listened on must have one that peers reach.
fn check_advertised(section: &mut Section<'_, '_>, listen: &[(Transport, SocketAddr)], advertise: &[IpAddr]) {
    let everywhere = listen.iter().map(|(_, address)| address.ip());
    let known = |ip: &IpAddr| advertise.iter().any(|known| known.is_ipv4() == ip.is_ipv4());
    let Some(ip) = everywhere.filter(IpAddr::is_unspecified).find(|ip| !known(ip)) else {
        return;
    };
    match section.place("advertise").filter(|_| !advertise.is_empty()) {
        Some(place) => {
            let none = if ip.is_ipv4() {
                "no IPv4 address"
            } else {
                "no IPv6 address"
            };
            let message = format!("`advertise` in [sip] has {none}");
            let expected = format!("one address of each family, because `listen` is {ip}");
            let problem = Problem::error(place, message, none.to_owned());
            section.problems.push(problem.expected(expected));
        }
        None => needs_advertise(section, ip),
    }
}

/// Behind `0.0.0.0` or `::` nobody can say which of the machine's addresses the peer should answer to.
fn needs_advertise(section: &mut Section<'_, '_>, listen: IpAddr) {
    section.missing(
        "advertise",
        &format!("the address that peers reach, because `listen` is {listen}"),
    );
}

/// `digest`, of `[sip]` or of one operator; `None` when absent.
pub(super) fn read_digest(section: &mut Section<'_, '_>) -> Option<Vec<Algorithm>> {
    let texts = section.texts("digest")?;
    let mut digests = Vec::with_capacity(texts.len());
    for text in &texts {
        let digest = section.understand("digest", text, |text| {
            let known = ALGORITHMS.iter().find(|(name, _)| *name == text);
            let Some((_, digest)) = known.copied() else {
                return Err(Wrong::unknown(text, ALGORITHMS.map(|(name, _)| name)));
            };
            if digests.contains(&digest) {
                return Err(Wrong::because(format!(
                    "{} stands in `digest` twice",
                    quoted(text)
                )));
            }
            Ok(digest)
        });
        digests.extend(digest);
    }
    if texts.is_empty() {
        section.missing("digest", DIGESTS);
    }
    Some(digests)
}

fn read_trunks(tables: Vec<Table<'_>>, problems: &mut Problems) -> Vec<Trunk> {
    let mut trunks: Vec<Trunk> = Vec::with_capacity(tables.len());
    for table in tables {
        let mut section = Section::new(&TRUNK, table, problems);
        let name = section.parsed("name", |text| {
            let name = TrunkName::new(text)
                .map_err(|_| Wrong::default().expected("1 to 64 of a-z A-Z 0-9 . _ -"))?;
            if trunks.iter().any(|other| other.name == name) {
                return Err(Wrong::because(format!(
                    "there are two trunks named {}",
                    quoted(text)
                )));
            }
            Ok(name)
        });
        let (allow, this_machine) = match section.texts("allow") {
            Some(texts) if !texts.is_empty() => read_allow(&mut section, &texts, &trunks),
            _ => {
                section.missing("allow", ALLOW);
                (Vec::new(), false)
            }
        };
        let [calls, per_second] =
            ["calls", "calls_per_second"].map(|key| section.has(key).then(|| section.whole(key)));
        let per_second = per_second.and_then(|rate| u32::try_from(rate).ok());
        let unlimited = Budget::default();
        let budget = Budget {
            calls: calls.unwrap_or(unlimited.calls),
            per_second: per_second.unwrap_or(unlimited.per_second),
        };
        section.finish();
        trunks.extend(name.map(|name| Trunk {
            name,
            allow,
            this_machine,
            budget,
        }));
    }
    trunks
}

/// The ranges, and whether the list says `"this-machine"`.
fn read_allow(section: &mut Section<'_, '_>, texts: &[Text<'_>], others: &[Trunk]) -> (Vec<IpNet>, bool) {
    let mut allow = Vec::with_capacity(texts.len());
    let mut this_machine = false;
    for text in texts {
        let network =
            section.understand_as("allow", text, "an address, a range or \"this-machine\"", |text| {
                let network = (text != THIS_MACHINE).then(|| parse_network(text)).transpose()?;
                let same =
                    |other: &&Trunk| network.map_or(other.this_machine, |it| other.allow.contains(&it));
                match others.iter().find(same) {
                    Some(other) => Err(Wrong::because(format!(
                        "{text} already calls as trunk `{}`",
                        other.name
                    ))
                    .expected("each range in one trunk")),
                    None => Ok(network),
                }
            });
        match network {
            Some(Some(network)) => allow.push(network),
            Some(None) => this_machine = true,
            None => {}
        }
    }
    (allow, this_machine)
}

fn parse_network(text: &str) -> Result<IpNet, Wrong> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(address.into());
    }
    let network: IpNet = text.parse().map_err(|_| Wrong {
        nearest: nearest(text, [THIS_MACHINE]),
        ..Wrong::default()
    })?;
    if network.addr() != network.network() {
        let wrong = Wrong::because(format!("{} has bits beyond its prefix", quoted(text)));
        return Err(wrong.nearest(network.trunc().to_string()));
    }
    Ok(network)
}

/// Reads the section `[media]`.
pub(super) fn read_media(table: Table<'_>, problems: &mut Problems) -> Media {
    let mut section = Section::new(&MEDIA, table, problems);
    let listen = section.setting("listen", |text| match text.parse::<IpAddr>() {
        Ok(address) => Ok(address),
        Err(_) => match text.parse::<SocketAddr>() {
            Ok(address) => {
                Err(Wrong::because("the ports stand in `ports`").nearest(address.ip().to_string()))
            }
            Err(_) => Err(Wrong::default()),
        },
    });
    let advertise = read_advertise(&mut section);
    let ports = read_ports(&mut section);
    let dscp = dscp::read(&mut section);
    let learn = section.flag("learn");
    if listen.is_unspecified() && !section.has("advertise") {
        needs_advertise(&mut section, listen);
    }
    section.finish();
    Media {
        listen,
        advertise,
        ports,
        dscp,
        learn,
    }
}

fn read_ports(section: &mut Section<'_, '_>) -> (u16, u16) {
    let Some(value) = section.value("ports") else {
        return MEDIA_PORTS;
    };
    let DeValue::Array(items) = value.get_ref() else {
        section.wrong_kind("ports", value, PORTS);
        return MEDIA_PORTS;
    };
    let written: Vec<&str> = items
        .iter()
        .map(|item| item.get_ref().as_integer().map_or("…", |n| n.as_str()))
        .collect();
    let numbers: Option<Vec<u16>> = items.iter().map(|item| port(item.get_ref())).collect();
    let wrong = match numbers.as_deref() {
        Some([first, _]) if first % 2 != 0 => format!("the first port, {first}, is odd"),
        Some([first, last]) if first >= last => {
            format!("the first port, {first}, is not below the last, {last}")
        }
        Some([first, _]) if *first < 1024 => format!("the first port, {first}, is below 1024"),
        Some([first, last]) => return (*first, *last),
        Some(_) => format!("`ports` in [media] holds {} numbers", items.len()),
        None => "`ports` in [media] holds something that is not a port".to_owned(),
    };
    section
        .problems
        .push(Problem::error(value.span(), wrong, format!("[{}]", written.join(", "))).expected(PORTS));
    MEDIA_PORTS
}

fn port(value: &DeValue<'_>) -> Option<u16> {
    match value {
        DeValue::Integer(number) => u16::from_str_radix(number.as_str(), number.radix()).ok(),
        _ => None,
    }
}
