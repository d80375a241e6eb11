//! SIP messages as text: enough to be a phone, nothing of the product's.

use std::net::SocketAddr;

use super::g711::Law;

/// The payload type that our SDP offers for RFC 4733.
pub(crate) const TELEPHONE_EVENT: u8 = 101;

#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) start: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Message {
    pub(crate) fn parse(bytes: &[u8]) -> Option<Message> {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let start = lines.next()?.to_owned();
        let headers = lines
            .map(|line| {
                line.split_once(':')
                    .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
            })
            .collect::<Option<Vec<_>>>()?;
        Some(Message {
            start,
            headers,
            body: body.to_owned(),
        })
    }

    /// The first value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|header| header.0.eq_ignore_ascii_case(name))
            .map(|header| header.1.as_str())
    }

    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |header| header.0.eq_ignore_ascii_case(name))
            .map(|header| header.1.as_str())
    }

    /// The status of a response.
    pub(crate) fn status(&self) -> Option<u16> {
        self.start.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
    }

    /// The method of a request.
    pub(crate) fn method(&self) -> Option<&str> {
        (!self.start.starts_with("SIP/2.0 ")).then(|| self.start.split(' ').next())?
    }

    pub(crate) fn call_id(&self) -> &str {
        self.header("Call-ID").unwrap_or_default()
    }

    /// Number and method of CSeq.
    pub(crate) fn cseq(&self) -> (u32, &str) {
        let (number, method) = self
            .header("CSeq")
            .and_then(|cseq| cseq.split_once(' '))
            .unwrap_or_default();
        (number.parse().unwrap_or_default(), method.trim())
    }

    pub(crate) fn branch(&self) -> &str {
        self.header("Via")
            .and_then(|via| parameter(via, "branch"))
            .unwrap_or_default()
    }

    /// Where the SDP of the body wants its audio, and in which law.
    pub(crate) fn media(&self) -> Option<(SocketAddr, Law)> {
        let line = |prefix: &str| self.body.lines().find_map(|line| line.strip_prefix(prefix));
        let ip = line("c=IN IP4 ")?.trim().parse().ok()?;
        let mut audio = line("m=audio ")?.split_whitespace();
        let port = audio.next()?.parse().ok()?;
        let first: u8 = audio.nth(1)?.parse().ok()?;
        let law = [Law::Mu, Law::A]
            .into_iter()
            .find(|law| law.payload_type() == first)?;
        Some((SocketAddr::new(ip, port), law))
    }
}

/// A parameter of a Via, From, To or Contact value.
pub(crate) fn parameter<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    let parameters = value.rsplit_once('>').map_or(value, |(_, after)| after);
    parameters.split(';').skip(1).find_map(|parameter| {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// The URI of a Contact, From or To value.
pub(crate) fn uri(value: &str) -> &str {
    value
        .split_once('<')
        .and_then(|(_, after)| after.split_once('>'))
        .map_or(value, |(uri, _)| uri)
}

/// An offer or answer: these laws in this order, telephone-event, 20 ms.
pub(crate) fn sdp(local: SocketAddr, laws: &[Law]) -> String {
    let types: Vec<String> = laws.iter().map(|law| law.payload_type().to_string()).collect();
    let maps: String = laws
        .iter()
        .map(|law| format!("a=rtpmap:{}\r\n", law.rtpmap()))
        .collect();
    format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP {types} {event}\r\n\
         {maps}a=rtpmap:{event} telephone-event/8000\r\na=fmtp:{event} 0-15\r\na=ptime:20\r\na=sendrecv\r\n",
        ip = local.ip(),
        port = local.port(),
        types = types.join(" "),
        event = TELEPHONE_EVENT,
    )
}
