use super::*;

/// A generator of reproducible noise, uniform in -1..1.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }
}

fn listen(samples: &[f32]) -> String {
    let mut detector = Detector::new();
    let octets: Vec<u8> = samples
        .iter()
        .map(|s| g711::encode(Codec::Pcma, s.clamp(-32_000.0, 32_000.0) as i16))
        .collect();
    octets
        .chunks(160)
        .filter_map(|frame| detector.listen(Codec::Pcma, frame))
        .map(Digit::as_char)
        .collect()
}

fn pair(low: f32, high: f32, low_peak: f32, high_peak: f32, millis: usize) -> Vec<f32> {
    (0..millis * 8)
        .map(|n| {
            let at = n as f32 / 8_000.0;
            low_peak * (TAU * low * at).sin() + high_peak * (TAU * high * at).sin()
        })
        .collect()
}

fn silence(millis: usize) -> Vec<f32> {
    vec![0.0; millis * 8]
}

#[test]
fn every_key_of_forty_milliseconds_is_heard_wherever_it_begins() {
    for event in 0..16 {
        let digit = Digit::from_event(event).unwrap();
        for offset in (0..160).step_by(7) {
            let mut frame = [0; 320];
            dtmf::tones(digit, Codec::Pcmu, 0, &mut frame);
            let mut stream = vec![g711::PCMU_SILENCE; 400 + offset];
            stream.extend(frame);
            stream.extend([g711::PCMU_SILENCE; 800]);
            let mut detector = Detector::new();
            let heard: Vec<_> = stream
                .chunks(160)
                .filter_map(|f| detector.listen(Codec::Pcmu, f))
                .collect();
            assert_eq!(heard, [digit], "offset {offset}");
        }
    }
}

#[test]
fn a_key_held_is_one_key_and_the_same_key_again_is_another() {
    let mut samples = pair(LOW[1], HIGH[1], 5_000.0, 5_000.0, 800);
    samples.extend(silence(50));
    samples.extend(pair(LOW[1], HIGH[1], 5_000.0, 5_000.0, 60));
    samples.extend(silence(50));
    samples.extend(pair(LOW[3], HIGH[2], 5_000.0, 5_000.0, 60));
    samples.extend(silence(50));
    assert_eq!(listen(&samples), "55#");
}

#[test]
fn a_dropout_of_ten_milliseconds_does_not_press_again() {
    let mut samples = pair(LOW[0], HIGH[0], 5_000.0, 5_000.0, 100);
    samples[400..480].fill(0.0);
    assert_eq!(listen(&samples), "1");
}

#[test]
fn a_burst_of_twenty_milliseconds_is_no_key() {
    let mut samples = pair(LOW[2], HIGH[2], 6_000.0, 6_000.0, 20);
    samples.extend(silence(60));
    assert_eq!(listen(&samples), "");
}

#[test]
fn frequencies_may_be_off_by_one_and_a_half_percent_but_not_by_four() {
    for (off, heard) in [(1.015, "6"), (0.985, "6"), (1.04, ""), (0.96, "")] {
        assert_eq!(
            listen(&pair(LOW[1] * off, HIGH[2] * off, 5_000.0, 5_000.0, 100)),
            heard,
            "{off}"
        );
    }
}

#[test]
fn twist_is_tolerated_as_far_as_q24_asks() {
    assert_eq!(
        listen(&pair(LOW[0], HIGH[1], 3_000.0, 4_200.0, 100)),
        "2",
        "+3 dB"
    );
    assert_eq!(
        listen(&pair(LOW[0], HIGH[1], 6_000.0, 2_600.0, 100)),
        "2",
        "-7 dB"
    );
    assert_eq!(
        listen(&pair(LOW[0], HIGH[1], 2_000.0, 6_000.0, 100)),
        "",
        "+9.5 dB"
    );
    assert_eq!(
        listen(&pair(LOW[0], HIGH[1], 8_000.0, 2_000.0, 100)),
        "",
        "-12 dB"
    );
}

#[test]
fn noise_under_the_key_does_not_hide_it() {
    let mut noise = Noise(1);
    let mut samples = pair(LOW[3], HIGH[0], 5_000.0, 5_000.0, 80);
    samples.iter_mut().for_each(|s| *s += 900.0 * noise.next());
    assert_eq!(listen(&samples), "*");
}

#[test]
fn single_tones_and_tones_with_harmonics_are_no_keys() {
    assert_eq!(listen(&pair(LOW[1], HIGH[1], 8_000.0, 0.0, 200)), "");
    assert_eq!(
        listen(&pair(440.0, 480.0, 8_000.0, 8_000.0, 500)),
        "",
        "ring-back"
    );
    let mut voiced = pair(LOW[1], HIGH[1], 4_000.0, 4_000.0, 200);
    for (n, sample) in voiced.iter_mut().enumerate() {
        *sample += 2_000.0 * (TAU * 2.0 * LOW[1] * n as f32 / 8_000.0).sin();
    }
    assert_eq!(listen(&voiced), "");
}

/// Two minutes of chords with harmonics and vibrato, and of voiced sounds (pulse trains through moving resonances).
#[test]
fn music_and_voices_press_no_keys() {
    let mut noise = Noise(7);
    let mut samples = Vec::new();
    for _ in 0..240 {
        let notes = [0; 3].map(|_| 110.0 * 2f32.powf(((noise.next() + 1.0) * 24.0).floor() / 12.0));
        let brightness = 0.25 + 0.25 * noise.next().abs();
        samples.extend((0..2_000).map(|n| {
            let at = n as f32 / 8_000.0;
            let chord = notes.iter().map(|hertz| {
                let voice = (1..=6).map(|k| brightness.powi(k) * (TAU * hertz * k as f32 * at).sin());
                voice.sum::<f32>()
            });
            5_000.0 * chord.sum::<f32>()
        }));
    }
    for _ in 0..240 {
        let pitch = 90.0 + 80.0 * (noise.next() + 1.0);
        let formants = [500.0 + 250.0 * noise.next(), 1_400.0 + 500.0 * noise.next()];
        let mut state = [(0.0f32, 0.0f32); 2];
        samples.extend((0..2_000).map(|n| {
            let phase = n as f32 * pitch / 8_000.0;
            let mut value = if phase.fract() < pitch / 8_000.0 {
                9_000.0
            } else {
                100.0 * noise.next()
            };
            for (formant, (s1, s2)) in formants.iter().zip(&mut state) {
                let radius = 0.96;
                value += 2.0 * radius * (TAU * formant / 8_000.0).cos() * *s1 - radius * radius * *s2;
                (*s1, *s2) = (value, *s1);
            }
            value * 0.2
        }));
    }
    assert_eq!(listen(&samples), "");
}
