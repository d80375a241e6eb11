//! Bindings as a text, so that a restart forgets no phone. One line each:
//!
//! `operator flow expires since q cseq call-id contact instance reg-id reach path …`
//!
//! A flow is `transport local remote`; `reach` is a flow, or `-` where it is the first one. Times are µs since the Unix
//! epoch; octets outside printable ASCII are `%`-escaped; `-` stands for an absent value.

use std::net::SocketAddr;
use std::ops::Bound;

use bytes::Bytes;
use pronto_types::{OperatorId, Time};

use super::{Binding, Registrar};
use crate::message::{hex, push_display};
use crate::settings::{Flow, Transport};

/// The first line: another form has another number.
const FORM: &str = "pronto bindings 2";
/// The form before, without `reach`.
const OLD_FORM: &str = "pronto bindings 1";

impl Registrar {
    /// Writes all bindings as a text.
    pub(crate) fn save(&self) -> String {
        self.save_some(None, usize::MAX).0
    }

    /// The bindings of the operators that follow `after`, about `most` of them; the first line comes before the first.
    /// Returns the last operator saved, if there are more.
    pub(crate) fn save_some(&self, after: Option<&OperatorId>, most: usize) -> (String, Option<OperatorId>) {
        let mut text = match after {
            None => format!("{FORM}\n"),
            Some(_) => String::new(),
        };
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut lines = 0;
        let mut following = self.bindings.range::<OperatorId, _>((from, Bound::Unbounded));
        for (operator, bindings) in following.by_ref() {
            for binding in bindings {
                text += &line(operator, binding);
            }
            lines += bindings.len();
            if lines >= most {
                let more = following.next().map(|_| operator.clone());
                return (text, more);
            }
        }
        (text, None)
    }

    /// Takes up what was saved, as far as it `lives`; whose bindings there are now.
    pub(crate) fn restore(
        &mut self,
        now: Time,
        saved: &str,
        lives: impl Fn(&OperatorId, &Binding) -> bool,
    ) -> Vec<OperatorId> {
        let mut touched = Vec::new();
        let mut lines = saved.lines();
        let has_reach = match lines.next() {
            Some(FORM) => true,
            Some(OLD_FORM) => false,
            _ => return touched,
        };
        for (operator, binding) in lines.filter_map(|line| read(line, has_reach)) {
            // A lease longer than we give is not one of ours: the clock was elsewhere.
            let due = now < binding.expires && binding.expires.since(now) <= self.expires.max;
            let mut bindings: Vec<Binding> = self.of(&operator).cloned().collect();
            let room = bindings.len() < self.limit && bindings.iter().all(|b| b.contact != binding.contact);
            if due && room && lives(&operator, &binding) {
                bindings.push(binding);
                self.replace(&operator, bindings);
                if !touched.contains(&operator) {
                    touched.push(operator);
                }
            }
        }
        touched
    }
}

fn line(operator: &OperatorId, binding: &Binding) -> String {
    let (instance, flow) = match &binding.instance {
        Some((id, flow)) => (escape(id), *flow),
        None => ("-".to_owned(), 0),
    };
    let reach = if binding.direct {
        write_flow(binding.reach)
    } else {
        "-".to_owned()
    };
    let mut line = format!(
        "{} {} {} {} {} {} {} {} {instance} {flow} {reach}",
        escape(operator.as_str().as_bytes()),
        write_flow(binding.flow),
        binding.expires.as_micros(),
        binding.since.as_micros(),
        binding.q,
        binding.cseq,
        escape(&binding.call_id),
        escape(&binding.contact),
    );
    for hop in &binding.path {
        line.push(' ');
        line += &escape(hop);
    }
    line + "\n"
}

fn write_flow(flow: Flow) -> String {
    format!("{} {} {}", flow.transport.as_str(), flow.local, flow.remote)
}

/// A flow whose first word, the transport, has been read.
fn read_flow<'a>(transport: &str, words: &mut impl Iterator<Item = &'a str>) -> Option<Flow> {
    let mut address = || words.next()?.parse::<SocketAddr>().ok();
    Some(Flow {
        transport: Transport::ALL.into_iter().find(|t| t.as_str() == transport)?,
        local: address()?,
        remote: address()?,
    })
}

fn read(line: &str, has_reach: bool) -> Option<(OperatorId, Binding)> {
    let mut words = line.split(' ');
    let operator = OperatorId::new(std::str::from_utf8(&unescape(words.next()?)?).ok()?).ok()?;
    let flow = read_flow(words.next()?, &mut words)?;
    let mut time = || words.next()?.parse().ok().map(Time::from_micros);
    let (expires, since) = (time()?, time()?);
    let q = words.next()?.parse().ok().filter(|q| *q <= 1000)?;
    let cseq = words.next()?.parse().ok()?;
    let call_id = unescape(words.next()?)?;
    let contact = unescape(words.next()?)?;
    let instance = match (words.next()?, words.next()?.parse().ok()?) {
        ("-", _) => None,
        (id, flow) => Some((unescape(id)?, flow)),
    };
    let at = match has_reach.then(|| words.next()) {
        None | Some(Some("-")) => None,
        Some(transport) => Some(read_flow(transport?, &mut words)?),
    };
    let path = words.map(unescape).collect::<Option<Vec<Bytes>>>()?;
    let binding = Binding {
        contact,
        flow,
        reach: at.unwrap_or(flow),
        direct: at.is_some(),
        expires,
        since,
        reachable: true,
        q,
        path,
        instance,
        call_id,
        cseq,
    };
    Some((operator, binding))
}

fn escape(text: &[u8]) -> String {
    let mut escaped = Vec::with_capacity(text.len());
    for byte in text {
        if byte.is_ascii_graphic() && *byte != b'%' && (*byte != b'-' || text.len() > 1) {
            escaped.push(*byte);
        } else {
            push_display(&mut escaped, format_args!("%{byte:02x}"));
        }
    }
    String::from_utf8(escaped).unwrap_or_default()
}

fn unescape(word: &str) -> Option<Bytes> {
    let mut plain = Vec::with_capacity(word.len());
    let mut rest = word.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = match (first, tail) {
            (b'%', [high, low, after @ ..]) => {
                plain.push(hex(*high)? << 4 | hex(*low)?);
                after
            }
            (b'%', _) => return None,
            (plain_byte, tail) => {
                plain.push(*plain_byte);
                tail
            }
        };
    }
    Some(Bytes::from(plain))
}
