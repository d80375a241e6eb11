//! SIPp scenarios in a few lines each. SIPp's XML repeats the same headers in every message; here a step is a line, and
//! what is usual is left out:
//!
//! ```text
//! > INVITE sdp         send a request; below it, further in, header fields of its own
//! < 200                receive the response to it; below it, "~ regex" must match, "! regex" must not
//! > ACK                for a 2xx; "> ACK refused" for anything else
//! = 300                a pause, in milliseconds
//! > BYE
//! < 200
//! ```
//!
//! Words after a method: `sdp`, `sdp=NAME` (see [`body`]), `uri=…`, `cseq=N`, `branch=NAME` (else new for each request, the
//! INVITE's for CANCEL and `ACK refused`), `again` (the same request once more), `tag=none`, `tag=TEXT` (else what the
//! peer's last response said, once there is a dialog), `once` (not retransmitted), `auth` (answers the last challenge),
//! `bare` (none of the headers below Call-ID and CSeq but those given).
//! After a status to send: `sdp`, `tag=X` (another To tag), `INVITE` (the answer to the INVITE, not to what came last).
//! After a status to receive: `INVITE`, `BYE` … (to the last such request, not to the last), `?` (it may fail to come),
//! `auth` (a challenge that a later `auth` answers), `early` (it makes a dialog, though it is no 2xx), `next=LABEL` (go on there).
//! A step `: LABEL` is where.
//! `raw METHOD` sends the lines below it as they are, but for a `\\` that continues the line before it, `|` that stands for a blank
//! line, and what [`Writer::raw`] replaces.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::phone::DOMAIN;

/// The scenario `script` as SIPp's XML. `user` is who speaks. `settle`: how long an ACK is given to arrive, milliseconds,
/// before the next offer.
pub(crate) fn xml(name: &str, user: &str, script: &str, settle: u32) -> String {
    let mut writer = Writer {
        user,
        out: format!("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<scenario name=\"{name}\">\n"),
        ..Writer::default()
    };
    let steps = steps(script);
    writer.called = steps.first().is_some_and(|step| step.sign == '<');
    for (at, step) in steps.iter().enumerate() {
        // What SIPp repeats it waits for: it would never come to send the next.
        let next = steps.get(at + 1).filter(|next| next.sign == '>');
        writer.hurried = next.is_some();
        match (step.sign, step.verb.parse::<u16>().is_ok()) {
            ('>', false) => writer.request(step),
            ('>', true) => writer.respond(step),
            ('<', true) => writer.response(step),
            ('<', false) => writer.requested(step),
            (':', _) => {
                let _ = writeln!(writer.out, "<label id=\"{}\"/>", step.verb);
            }
            ('=', _) => {
                let _ = writeln!(writer.out, "<pause milliseconds=\"{}\"/>", step.verb);
            }
            _ => panic!("scenario {name}: a step begins with >, <, = or :, not as {step:?}"),
        }
        let offers = next.is_some_and(|next| ["INVITE", "UPDATE"].contains(&next.verb));
        if settle > 0 && step.verb == "ACK" && offers {
            let _ = writeln!(writer.out, "<pause milliseconds=\"{settle}\"/>");
        }
    }
    writer.finish()
}

/// The bodies a script may name: an offer of A-law and µ-law, unless it says otherwise.
fn body(name: &str) -> String {
    let audio = |types: &str, address: &str, more: &str| {
        let map = |kind: &str, map: &str| {
            if types.split(' ').any(|listed| listed == kind) {
                format!("a=rtpmap:{kind} {map}/8000\n")
            } else {
                String::new()
            }
        };
        format!(
            "v=0\no=sipp 1 1 IN IP[local_ip_type] [local_ip]\ns=-\nc=IN IP[media_ip_type] {address}\nt=0 0\n\
             m=audio [media_port] RTP/AVP {types}\n{}{}{}{}{more}",
            map("8", "PCMA"),
            map("0", "PCMU"),
            map("18", "G729"),
            map("101", "telephone-event"),
        )
    };
    match name {
        "sdp" => audio("8 0 101", "[media_ip]", "a=sendrecv\n"),
        "answer" => audio("8 101", "[media_ip]", "a=sendrecv\n"),
        "held" => audio("8 0 101", "[media_ip]", "a=sendonly\n"),
        "inactive" => audio("8 0 101", "[media_ip]", "a=inactive\n"),
        "nowhere" => audio("8 0 101", "0.0.0.0", ""),
        "alien" => audio("18", "[media_ip]", ""),
        "text" => "hello\n".to_owned(),
        other => match other.strip_prefix("digit=") {
            Some(key) => format!("Signal={key}\nDuration=160\n"),
            None => panic!("no body is named {other:?}"),
        },
    }
}

#[derive(Debug)]
struct Step<'a> {
    sign: char,
    verb: &'a str,
    words: Vec<&'a str>,
    below: Vec<&'a str>,
}

impl<'a> Step<'a> {
    fn has(&self, word: &str) -> bool {
        self.words.contains(&word)
    }

    fn value(&self, key: &str) -> Option<&'a str> {
        self.words
            .iter()
            .find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
    }

    /// The name of the body.
    fn body(&self) -> Option<&'a str> {
        self.value("sdp").or_else(|| self.has("sdp").then_some("sdp"))
    }
}

fn steps(script: &str) -> Vec<Step<'_>> {
    let mut steps: Vec<Step<'_>> = Vec::new();
    for line in script.lines().filter(|line| !line.trim().is_empty()) {
        let text = line.trim_start();
        match (text.chars().next(), steps.last_mut()) {
            (Some(sign @ ('>' | '<' | '=' | ':')), _) => {
                let mut words = text[1..].split_whitespace();
                steps.push(Step {
                    sign,
                    verb: words.next().unwrap_or_default(),
                    words: words.collect(),
                    below: Vec::new(),
                });
            }
            (_, Some(step)) => step.below.push(text),
            _ => panic!("{line:?} belongs below a step"),
        }
    }
    steps
}

/// The identifying fields of a request that was sent.
#[derive(Clone, Default)]
struct Sent {
    branch: String,
    cseq: u32,
    uri: String,
    /// SIPp's name for its transaction.
    txn: String,
    /// It went into a dialog.
    within: bool,
}

#[derive(Default)]
struct Writer<'a> {
    user: &'a str,
    out: String,
    /// We are called: their INVITE makes the dialog.
    called: bool,
    /// A 2xx to an INVITE came, or went.
    dialog: bool,
    cseq: u32,
    sent: BTreeMap<&'a str, Sent>,
    last: &'a str,
    /// The method of the peer's last request.
    asked: &'a str,
    requests: u32,
    checks: u32,
    /// Transactions whose response is expected somewhere; SIPp takes no others.
    opened: Vec<(String, bool)>,
    text: String,
    /// The next step sends too.
    hurried: bool,
}

impl<'a> Writer<'a> {
    fn request(&mut self, step: &Step<'a>) {
        self.requests += 1;
        let method = step.verb;
        if method == "raw" {
            return self.raw(step);
        }
        let sent = self.plan(step);
        let txn = match method {
            "ACK" if sent.txn.is_empty() => String::new(),
            "ACK" => format!(" ack_txn=\"{}\"", sent.txn),
            _ => format!(" start_txn=\"{}\"", sent.txn),
        };
        if method != "ACK" && !step.has("again") {
            self.opened.push((sent.txn.clone(), method == "INVITE"));
        }
        let retrans = if method == "ACK" || step.has("once") || self.hurried {
            ""
        } else {
            " retrans=\"500\""
        };
        self.text = format!("{method} {} SIP/2.0\n", sent.uri);
        self.head(step, method, &sent);
        for line in &step.below {
            self.text += &format!("{line}\n");
        }
        if step.has("auth") {
            self.text += "[authentication]\n";
        }
        self.body(step, "application/sdp");
        if method != "ACK" {
            self.last = method;
            self.sent.insert(method, sent);
        }
        self.send(&format!("{retrans}{txn}"));
    }

    /// Branch, number and URI.
    fn plan(&mut self, step: &Step<'a>) -> Sent {
        let method = step.verb;
        let invite = self.sent.get("INVITE").cloned().unwrap_or_default();
        if step.has("again") {
            return self.sent[method].clone();
        }
        let of_invite = method == "CANCEL" || (method == "ACK" && step.has("refused"));
        let number = match (step.value("cseq"), method) {
            (Some(number), _) => number.parse().expect("cseq is a number"),
            (None, "ACK" | "CANCEL") if invite.cseq > 0 => invite.cseq,
            _ => self.cseq + 1,
        };
        self.cseq = self.cseq.max(number);
        let uri = step.value("uri").map(str::to_owned);
        let name = step
            .value("branch")
            .map_or_else(|| format!("s{}", self.requests), str::to_owned);
        Sent {
            branch: if of_invite && step.value("branch").is_none() {
                invite.branch
            } else {
                format!("z9hG4bK-[pid]-[call_number]-{name}")
            },
            cseq: number,
            uri: uri.unwrap_or_else(|| {
                if of_invite && !invite.uri.is_empty() {
                    invite.uri
                } else if method == "REGISTER" {
                    format!("sip:{DOMAIN}")
                } else if self.dialog {
                    "[next_url]".to_owned()
                } else {
                    "sip:[service]@[remote_ip]:[remote_port]".to_owned()
                }
            }),
            txn: if method == "ACK" {
                invite.txn
            } else {
                format!("t{}", self.requests)
            },
            within: if method == "CANCEL" {
                invite.within
            } else {
                self.dialog
            },
        }
    }

    fn head(&mut self, step: &Step<'a>, method: &str, sent: &Sent) {
        let user = self.user;
        let tag = match step.value("tag") {
            Some("none") => String::new(),
            Some(tag) => format!(";tag={tag}"),
            // "To … in the CANCEL request MUST be identical to those in the request being cancelled, including tags" (§9.1).
            None if method == "CANCEL" && !sent.within => String::new(),
            None if self.dialog || method == "ACK" => "[peer_tag_param]".to_owned(),
            None => String::new(),
        };
        let (from, to) = if self.called {
            ("[$to];tag=[pid]o[call_number]".to_owned(), "[$from]".to_owned())
        } else {
            (
                format!(" \"Matrix\" <sip:{user}@[local_ip]:[local_port]>;tag=[pid]s[call_number]"),
                format!(" <sip:[service]@[remote_ip]:[remote_port]>{tag}"),
            )
        };
        let (from, to) = if method == "REGISTER" {
            let address = format!(" <sip:{user}@{DOMAIN}>");
            (format!("{address};tag=[pid]r"), address)
        } else {
            (from, to)
        };
        let overridden = |name: &str| step.below.iter().any(|line| line.starts_with(name));
        let mut field = |name: &str, value: &str| {
            if !overridden(&format!("{name}:")) {
                self.text += &format!("{name}:{value}\n");
            }
        };
        field(
            "Via",
            &format!(
                " SIP/2.0/[transport] [local_ip]:[local_port];branch={};rport",
                sent.branch
            ),
        );
        field("From", &from);
        field("To", &to);
        field("Call-ID", " [call_id]");
        field("CSeq", &format!(" {} {method}", sent.cseq));
        if !step.has("bare") {
            field("Max-Forwards", " 70");
        }
        if ["INVITE", "UPDATE", "SUBSCRIBE"].contains(&method) && !step.has("bare") {
            field(
                "Contact",
                &format!(" <sip:{user}@[local_ip]:[contact_port];transport=[transport]>"),
            );
        }
    }

    fn body(&mut self, step: &Step<'a>, kind: &str) {
        let named = step.below.iter().any(|line| line.starts_with("Content-Type:"));
        match step.body() {
            Some(name) => {
                if !named {
                    self.text += &format!("Content-Type: {kind}\n");
                }
                self.text += &format!("Content-Length: [len]\n\n{}", body(name));
            }
            None => self.text += "Content-Length: 0\n\n",
        }
    }

    fn raw(&mut self, step: &Step<'a>) {
        let many: String = (0..300).map(|number| format!("X-Number: {number}\n")).collect();
        let lines = step.below.iter().map(|line| match *line {
            "|" => "\n".to_owned(),
            "{many}" => many.clone(),
            // SIPp cuts blanks off where a line begins.
            line => match line.strip_prefix('\\') {
                Some(folded) => format!("[fold]{}\n", folded.trim_start()),
                None => format!("{line}\n"),
            },
        });
        let text: String = lines.collect();
        let (long, branch) = ("a".repeat(2_100), "z9hG4bK-[pid]-[call_number]-raw");
        self.text = text
            .replace("{long}", &long)
            .replace("{user}", self.user)
            .replace("{branch}", branch);
        if !step.below.contains(&"|") {
            self.text += "\n";
        }
        self.cseq = self.cseq.max(1);
        self.last = step.words.first().expect("raw names a method");
        let sent = Sent {
            branch: branch.to_owned(),
            cseq: 1,
            uri: "sip:[service]@[remote_ip]:[remote_port]".to_owned(),
            txn: String::new(),
            within: false,
        };
        self.sent.insert(self.last, sent);
        let repeated = if step.has("once") || self.hurried {
            ""
        } else {
            " retrans=\"500\""
        };
        self.send(repeated);
    }

    fn send(&mut self, attributes: &str) {
        let _ = writeln!(
            self.out,
            "<send{attributes}>\n<![CDATA[\n{}]]>\n</send>",
            self.text
        );
    }

    /// A response of ours.
    fn respond(&mut self, step: &Step<'a>) {
        let to_invite = step.has("INVITE");
        let tag = match step.value("tag") {
            Some(tag) => format!(";tag=[pid]o[call_number]{tag}"),
            None if self.called && !self.dialog => ";tag=[pid]o[call_number]".to_owned(),
            None => String::new(),
        };
        let saved = if to_invite {
            "Via:[$via]\n[last_From:]\nTo:[$to]{tag}\n[last_Call-ID:]\nCSeq:[$cseq]\n"
        } else {
            "[last_Via:]\n[last_From:]\n[last_To:]{tag}\n[last_Call-ID:]\n[last_CSeq:]\n"
        };
        self.text = format!("SIP/2.0 {} Matrix\n{}", step.verb, saved.replace("{tag}", &tag));
        for line in &step.below {
            self.text += &format!("{line}\n");
        }
        if !step.below.iter().any(|line| line.starts_with("Contact:")) {
            self.text += &format!(
                "Contact: <sip:{}@[local_ip]:[contact_port];transport=[transport]>\n",
                self.user
            );
        }
        self.body(step, "application/sdp");
        // It is repeated until the ACK.
        let is_final = (to_invite || self.asked == "INVITE") && !step.verb.starts_with('1');
        let retrans = if is_final { " retrans=\"500\"" } else { "" };
        self.send(retrans);
    }

    /// A response to us.
    fn response(&mut self, step: &Step<'a>) {
        let of = step.words.iter().find(|word| self.sent.contains_key(**word));
        let method = of.copied().unwrap_or(self.last);
        let txn = self.sent.get(method).map(|sent| sent.txn.clone());
        let invite = method == "INVITE";
        let txn = txn.filter(|txn| !txn.is_empty());
        let txn = txn.map_or(String::new(), |txn| format!(" response_txn=\"{txn}\""));
        if invite && !step.verb.starts_with('1') {
            for status in ["100", "180", "183"] {
                let _ = writeln!(self.out, "<recv response=\"{status}\" optional=\"true\"{txn}/>");
            }
        }
        // A provisional response waited for may follow another.
        if step.verb > "100" && step.verb.starts_with('1') && !step.has("?") {
            let _ = writeln!(self.out, "<recv response=\"100\" optional=\"true\"{txn}/>");
        }
        let confirms = invite && step.verb.starts_with('2');
        let mut attributes = format!("response=\"{}\"{txn}", step.verb);
        if confirms || step.has("early") {
            attributes += " rrs=\"true\"";
            self.dialog = true;
        }
        if step.has("auth") {
            attributes += " auth=\"true\"";
        }
        if step.has("?") {
            attributes += " optional=\"true\"";
        }
        if let Some(label) = step.value("next") {
            let _ = write!(attributes, " next=\"{label}\"");
        }
        self.receive(&attributes, step, String::new());
    }

    /// A request to us.
    fn requested(&mut self, step: &Step<'a>) {
        let mut keep = String::new();
        self.asked = step.verb;
        if step.verb == "INVITE" {
            for (name, variable) in [
                ("Via:", "via"),
                ("From:", "from"),
                ("To:", "to"),
                ("CSeq:", "cseq"),
            ] {
                let _ = writeln!(
                    keep,
                    "<ereg regexp=\".*\" search_in=\"hdr\" header=\"{name}\" assign_to=\"{variable}\"/>"
                );
            }
        } else if step.verb == "ACK" {
            self.dialog = true;
        }
        self.receive(&format!("request=\"{}\" rrs=\"true\"", step.verb), step, keep);
    }

    fn receive(&mut self, attributes: &str, step: &Step<'a>, mut actions: String) {
        for line in &step.below {
            let (sign, regex) = line.split_at(1);
            let inverse = match sign {
                "~" => "check_it=\"true\"",
                "!" => "check_it_inverse=\"true\"",
                _ => panic!("{line:?}: below what is received stand checks, ~ or !"),
            };
            self.checks += 1;
            let _ = writeln!(
                actions,
                "<ereg regexp=\"{}\" search_in=\"msg\" {inverse} assign_to=\"check{}\"/>",
                escape(regex.trim()),
                self.checks
            );
        }
        let _ = if actions.is_empty() {
            writeln!(self.out, "<recv {attributes}/>")
        } else {
            writeln!(
                self.out,
                "<recv {attributes}>\n<action>\n{actions}</action>\n</recv>"
            )
        };
    }

    /// SIPp insists that a transaction it is told of has its responses, an INVITE its ACK, and a variable its use.
    fn finish(mut self) -> String {
        for (txn, invite) in std::mem::take(&mut self.opened) {
            let [start, response, ack] =
                ["start_txn", "response_txn", "ack_txn"].map(|kind| format!(" {kind}=\"{txn}\""));
            let whole = self.out.contains(&response) && (!invite || self.out.contains(&ack));
            if !whole {
                for attribute in [start, response, ack] {
                    self.out = self.out.replace(&attribute, "");
                }
            }
        }
        let mut variables: Vec<String> = (1..=self.checks).map(|number| format!("check{number}")).collect();
        if self.out.contains("assign_to=\"via\"") {
            variables.extend(["via", "from", "to", "cseq"].map(str::to_owned));
        }
        if !variables.is_empty() {
            let _ = writeln!(self.out, "<Reference variables=\"{}\"/>", variables.join(","));
        }
        self.out + "</scenario>\n"
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
