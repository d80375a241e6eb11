#!/usr/bin/env python3
"""Brings a WAV (16 bit, mono) to a loudness: level.py LUFS IN OUT.

Loudness is measured as ITU-R BS.1770-4 says: K-weighting, blocks of 400 ms that overlap by three quarters, an
absolute gate at -70 LUFS and a relative one 10 LU below the rest. No sample passes -1.5 dBFS: a clip whose peaks
would is left quieter, and the script says so.
"""

import array
import math
import sys
import wave

CEILING = 10 ** (-1.5 / 20)


def read(path):
    """Samples in -1..1, and the rate."""
    with wave.open(path) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2), f"{path}: expected 16 bit mono"
        samples = array.array("h", file.readframes(file.getnframes()))
        return [sample / 32768 for sample in samples], file.getframerate()


def write(path, samples, rate):
    """Samples in -1..1."""
    with wave.open(path, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(array.array("h", [round(sample * 32767) for sample in samples]).tobytes())


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
    """Integrated loudness in LUFS."""
    block, hop = rate * 4 // 10, rate // 10
    # A clip shorter than a block is one block, padded.
    weighted = k_weighted(samples, rate) + [0.0] * max(0, block - len(samples))
    powers = [
        sum(sample * sample for sample in weighted[at:at + block]) / block
        for at in range(0, len(weighted) - block + 1, hop)
    ]
    lufs = lambda power: -0.691 + 10 * math.log10(power) if power > 0 else -math.inf
    mean = lambda values: sum(values) / len(values) if values else 0.0
    heard = [power for power in powers if lufs(power) > -70]
    gate = lufs(mean(heard)) - 10
    return lufs(mean([power for power in heard if lufs(power) > gate]))


def levelled(samples, rate, target, name):
    """The samples at `target` LUFS, or as near below it as the ceiling allows."""
    gain = 10 ** ((target - loudness(samples, rate)) / 20)
    peak = max(abs(sample) for sample in samples)
    if peak * gain > CEILING:
        gain = CEILING / peak
        print(f"{name}: kept below {target} LUFS by its peaks", file=sys.stderr)
    samples = [sample * gain for sample in samples]
    print(f"{name}: {len(samples) / rate:.2f} s, {loudness(samples, rate):.1f} LUFS, peak {20 * math.log10(peak * gain):.1f} dBFS")
    return samples


if __name__ == "__main__":
    target, source, destination = sys.argv[1:]
    samples, rate = read(source)
    write(destination, levelled(samples, rate, float(target), destination), rate)
