//! Changes of a seed: octets overwritten, removed, repeated, and words that parsers stumble over.

use bolero::TypeGenerator;

use crate::Seed;

/// One change of a seed.
#[derive(Clone, Copy, Debug, TypeGenerator)]
struct Cut {
    at: u16,
    how: u8,
    byte: u8,
}

/// The changes to make, and the seed to make them in.
#[derive(Clone, Debug, TypeGenerator)]
pub struct Mutation {
    seed: u8,
    cuts: [Cut; 6],
    count: u8,
}

/// Words that parsers stumble over.
const WORDS: [&str; 16] = [
    "\r\n",
    "\r\n ",
    "\0",
    "%00",
    "\"",
    "\\",
    "<",
    ">",
    ";",
    ",",
    "-1",
    "4294967296",
    "99999999999999999999",
    "\u{e9}",
    "[::",
    "a=",
];

impl Mutation {
    /// The octets of one of these seeds, changed.
    pub fn of(&self, seeds: &[Seed]) -> Vec<u8> {
        let mut octets = seeds[usize::from(self.seed) % seeds.len()].octets.clone();
        for cut in &self.cuts[..usize::from(self.count) % 7] {
            if octets.is_empty() {
                break;
            }
            cut.apply(&mut octets);
        }
        octets
    }
}

impl Cut {
    fn apply(self, octets: &mut Vec<u8>) {
        let at = usize::from(self.at) % octets.len();
        let span = usize::from(self.byte);
        match self.how % 7 {
            0 => octets[at] = self.byte,
            1 => drop(octets.drain(at..(at + span % 40).min(octets.len()))),
            2 => octets.insert(at, self.byte),
            3 => {
                let again = octets[at.saturating_sub(span)..at].to_vec();
                drop(octets.splice(at..at, again));
            }
            4 => drop(octets.splice(at..at, WORDS[span % WORDS.len()].bytes())),
            5 => octets[at] ^= 1 << (span % 8),
            _ => octets.truncate(at),
        }
    }
}
