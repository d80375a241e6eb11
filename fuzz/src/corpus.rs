//! The corpus on the disk: `corpus/TARGET/NAME.EXT`, read in the order of the names.

use std::fs;
use std::path::Path;

use data_encoding::HEXLOWER;

/// One file of the corpus.
#[derive(Clone, Debug)]
pub struct Seed {
    /// Its name, for the message of a failure.
    pub name: String,
    /// Its content. SIP and SDP have their line ends as on the wire; a file that ends in `.hex` stands for its octets.
    pub octets: Vec<u8>,
}

/// The seeds of a target.
pub fn seeds(target: &str) -> Vec<Seed> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let entries = fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut found: Vec<Seed> = entries.flatten().map(|entry| read(&entry.path())).collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(!found.is_empty(), "{} holds seeds", directory.display());
    found
}

fn read(path: &Path) -> Seed {
    let octets = fs::read(path).expect("a file of the corpus can be read");
    let octets = match path.extension().and_then(|kind| kind.to_str()) {
        Some("hex") => hexadecimal(&octets),
        Some("sip" | "sdp") => on_the_wire(octets),
        _ => octets,
    };
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    Seed { name, octets }
}

/// Lines that end in LF end in CRLF; a file that has a CR of its own stays as it is.
fn on_the_wire(octets: Vec<u8>) -> Vec<u8> {
    if octets.contains(&b'\r') {
        return octets;
    }
    let lines: Vec<&[u8]> = octets.split(|octet| *octet == b'\n').collect();
    lines.join(&b"\r\n"[..])
}

fn hexadecimal(text: &[u8]) -> Vec<u8> {
    let digits: Vec<u8> = text
        .iter()
        .filter(|c| !c.is_ascii_whitespace())
        .copied()
        .collect();
    HEXLOWER.decode(&digits).expect("lower-case hexadecimal digits")
}
