//! baresip (Debian's 1.0.0), a softphone people use: plays a tone of its own, keeps what it hears in a WAV file, and is
//! steered over its control socket (JSON in netstrings).
//!
//! It sends RTP from the wildcard address, which on the loopback is 127.0.0.1 whatever its SDP says: so it lives there.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::ears::{sine, tone};
use super::ground::free_port;
use super::process::Process;
use super::wav::Wav;

const MODULES: &str = "/usr/lib/baresip/modules";

pub(crate) struct Baresip {
    process: Process,
    control: TcpStream,
    unread: Vec<u8>,
    directory: PathBuf,
    sip: SocketAddr,
}

/// The settings of a phone's account.
pub(crate) struct Account<'a> {
    /// Over TLS, else over UDP. Debian's 1.0.0 takes any certificate.
    pub(crate) tls: bool,
    pub(crate) user: &'a str,
    pub(crate) password: &'a str,
    /// Where it registers; `None`: it does not.
    pub(crate) registrar: Option<SocketAddr>,
    /// Answers by itself.
    pub(crate) answers: bool,
    /// The tone it plays, in Hz.
    pub(crate) tone: f64,
    /// The codecs in order of preference: `pcmu`, `pcma`.
    pub(crate) codecs: &'a str,
}

impl Baresip {
    /// Starts in `directory`, ready for commands; registered only after [`Baresip::registered`] says so.
    pub(crate) fn start(account: &Account<'_>, directory: &Path) -> Baresip {
        let mut phone = Baresip::ready(account.user, account.tone, directory);
        // Only now, with somebody listening: a phone that registers at its start may have answered its first call
        // before its control socket had anyone to tell.
        phone.command("uanew", &address(account, phone.sip));
        let done = phone.message(Duration::from_secs(5), |text| text.contains("\"response\":true"));
        assert!(
            done.is_some_and(|text| text.contains("\"ok\":true")),
            "baresip does not take its account"
        );
        phone
    }

    /// Starts in `directory` without an account, as after its installation.
    pub(crate) fn unconfigured(directory: &Path) -> Baresip {
        Baresip::ready("without an account", 900.0, directory)
    }

    /// The same with the addresses it chooses for itself: not those of the loopback, where there is a network card.
    pub(crate) fn as_installed(directory: &Path) -> Baresip {
        Baresip::start_in(directory, "as installed", 900.0, false)
    }

    fn ready(name: &str, tone_hz: f64, directory: &Path) -> Baresip {
        Baresip::start_in(directory, name, tone_hz, true)
    }

    /// `pinned`: lives on 127.0.0.1 alone.
    fn start_in(directory: &Path, name: &str, tone_hz: f64, pinned: bool) -> Baresip {
        let host = Ipv4Addr::LOCALHOST;
        let sip = SocketAddr::from((host, free_port(host.into())));
        let control = free_tcp_port();
        let tone = directory.join("tone.wav");
        // Long enough for any test: at its end the phone would fall silent.
        Wav {
            rate: 8_000,
            samples: sine(tone_hz, 8_000 * 120),
        }
        .write(&tone)
        .expect("the test's directory is writable");
        let mut settings = config(control, &tone, directory);
        if pinned {
            settings += &format!("sip_listen {sip}\nnet_interface {host}\n");
        }
        fs::write(directory.join("config"), settings).expect("the test's directory is writable");
        fs::write(directory.join("accounts"), "").expect("the test's directory is writable");
        fs::write(directory.join("contacts"), "").expect("the test's directory is writable");
        let mut command = Command::new("baresip");
        command.arg("-f").arg(directory);
        let process = Process::start(&format!("baresip {name}"), &mut command);
        let ready = process.wait_for_line(Duration::from_secs(10), |line| line.contains("baresip is ready"));
        assert!(ready.is_some(), "baresip is not ready:\n{}", process.log());
        let control = TcpStream::connect(control).expect("baresip listens for commands once it is ready");
        Baresip {
            process,
            control,
            unread: Vec::new(),
            directory: directory.to_owned(),
            sip,
        }
    }

    pub(crate) fn sip(&self) -> SocketAddr {
        self.sip
    }

    pub(crate) fn registered(&self, timeout: Duration) -> bool {
        // "101@127.0.0.1: {0/UDP/v4} 200 OK () [1 binding]"
        let line = |line: &str| line.contains(" 200 OK ") && line.contains("binding]");
        self.process.wait_for_line(timeout, line).is_some()
    }

    pub(crate) fn command(&mut self, command: &str, parameters: &str) {
        let json = format!("{{\"command\":\"{command}\",\"params\":\"{parameters}\"}}");
        let frame = format!("{}:{json},", json.len());
        self.control
            .write_all(frame.as_bytes())
            .expect("baresip reads its commands");
    }

    /// Waits for an event, CALL_INCOMING, CALL_ESTABLISHED, CALL_CLOSED …; its JSON text.
    pub(crate) fn event(&mut self, kind: &str, timeout: Duration) -> Option<String> {
        let kind = format!("\"type\":\"{kind}\"");
        self.message(timeout, |text| text.contains(&kind))
    }

    fn message(&mut self, timeout: Duration, wanted: impl Fn(&str) -> bool) -> Option<String> {
        let deadline = Instant::now() + timeout;
        loop {
            while let Some(text) = netstring(&mut self.unread) {
                if wanted(&text) {
                    return Some(text);
                }
            }
            let left = deadline
                .checked_duration_since(Instant::now())
                .filter(|left| !left.is_zero())?;
            self.control
                .set_read_timeout(Some(left))
                .expect("a positive timeout is accepted");
            let mut buffer = [0; 4_096];
            match self.control.read(&mut buffer) {
                Ok(0) => return None,
                Ok(length) => self.unread.extend_from_slice(&buffer[..length]),
                Err(_) => {}
            }
        }
    }

    /// Everything it has heard in its calls so far, in order, 8 kHz.
    pub(crate) fn heard(&self) -> Vec<i16> {
        let mut files: Vec<PathBuf> = fs::read_dir(&self.directory)
            .expect("the test's directory is there")
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| path.to_string_lossy().ends_with("-dec.wav"))
            .collect();
        files.sort();
        files
            .iter()
            .filter_map(|file| Wav::read(file).ok())
            .flat_map(|wav| wav.samples)
            .collect()
    }

    /// Waits until it hears this tone for half a second.
    pub(crate) fn hears(&self, hz: f64, timeout: Duration) -> bool {
        const HALF_A_SECOND: usize = 4_000;
        let deadline = Instant::now() + timeout;
        loop {
            let heard = self.heard();
            if heard
                .chunks_exact(HALF_A_SECOND)
                .any(|piece| tone(piece, hz) > 0.9)
            {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            // Its file grows without a word: look again after a moment.
            let _ = self.process.wait_for_line(Duration::from_millis(50), |_| false);
        }
    }

    pub(crate) fn log(&self) -> String {
        self.process.log()
    }

    /// Stops it, un-registering as a user who closes the program does.
    pub(crate) fn quit(&mut self) -> bool {
        self.command("quit", "");
        self.process.wait_for_exit(Duration::from_secs(10)).is_some()
    }
}

fn config(control: SocketAddr, tone: &Path, directory: &Path) -> String {
    let modules = ["g711", "aufile", "aubridge", "sndfile"]
        .map(|module| format!("module {module}.so\n"))
        .concat();
    format!(
        "poll_method epoll\nmodule_path {MODULES}\n{modules}\
         module_tmp uuid.so\nmodule_tmp account.so\nmodule_app menu.so\nmodule_app ctrl_tcp.so\nctrl_tcp_listen {control}\n\
         audio_source aufile,{tone}\naudio_player aubridge,sink\naudio_alert aubridge,alert\nsnd_path {directory}\n\
         ausrc_srate 8000\nauplay_srate 8000\nausrc_channels 1\nauplay_channels 1\nrtp_ports 12000-19998\n\
         jitter_buffer_type fixed\njitter_buffer_delay 1-2\n",
        tone = tone.display(),
        directory = directory.display(),
    )
}

/// The account line of a phone, as other users write it into baresip's file of accounts.
fn address(account: &Account<'_>, sip: SocketAddr) -> String {
    let Account {
        user,
        password,
        codecs,
        ..
    } = account;
    let mode = if account.answers { "auto" } else { "manual" };
    let host = account.registrar.unwrap_or(sip);
    let transport = if account.tls { "tls" } else { "udp" };
    let registration = match account.registrar {
        Some(registrar) => format!("regint=120;outbound=\\\"sip:{registrar};transport={transport}\\\""),
        None => "regint=0".to_owned(),
    };
    format!(
        "<sip:{user}@{host};transport={transport}>;auth_user={user};auth_pass={password};{registration};answermode={mode};audio_codecs={codecs}"
    )
}

fn free_tcp_port() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback can be bound");
    listener.local_addr().expect("a bound socket has an address")
}

/// Takes one `12:hello world!,` off the front.
fn netstring(bytes: &mut Vec<u8>) -> Option<String> {
    let colon = bytes.iter().position(|&byte| byte == b':')?;
    let length: usize = std::str::from_utf8(&bytes[..colon]).ok()?.trim().parse().ok()?;
    let end = colon + 1 + length;
    if bytes.len() <= end {
        return None;
    }
    let text = String::from_utf8_lossy(&bytes[colon + 1..end]).into_owned();
    bytes.drain(..=end);
    Some(text)
}
