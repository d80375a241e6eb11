//! Files as programs write them, made here octet by octet.

use std::f64::consts::TAU;
use std::process::Stdio;

use proptest::prelude::*;

use super::*;

/// A file to be written.
#[derive(Clone, Copy, Debug)]
struct Made {
    tag: u16,
    channels: u16,
    rate: u32,
    /// Octets of a sample.
    width: u16,
    extensible: bool,
}

const PLAIN: Made = Made {
    tag: 1,
    channels: 1,
    rate: 8_000,
    width: 2,
    extensible: false,
};

impl Made {
    fn fmt(&self) -> Vec<u8> {
        let frame = self.channels * self.width;
        let mut fmt = Vec::new();
        let tag = if self.extensible { 0xfffe } else { self.tag };
        fmt.extend(tag.to_le_bytes());
        fmt.extend(self.channels.to_le_bytes());
        fmt.extend(self.rate.to_le_bytes());
        fmt.extend((self.rate * u32::from(frame)).to_le_bytes());
        fmt.extend(frame.to_le_bytes());
        fmt.extend((self.width * 8).to_le_bytes());
        if self.extensible {
            fmt.extend([22, 0, self.width as u8 * 8, 0, 0, 0, 0, 0]);
            fmt.extend(self.tag.to_le_bytes());
            fmt.extend(b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71");
        }
        fmt
    }

    /// One sample between -1 and 1.
    fn sample(&self, value: f64) -> Vec<u8> {
        let whole = (value * 2_147_483_647.0) as i32;
        match (self.tag, self.width) {
            (1, 1) => vec![((whole >> 24) + 128) as u8],
            (1, 2..=4) => whole.to_le_bytes()[4 - usize::from(self.width)..].to_vec(),
            (3, 4) => (value as f32).to_le_bytes().to_vec(),
            (3, 8) => value.to_le_bytes().to_vec(),
            (6, 1) => vec![audio_codec_algorithms::encode_alaw((whole >> 16) as i16)],
            (7, 1) => vec![audio_codec_algorithms::encode_ulaw((whole >> 16) as i16)],
            other => panic!("{other:?}"),
        }
    }

    /// Two seconds of a tone at a quarter of full scale.
    fn tone(&self, hertz: f64) -> Vec<u8> {
        let value = |n: u32| 0.25 * (TAU * hertz * f64::from(n) / f64::from(self.rate)).sin();
        let frames = (0..2 * self.rate).map(|n| self.sample(value(n)).repeat(usize::from(self.channels)));
        frames.flatten().collect()
    }

    fn file(&self, sound: &[u8]) -> Vec<u8> {
        riff(&[(b"fmt ", &self.fmt()), (b"data", sound)])
    }
}

/// A clip of 100 ms whose every sample is `value`, for the tests of directories.
pub(crate) fn short_clip(channels: u16, rate: u32, value: i16) -> Vec<u8> {
    let made = Made {
        channels,
        rate,
        ..PLAIN
    };
    let samples = (rate / 10) as usize * usize::from(channels);
    made.file(&value.to_le_bytes().repeat(samples))
}

/// Chunks in a RIFF file, those of an odd size padded.
fn riff(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut body = b"WAVE".to_vec();
    for (name, content) in chunks {
        body.extend(*name);
        body.extend(u32::try_from(content.len()).unwrap().to_le_bytes());
        body.extend(*content);
        body.resize(body.len() + content.len() % 2, 0);
    }
    let mut file = b"RIFF".to_vec();
    file.extend(u32::try_from(body.len()).unwrap().to_le_bytes());
    file.extend(body);
    file
}

/// The level of a recording relative to the tone that went in, in dB, without its first and last eighth.
fn level(recording: &Recording) -> f64 {
    let samples = &recording.samples;
    let inner = &samples[samples.len() / 8..samples.len() * 7 / 8];
    let square = |sample: &i16| (f64::from(*sample) / 32_768.0).powi(2);
    let power = inner.iter().map(square).sum::<f64>() / inner.len() as f64;
    10.0 * (power.max(1e-12) / (0.25f64.powi(2) / 2.0)).log10()
}

fn heard(file: &[u8]) -> Recording {
    read(file, 8_000).unwrap_or_else(|error| panic!("{error}"))
}

fn found(file: &[u8]) -> String {
    read(file, 8_000).unwrap_err().to_string()
}

/// Every coding in every kind of header, for every usual rate and number of channels.
fn every_kind() -> impl Iterator<Item = Made> {
    let codings = [(1, 1), (1, 2), (1, 3), (1, 4), (3, 4), (3, 8), (6, 1), (7, 1)];
    let rates = [8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 96_000];
    let of_rate = move |rate| {
        codings.into_iter().flat_map(move |(tag, width)| {
            [(1, false), (2, true), (6, true)].map(|(channels, extensible)| Made {
                tag,
                channels,
                rate,
                width,
                extensible,
            })
        })
    };
    rates.into_iter().flat_map(of_rate)
}

#[test]
fn what_people_have_is_heard_as_loud_as_it_was() {
    for made in every_kind() {
        let recording = heard(&made.file(&made.tone(1_000.0)));
        assert_eq!(
            (recording.sample_rate, recording.samples.len()),
            (8_000, 16_000),
            "{made:?}"
        );
        assert!(
            level(&recording).abs() < 0.2,
            "{made:?}: {} dB",
            level(&recording)
        );
    }
}

/// Above 4 kHz there is nothing at 8 kHz: what folded into the band would be heard as another tone.
#[test]
fn what_no_telephone_can_carry_is_not_heard_as_something_else() {
    for rate in [16_000, 22_050, 32_000, 44_100, 48_000, 96_000] {
        let made = Made { rate, ..PLAIN };
        for hertz in [4_500.0, 5_000.0, 6_000.0, 7_900.0] {
            let level = level(&heard(&made.file(&made.tone(hertz))));
            assert!(level < -70.0, "{hertz} Hz at {rate} Hz: {level} dB");
        }
        for hertz in [50.0, 300.0, 3_000.0, 3_400.0] {
            let level = level(&heard(&made.file(&made.tone(hertz))));
            assert!(level.abs() < 0.1, "{hertz} Hz at {rate} Hz: {level} dB");
        }
    }
}

#[test]
fn sixteen_bits_at_the_telephones_rate_are_kept_sample_by_sample() {
    let samples = [1, -1, 0, i16::MAX, i16::MIN, 12_345];
    let octets: Vec<u8> = samples
        .iter()
        .flat_map(|sample: &i16| sample.to_le_bytes())
        .collect();
    assert_eq!(heard(&PLAIN.file(&octets)).samples[..], samples);
    let made = Made {
        rate: 22_050,
        ..PLAIN
    };
    let kept = read_at_any_rate(&made.file(&octets)[..]).unwrap();
    assert_eq!((kept.sample_rate, &kept.samples[..]), (22_050, &samples[..]));
}

#[test]
fn a_sample_stays_where_it_was_when_the_rate_changes() {
    /// Half a sample at 8 kHz: what a tone of 500 Hz turns by in it.
    const HALF: f64 = 0.25 * 32_768.0 * TAU * 500.0 / 8_000.0 / 2.0;
    for rate in [16_000, 44_100, 48_000, 11_025] {
        let made = Made { rate, ..PLAIN };
        let recording = heard(&made.file(&made.tone(500.0)));
        for (n, sample) in recording.samples.iter().enumerate().skip(800).take(14_000) {
            let expected = 0.25 * 32_768.0 * (TAU * 500.0 * n as f64 / 8_000.0).sin();
            assert!(
                (f64::from(*sample) - expected).abs() < HALF,
                "{rate} Hz, sample {n}: {sample} {expected}"
            );
        }
    }
}

#[test]
fn all_channels_are_heard_and_what_is_too_loud_is_bent_to_the_limit() {
    let stereo = Made { channels: 2, ..PLAIN };
    let frame = |left: i16, right: i16| [left.to_le_bytes(), right.to_le_bytes()].concat();
    let octets = [frame(1_000, 3_000), frame(-8, 8), frame(i16::MIN, i16::MIN)].concat();
    assert_eq!(heard(&stereo.file(&octets)).samples[..], [2_000, 0, i16::MIN]);
    let float = Made {
        tag: 3,
        width: 4,
        ..PLAIN
    };
    let values = [1.5, -1.5, f32::NAN, f32::INFINITY, 0.5];
    let octets: Vec<u8> = values
        .iter()
        .flat_map(|value: &f32| value.to_le_bytes())
        .collect();
    assert_eq!(
        heard(&float.file(&octets)).samples[..],
        [i16::MAX, i16::MIN, 0, 0, 16_384]
    );
}

#[test]
fn chunks_that_nobody_needs_are_passed_over() {
    let sound = [7, 0, 8, 0];
    let fmt = PLAIN.fmt();
    let file = riff(&[
        (b"JUNK", &[1; 27]),
        (b"bext", &[2; 603]),
        (b"fmt ", &fmt),
        (b"fact", &[4, 0, 0, 0]),
        (b"LIST", b"INFOISFT\x05\0\0\0Lavf\0"),
        (b"data", &sound),
        (b"LIST", b"data"),
        (b"id3 ", &[9; 11]),
    ]);
    assert_eq!(heard(&file).samples[..], [7, 8]);
    // The pad of an odd last chunk is often forgotten, and so is the octet that completes a sample.
    let mut odd = PLAIN.file(&[7, 0, 8, 0, 9]);
    odd.pop();
    assert_eq!(heard(&odd).samples[..], [7, 8]);
}

/// A program that writes into a pipe cannot come back to write the sizes.
#[test]
fn a_streamed_file_is_read_to_its_end() {
    let file = PLAIN.file(&[7, 0, 8, 0]);
    for (riff, data) in [
        (0, 0),
        (36, 0),
        (u32::MAX, u32::MAX),
        (0, u32::MAX),
        (0x7fff_f024, 0x7fff_f000),
    ] {
        let mut streamed = file.clone();
        streamed[4..8].copy_from_slice(&riff.to_le_bytes());
        streamed[40..44].copy_from_slice(&data.to_le_bytes());
        assert_eq!(heard(&streamed).samples[..], [7, 8], "{riff:x} {data:x}");
        streamed.truncate(44);
        assert_eq!(
            found(&streamed),
            "a WAV file with no samples",
            "{riff:x} {data:x}"
        );
    }
}

#[test]
fn a_file_with_long_sizes_is_read() {
    let mut ds64 = vec![0; 28];
    ds64[8] = 4;
    let mut file = riff(&[
        (b"ds64", &ds64),
        (b"fmt ", &PLAIN.fmt()),
        (b"data", &[7, 0, 8, 0]),
        (b"LIST", b"xxxx"),
    ]);
    file[..4].copy_from_slice(b"RF64");
    file[4..8].copy_from_slice(&[0xff; 4]);
    let data = file.len() - 12 - 8;
    file[data..data + 4].copy_from_slice(&[0xff; 4]);
    assert_eq!(heard(&file).samples[..], [7, 8]);
}

#[test]
fn a_file_that_cannot_be_used_says_why() {
    let mp3 = Made {
        tag: 0x55,
        width: 1,
        ..PLAIN
    };
    assert_eq!(
        found(&mp3.file(&[0; 8])),
        "MP3 data in a WAV file (format tag 0x0055)"
    );
    let extensible = Made {
        extensible: true,
        ..mp3
    };
    assert_eq!(
        found(&extensible.file(&[0; 8])),
        "MP3 data in a WAV file (format tag 0x0055)"
    );
    let ima = Made {
        tag: 0x11,
        width: 0,
        ..PLAIN
    };
    assert_eq!(
        found(&ima.file(&[0; 8])),
        "IMA ADPCM data in a WAV file (format tag 0x0011)"
    );
    let silent = Made { channels: 0, ..PLAIN };
    assert_eq!(found(&silent.file(&[0; 8])), "a WAV file with 0 channels");
    let slow = Made { rate: 100, ..PLAIN };
    assert_eq!(
        found(&slow.file(&[0; 8])),
        "a WAV file with 100 samples per second"
    );
    let wide = Made { width: 6, ..PLAIN };
    assert_eq!(
        found(&wide.file(&[0; 8])),
        "a WAV file with samples of 48 bits, 6 bytes for 1 channels"
    );
    assert_eq!(found(&PLAIN.file(&[])), "a WAV file with no samples");
    assert_eq!(found(&PLAIN.file(&[1])), "a WAV file with no samples");
    assert_eq!(found(b""), "an empty file");
    assert_eq!(found(b"ID3\x03 and so on"), "an MP3 file");
    assert_eq!(found(b"\xff\xfb\x90\x64and so on"), "an MP3 file");
    assert_eq!(found(b"OggS and so on"), "an Ogg file");
    assert_eq!(found(b"\0\0\0\x20ftypM4A "), "an MP4 file");
    assert_eq!(found(b"hello"), "no WAV file (it does not begin with RIFF)");
    assert_eq!(found(b"RIFF\0\0"), "a WAV file whose header is cut off");
    assert_eq!(found(b"RIFF\x20\0\0\0AVI LIST"), "a RIFF file that holds no WAVE");
    assert_eq!(
        found(&riff(&[(b"LIST", b"ab")])),
        "a WAV file without sound (no `data` chunk)"
    );
    let unknown = riff(&[(b"data", &[0; 4]), (b"fmt ", &PLAIN.fmt())]);
    assert_eq!(
        found(&unknown),
        "a WAV file that does not say how its sound is coded (no `fmt ` chunk)"
    );
}

#[test]
fn a_header_that_promises_too_much_is_not_believed() {
    let mut short = PLAIN.file(&[0; 16]);
    short.truncate(short.len() - 6);
    assert_eq!(
        found(&short),
        "a truncated file: 10 of the 16 bytes of sound that it announces"
    );
    let mut long = PLAIN.file(&[0; 16]);
    long[40..44].copy_from_slice(&(16_000_u32 * 723).to_le_bytes());
    assert_eq!(found(&long), "a WAV file of 12 min 3 s");
    let mut endless = PLAIN.file(&[]);
    endless[40..44].copy_from_slice(&[0xff; 4]);
    let endless = endless.chain(io::repeat(0));
    assert_eq!(
        read(endless, 8_000).unwrap_err().to_string(),
        "a WAV file of more than 10 minutes"
    );
}

#[test]
fn what_is_written_is_read_again() {
    let clip = Recording {
        sample_rate: 16_000,
        samples: [1, -2, i16::MAX, i16::MIN].into(),
    };
    let mut file = io::Cursor::new(Vec::new());
    write(&mut file, &clip).unwrap();
    assert_eq!(read_at_any_rate(&file.get_ref()[..]).unwrap(), clip);
}

/// Reads files that SoX writes, into a file and into a pipe.
#[test]
#[expect(clippy::disallowed_types, reason = "SoX is a process")]
fn the_files_of_a_real_program_are_heard() {
    for (rate, format) in [
        ("44100", &["-b", "24", "-c", "2"][..]),
        ("48000", &["-b", "32", "-e", "floating-point"]),
        ("22050", &["-e", "a-law"]),
        ("11025", &["-e", "mu-law", "-c", "2"]),
        ("32000", &["-b", "8", "-e", "unsigned-integer"]),
        ("8000", &["-b", "64", "-e", "floating-point"]),
    ] {
        let mut sox = std::process::Command::new("sox");
        sox.args(["-n", "-r", rate]).args(format);
        sox.args(["-t", "wav", "-", "synth", "2", "sine", "1000", "vol", "0.25"]);
        let made = sox.stderr(Stdio::null()).output().expect("sox is installed");
        assert!(made.status.success(), "{rate} {format:?}");
        let recording = heard(&made.stdout);
        assert_eq!(recording.samples.len(), 16_000, "{rate} {format:?}");
        assert!(
            level(&recording).abs() < 0.1,
            "{rate} {format:?}: {} dB",
            level(&recording)
        );
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes[..], 8_000);
    }

    #[test]
    fn no_damaged_clip_panics(at in 0..80usize, byte: u8, and_at in 0..80usize, and_byte: u8, cut in 0..90usize) {
        let made = Made { rate: 16_000, extensible: true, ..PLAIN };
        let mut file = made.file(&[0x55; 20]);
        file[at] = byte;
        file[and_at] = and_byte;
        let _ = read(&file[..], 8_000);
        file.truncate(cut);
        let _ = read(&file[..], 8_000);
    }
}
