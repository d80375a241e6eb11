//! The resources of the demonstration: a directory, free ports, passwords, a configuration that anybody could have
//! written.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process;

use pronto_demo::script;
use pronto_ivr::BUILTIN_FLOW;
use pronto_types::{OperatorId, Secret};

use crate::config::generated_passwords;
use crate::demo::DemoArgs;
use crate::serve::ServeError;

/// The operators' domain.
pub(super) const DOMAIN: &str = "pronto.local";
/// Below the ports that systems give to clients.
const MEDIA: std::ops::Range<u16> = 10_000..32_000;
/// How often a free port, or a free range, is looked for.
const TRIES: usize = 100;

/// Directory, addresses and passwords. Dropped, the directory goes, unless it is to be kept.
pub(super) struct Ground {
    /// The configuration's file.
    pub(super) config: PathBuf,
    /// SIP, over UDP and TCP.
    pub(super) sip: SocketAddr,
    /// The socket address of gRPC.
    pub(super) grpc: SocketAddr,
    /// The operators' passwords, by number.
    pub(super) passwords: Vec<Secret>,
    directory: PathBuf,
    keep: bool,
}

impl Ground {
    /// Makes the directory and writes the configuration.
    pub(super) fn prepare(arguments: &DemoArgs) -> Result<Self, ServeError> {
        let directory = match &arguments.keep {
            Some(directory) => directory.clone(),
            None => std::env::temp_dir().join(format!("pronto-demo-{}", process::id())),
        };
        make(&directory)?;
        let mut ground = Ground {
            config: directory.join("pronto.toml"),
            sip: free_port(true)?,
            grpc: free_port(false)?,
            passwords: Vec::new(),
            directory,
            keep: arguments.keep.is_some(),
        };
        ground.write(arguments)?;
        Ok(ground)
    }

    /// Where everything stays, if it does.
    pub(super) fn kept(&self) -> Option<&Path> {
        self.keep.then_some(&*self.directory)
    }

    fn write(&mut self, arguments: &DemoArgs) -> Result<(), ServeError> {
        let ids = (0..arguments.operators)
            .map(|number| OperatorId::new(&operator_id(number)))
            .collect::<Result<Vec<_>, _>>()?;
        let passwords = generated_passwords(&self.directory.join("var"), &ids)?;
        self.passwords = passwords.into_values().collect();
        let ports = media_ports(arguments.callers)?;
        let text = self.toml(free_port(false)?, ports)?;
        private(&self.config, &text)?;
        private(&self.directory.join("flow.toml"), BUILTIN_FLOW)?;
        Ok(())
    }

    fn toml(&self, metrics: SocketAddr, (first, last): (u16, u16)) -> Result<String, std::fmt::Error> {
        let Ground { sip, grpc, .. } = self;
        let mut toml = format!(
            "# Written by `pronto demo`. `pronto serve --config` takes it too.\n\n\
             [sip]\nlisten = [\"udp:{sip}\", \"tcp:{sip}\"]\ndomain = \"{DOMAIN}\"\ndrain = \"5s\"\n\n\
             [[sip.trunk]]\nname = \"demo\"\nallow = [\"127.0.0.0/8\", \"this-machine\"]\n\n\
             [media]\nlisten = \"127.0.0.1\"\nports = [{first}, {last}]\n\n\
             [grpc]\nlisten = \"{grpc}\"\n\n[metrics]\nlisten = \"{metrics}\"\n\n[store]\npath = \"var\"\n\n"
        );
        for (number, language) in script::NUMBERS.iter().zip(["it", "en"]) {
            write!(
                toml,
                "[[number]]\ndial = \"{number}\"\nflow = \"flow.toml\"\nlanguage = \"{language}\"\n\n"
            )?;
        }
        for queue in QUEUES {
            write!(
                toml,
                "[[queue]]\nname = \"{queue}\"\nring = \"5s\"\nrona_pause = \"6s\"\nwrap_up = \"1s\"\n\
                 max_wait = \"5m\"\nannounce_every = \"15s\"\ntalk = \"{talk}s\"\n\n",
                talk = script::MEAN_TALK.as_secs(),
            )?;
        }
        for (number, password) in self.passwords.iter().enumerate() {
            let (id, queues) = (operator_id(number), queues_of(number));
            let password = password.reveal();
            write!(
                toml,
                "[[operator]]\nid = \"{id}\"\npassword = \"{password}\"\nqueues = {queues:?}\n\n"
            )?;
        }
        Ok(toml)
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        if !self.keep
            && let Err(error) = fs::remove_dir_all(&self.directory)
        {
            eprintln!(
                "pronto demo: {} cannot be removed: {error}",
                self.directory.display()
            );
        }
    }
}

/// The built-in flow's queues.
const QUEUES: [&str; 2] = ["support", "sales"];

/// Every second operator serves both queues, the others one each in turn.
fn queues_of(number: usize) -> &'static [&'static str] {
    match number % 4 {
        0 | 2 => &QUEUES,
        1 => &QUEUES[..1],
        _ => &QUEUES[1..],
    }
}

/// The id of an operator, from 101 on.
pub(super) fn operator_id(number: usize) -> String {
    (101 + number).to_string()
}

/// A directory that is ours alone.
fn make(directory: &Path) -> Result<(), ServeError> {
    let at = directory.display();
    if directory
        .read_dir()
        .is_ok_and(|mut entries| entries.next().is_some())
    {
        return Err(format!("{at} is not empty: expected a new directory for this run").into());
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|error| format!("{at} cannot be made: {error}").into())
}

fn private(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())
}

/// A port nobody listens on: over TCP, and over UDP too where both are wanted.
fn free_port(both: bool) -> io::Result<SocketAddr> {
    for _ in 0..TRIES {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        if !both || UdpSocket::bind(address).is_ok() {
            return Ok(address);
        }
    }
    Err(none_free())
}

/// A range of free ports: two pairs for each call, and some for those that are just being given back.
fn media_ports(callers: usize) -> io::Result<(u16, u16)> {
    let wanted = u16::try_from(4 * (callers + 8)).map_err(|_| none_free())?;
    let spans = usize::from((MEDIA.end - MEDIA.start) / wanted);
    // Two demonstrations at the same time do not begin to look at the same place.
    let begin = process::id() as usize;
    for at in (0..spans).map(|n| (begin + n) % spans) {
        let first = MEDIA.start + at as u16 * wanted;
        let last = first + wanted - 1;
        let taken = |port| UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_err();
        if !(first..=last).any(taken) {
            return Ok((first, last));
        }
    }
    Err(none_free())
}

fn none_free() -> io::Error {
    io::Error::new(io::ErrorKind::AddrInUse, "no free ports on 127.0.0.1")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::Config;

    fn arguments() -> DemoArgs {
        DemoArgs {
            callers: 3,
            operators: 5,
            minutes: Duration::from_secs(60),
            seed: 1,
            keep: None,
        }
    }

    #[test]
    fn the_configuration_is_one_that_serve_takes_and_the_directory_goes_with_the_ground() {
        let ground = Ground::prepare(&arguments()).unwrap();
        let config = Config::load(&ground.config).unwrap();
        assert_eq!(config.warnings.render(crate::config::Look::Plain), "");
        assert_eq!(config.engine.operators.len(), 5);
        let talks: Vec<Duration> = config.engine.queues.iter().map(|queue| queue.talk).collect();
        assert_eq!(
            talks,
            [script::MEAN_TALK; 2],
            "the centre knows how long its talks are"
        );
        assert_eq!(config.grpc.listen, ground.grpc);
        let directory = ground.directory.clone();
        assert!(directory.is_dir());
        drop(ground);
        assert!(!directory.exists());
    }

    #[test]
    fn a_directory_with_something_in_it_is_not_used() {
        let folder = crate::config::tests::Folder::new();
        fs::write(folder.path().join("precious"), "").unwrap();
        let arguments = DemoArgs {
            keep: Some(folder.path().to_owned()),
            ..arguments()
        };
        let refused = Ground::prepare(&arguments).err().map(|error| error.to_string());
        assert!(refused.is_some_and(|text| text.contains("is not empty")));
        assert!(folder.path().join("precious").exists());
    }
}
