#!/usr/bin/env python3
"""Makes the music callers wait with: ../prompts/music.wav (16 kHz, mono, 16 bit), a tune of our own.

Eight bars of 4/4 at 80 beats a minute: 24 s, a whole number of 20 ms packets. It is drawn on a ring: whatever
rings on past the last sample goes on at the first, echoes included, so the loop has no seam. Everything lies
where a telephone carries it (300 to 3400 Hz): the bass is heard by its overtones.
"""

import array
import math
import os
import wave

RATE = 16000
# Under speech, which is at -23.
LUFS = -26
BEAT = RATE * 60 // 80
RING = BEAT * 4 * 8

# One bar each: bass, then the chord that is broken over it (MIDI numbers, 60 = middle C).
BARS = [
    (48, (60, 64, 67, 71)),  # Cmaj7
    (45, (60, 64, 67, 69)),  # Am7
    (50, (60, 62, 65, 69)),  # Dm7
    (43, (59, 62, 65, 67)),  # G7
    (52, (59, 62, 64, 67)),  # Em7
    (45, (60, 64, 67, 69)),  # Am7
    (41, (60, 64, 65, 69)),  # Fmaj7
    (43, (60, 62, 65, 67)),  # G9sus4
]
# The melody: (beat from the start, MIDI number, beats it is held).
MELODY = [
    (0, 76, 1.5), (1.5, 79, 0.5), (2, 83, 2), (4, 81, 1.5), (5.5, 79, 0.5), (6, 76, 2),
    (8, 77, 1.5), (9.5, 81, 0.5), (10, 84, 1), (11, 81, 1), (12, 79, 3), (15, 74, 1),
    (16, 79, 1.5), (17.5, 76, 0.5), (18, 79, 1), (19, 83, 1), (20, 84, 2), (22, 81, 2),
    (24, 81, 1), (25, 79, 1), (26, 77, 1), (27, 76, 1), (28, 74, 3), (31, 79, 1),
]
# The order in which a chord is broken, in eighths.
BROKEN = (0, 2, 1, 3, 2, 1, 3, 2)
# Echoes: (seconds, share). Not multiples of one another, so that they do not flutter.
ECHOES = [(0.067, 0.22), (0.131, 0.18), (0.223, 0.14), (0.349, 0.10), (0.541, 0.06)]


def tone(ring, at, note, seconds, volume, partials, attack, fading):
    """Adds a tone to the ring. `fading`: seconds to 1/e; overtones fade faster, as on strings and bars."""
    frequency = 440 * 2 ** ((note - 69) / 12)
    length = round((seconds + 0.4) * RATE)
    for number, share in enumerate(partials, 1):
        if share == 0 or frequency * number > 3600:
            continue
        step = 2 * math.pi * frequency * number / RATE
        decay = math.exp(-(1 + 0.35 * (number - 1)) / (fading * RATE))
        strength = volume * share
        for n in range(length):
            strength *= decay
            shape = min(1, n / (attack * RATE)) * min(1, (length - n) / (0.4 * RATE))
            ring[(at + n) % RING] += strength * shape * math.sin(step * n)


def tune():
    ring = [0.0] * RING
    for bar, (bass, chord) in enumerate(BARS):
        start = bar * 4 * BEAT
        for half in (0, 2):
            tone(ring, start + half * BEAT, bass, 1.4, 0.20, (0.5, 1, 0.6, 0.25), 0.02, 0.9)
        for note in chord:
            tone(ring, start, note, 3.0, 0.07, (1, 0.4, 0.15), 0.5, 4.0)
        for eighth, place in enumerate(BROKEN):
            tone(ring, start + eighth * BEAT // 2, chord[place], 0.7, 0.12, (1, 0.25, 0.12, 0.05), 0.012, 0.5)
    for beat, note, beats in MELODY:
        tone(ring, round(beat * BEAT), note, beats * 0.75, 0.26, (1, 0.18, 0.10), 0.03, 1.2)
    delays = [(round(seconds * RATE), share) for seconds, share in ECHOES]
    return [ring[n] + sum(share * ring[n - delay] for delay, share in delays) for n in range(RING)]


def biquad(samples, b, a):
    x1 = x2 = y1 = y2 = 0.0
    out = []
    for x in samples:
        y = (b[0] * x + b[1] * x1 + b[2] * x2 - a[1] * y1 - a[2] * y2) / a[0]
        x1, x2, y1, y2 = x, x1, y, y1
        out.append(y)
    return out


def k_weighted(samples, rate):
    """The head's shelf and the low cut of BS.1770, designed for this rate (the standard's table is for 48 kHz)."""
    gain, q, corner = 3.999843853973347, 0.7071752369554196, 1681.974450955533
    k = math.tan(math.pi * corner / rate)
    high, band = 10 ** (gain / 20), 10 ** (gain / 20 * 0.4996667741545416)
    shelf_b = (high + band * k / q + k * k, 2 * (k * k - high), high - band * k / q + k * k)
    shelf_a = (1 + k / q + k * k, 2 * (k * k - 1), 1 - k / q + k * k)
    q, corner = 0.5003270373238773, 38.13547087602444
    k = math.tan(math.pi * corner / rate)
    cut_b, cut_a = (1, -2, 1), (1 + k / q + k * k, 2 * (k * k - 1), 1 - k / q + k * k)
    # The standard's low cut has the numerator 1, -2, 1 whatever its denominator: unity gain where it passes.
    cut_b = tuple(b * cut_a[0] for b in cut_b)
    return biquad(biquad(samples, shelf_b, shelf_a), cut_b, cut_a)


def loudness(samples, rate):
    """Integrated loudness in LUFS (ITU-R BS.1770-4): blocks of 400 ms, gates at -70 LUFS and 10 LU below the rest."""
    block, hop = rate * 4 // 10, rate // 10
    weighted = k_weighted(samples, rate)
    powers = [
        sum(sample * sample for sample in weighted[at:at + block]) / block
        for at in range(0, len(weighted) - block + 1, hop)
    ]
    lufs = lambda power: -0.691 + 10 * math.log10(power) if power > 0 else -math.inf
    mean = lambda values: sum(values) / len(values) if values else 0.0
    heard = [power for power in powers if lufs(power) > -70]
    gate = lufs(mean(heard)) - 10
    return lufs(mean([power for power in heard if lufs(power) > gate]))


def write(path, samples, rate):
    """Samples in -1..1."""
    with wave.open(path, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(array.array("h", [round(sample * 32767) for sample in samples]).tobytes())


if __name__ == "__main__":
    out = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../prompts/music.wav")
    samples = tune()
    peak = max(abs(sample) for sample in samples)
    samples = [sample / peak for sample in samples]
    gain = 10 ** ((LUFS - loudness(samples, RATE)) / 20)
    assert gain < 1, "the music would be clipped"
    write(out, [sample * gain for sample in samples], RATE)
