#!/usr/bin/env python3
"""The first hour of new centres, whose configured talk is half of, as long as, or twice what talks take: coldstart.md.

    coldstart.py --ewt DIR --pronto BINARY [--seeds 21,22,23,24,25] [--only a,b,c] [--out DIR]

Arguments are those of measure.py. Each seed is that many new centres (CENTRES), which share nothing: the estimator begins
with the configuration alone. Scored are all callers of the first hour who had to wait, by when they came; the truth is the
wait with infinite patience.
"""
import os
import measure
import ewt
from measure import A, metrics
from scenarios import H, RING, S, lam

WRAP = ("logn", 20, .8)
FIRST = dict(days=1, open=(9 * H, 10 * H), warm=0, wrap=WRAP, ring=RING, overdisp=(.1, .15), het=.1, jitter=240)
ALL_DAY = lambda count: (8.9 * H, 18 * H, count)
S.clear()
S["f3"] = dict(FIRST, queues=[dict(lam=lam(1.1, 3, 335), service=("logn", 310, 1.2), patience=("weib", 900, .8))],
    groups=[dict(skills=[0], shifts=[ALL_DAY(3)])])
S["f10"] = dict(FIRST, breaks=(.3, 480), groups=[dict(skills=[0], shifts=[ALL_DAY(10)])],
    queues=[dict(lam=lam(1.15, 10, 305), service=("logn", 280, 1.1), patience=("exp", 600))])
S["f30"] = dict(FIRST, groups=[dict(skills=[0], shifts=[ALL_DAY(30)])],
    queues=[dict(lam=lam(1.2, 30, 265), service=("exp", 240), patience=("hexp", .35, 60, 900))])
S["f8skill2"] = dict(FIRST, groups=[dict(skills=skills, shifts=[ALL_DAY(count)]) for skills, count in (([0], 3), ([1], 3), ([0, 1], 2))],
    queues=[dict(lam=lam(1.1, 4, 285), service=("logn", 260, 1.1), patience=("exp", 500)),
            dict(lam=lam(1.1, 4, 405), service=("logn", 380, 1.2), patience=("weib", 700, .8))])
for name, scenario in S.items():
    scenario["name"] = name
# New centres of one seed.
CENTRES = {"f3": 20, "f10": 6, "f30": 2, "f8skill2": 8}
WRONG = (.5, 1, 2)
PARTS = (("0 to 15 min", 0, 900), ("15 to 60 min", 900, 3600), ("first hour", 0, 3600))


def hinted(meta, scenario, wrong):
    """The meta line of a centre configured with so many times its talk."""
    return dict(meta, queues=[dict(talk_s=queue["service"][1] * wrong, ring_s=4, wrap_up_s=WRAP[1]) for queue in scenario["queues"]])


def centre(name, seed):
    """Of one new centre: by how wrong it is configured, (when the caller came, (wait, mean, P50, P90))."""
    events, callers, meta, _, _ = ewt.build(name, seed)
    waited = {it["call"]: it for it in callers if it["scored"]}
    for wrong in WRONG:
        told = measure.announced(hinted(meta, S[name], wrong), events)
        yield wrong, [(it["t"] - 9 * H, (it["wait"], *told.get(call, (0.0, 0.0, 0.0)))) for call, it in waited.items()]


def table(found):
    lines = ["| centre | talk configured | when | callers | mean wait | RRASE | bias | P(W>P50) | P(W>P90) | P90 / P50 |", "|" + "---|" * 10]
    for (name, wrong), rows in found.items():
        for part, begin, end in PARTS:
            some = [row for at, row in rows if begin <= at < end]
            if not some:
                continue
            score, wide = metrics.score(some), sum(p90 for *_, p90 in some) / max(1e-9, sum(p50 for *_, p50, _ in some))
            lines.append(f"| {name} | × {wrong} | {part} | {score['n']} | {score['meanW']:.0f} s | {score['rrase']:.3f} | "
                f"{100 * score['bias'] / score['meanW']:+.0f} % | {100 * score['ex50']:.0f} % | {100 * score['ex90']:.1f} % | {wide:.2f} |")
    return "\n".join(lines) + "\n"


def main():
    found = {}
    for name in (name for name in S if not A.only or name in A.only.split(",")):
        for seed in map(int, A.seeds.split(",")):
            for number in range(CENTRES[name]):
                for wrong, rows in centre(name, 1000 * seed + number):
                    found.setdefault((name, wrong), []).extend(rows)
    found = dict(sorted(found.items(), key=lambda it: (list(S).index(it[0][0]), it[0][1])))
    text = "New centres, pooled: " + ", ".join(f"{name} {CENTRES[name] * len(A.seeds.split(','))}" for name in S) + f" (seeds {A.seeds}).\n\n"
    with open(os.path.join(A.out, "coldstart.md"), "w") as file:
        file.write(text + table(found))


main()
