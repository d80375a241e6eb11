//! The sixteen tone pairs (ITU-T Q.23), made for phones without telephone-event.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::f32::consts::TAU;

use pronto_types::Digit;

use crate::{Codec, SAMPLE_RATE, g711};

/// The rows of the keypad, Hz.
pub(crate) const LOW: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
/// Its columns, Hz.
pub(crate) const HIGH: [f32; 4] = [1209.0, 1336.0, 1477.0, 1633.0];
/// The keys of the keypad, by row (`LOW`) and column (`HIGH`).
const KEYS: [[char; 4]; 4] = [
    ['1', '2', '3', 'A'],
    ['4', '5', '6', 'B'],
    ['7', '8', '9', 'C'],
    ['*', '0', '#', 'D'],
];
/// Each tone's peak, about -9 dBm0.
const AMPLITUDE: f32 = 7_000.0;

/// The key in a row and a column, each 0 to 3.
pub(crate) fn key(row: usize, column: usize) -> Option<Digit> {
    Digit::from_char(*KEYS.get(row)?.get(column)?)
}

/// Writes a key's tones, starting `start` samples after its beginning, so that frames join without a click.
pub(crate) fn tones(digit: Digit, codec: Codec, start: u32, frame: &mut [u8]) {
    let place = KEYS.iter().enumerate().find_map(|(row, keys)| {
        keys.iter()
            .position(|key| *key == digit.as_char())
            .map(|column| (LOW[row], HIGH[column]))
    });
    let Some((low, high)) = place else { return };
    for (n, octet) in (start..).zip(frame) {
        let at = n as f32 / SAMPLE_RATE as f32;
        let sample = AMPLITUDE * ((TAU * low * at).sin() + (TAU * high * at).sin());
        *octet = g711::encode(codec, sample as i16);
    }
}
