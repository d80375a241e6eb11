//! Bindings as a text, so that a restart forgets no phone. One line each:
//!
//! `operator transport local remote expires since q cseq call-id contact instance reg-id path …`
//!
//! Times are µs since the Unix epoch; octets that are no printable ASCII are `%`-escaped; `-` is none.

use std::net::SocketAddr;
use std::ops::Bound;

use bytes::Bytes;
use pronto_types::{OperatorId, Time};

use super::{Binding, Registrar};
use crate::message::{hex, push_display};
use crate::settings::{Flow, Transport};

/// The first line: another form has another number.
const FORM: &str = "pronto bindings 1";

impl Registrar {
    /// All bindings.
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
        lives: impl Fn(&OperatorId, Flow) -> bool,
    ) -> Vec<OperatorId> {
        let mut touched = Vec::new();
        let mut lines = saved.lines();
        if lines.next() != Some(FORM) {
            return touched;
        }
        for (operator, binding) in lines.filter_map(read) {
            // A lease longer than we give is not one of ours: the clock was elsewhere.
            let due = now < binding.expires && binding.expires.since(now) <= self.expires.max;
            let mut bindings: Vec<Binding> = self.of(&operator).cloned().collect();
            let room = bindings.len() < self.limit && bindings.iter().all(|b| b.contact != binding.contact);
            if due && room && lives(&operator, binding.flow) {
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
    let Flow {
        transport,
        local,
        remote,
    } = binding.flow;
    let (instance, flow) = match &binding.instance {
        Some((id, flow)) => (escape(id), *flow),
        None => ("-".to_owned(), 0),
    };
    let mut line = format!(
        "{} {} {local} {remote} {} {} {} {} {} {} {instance} {flow}",
        escape(operator.as_str().as_bytes()),
        transport.as_str(),
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

fn read(line: &str) -> Option<(OperatorId, Binding)> {
    let mut words = line.split(' ');
    let operator = OperatorId::new(std::str::from_utf8(&unescape(words.next()?)?).ok()?).ok()?;
    let word = words.next()?;
    let transport = Transport::ALL.into_iter().find(|t| t.as_str() == word)?;
    let address = |word: &str| word.parse::<SocketAddr>().ok();
    let flow = Flow {
        transport,
        local: address(words.next()?)?,
        remote: address(words.next()?)?,
    };
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
    let path = words.map(unescape).collect::<Option<Vec<Bytes>>>()?;
    let binding = Binding {
        contact,
        flow,
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
