#!/usr/bin/env python3
"""The forecast against the reference estimators and the floor: table.md and announced.svg beside this file.

    measure.py --ewt DIR --pronto BINARY [--seeds 21,22,23,24,25] [--floor 120] [--only a,b,c] [--out DIR]

DIR holds the scorer (scenarios a and b, simulator, reference estimators); scenarios c are here. The simulator knows how
long each caller would have waited with infinite patience, and nothing of it reaches the forecast: BINARY is run as
`pronto forecast --events FILE` and answers each caller who has to wait before it reads on.
"""
import argparse, json, math, os, subprocess, sys, tempfile

ARGUMENTS = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
for option, default in (("--ewt", None), ("--pronto", "target/release/pronto"), ("--seeds", "21,22,23,24,25"),
                        ("--floor", "0"), ("--only", ""), ("--out", os.path.dirname(os.path.abspath(__file__)))):
    ARGUMENTS.add_argument(option, default=default, required=default is None)
A = ARGUMENTS.parse_args()
sys.path[:0] = [A.ewt, os.path.dirname(os.path.abspath(__file__))]
import ewt, metrics
from estimators import Track
from scenarios import H, PROF, RING, S, lam

WRAP = ("logn", 20, .8)
DAY = (8.9 * H, 18 * H)
# Shifts that change at noon, with breaks; three skills with priorities; 300 operators; two; three priorities.
S["c1_shift40"] = dict(days=6, queues=[dict(lam=lam(1.0, 34, 300), service=("logn", 280, 1.1), patience=("weib", 600, .8))],
    wrap=WRAP, ring=RING, profile=PROF, overdisp=(.08, .12), breaks=(.4, 600), het=.12, jitter=300,
    groups=[dict(skills=[0], shifts=[(8.9 * H, 13 * H, 16), (*DAY, 16), (12.5 * H, 18 * H, 16)])])
S["c2_skill3prio"] = dict(days=6, future=True, wrap=WRAP, ring=RING, profile=PROF, overdisp=(.08, .15), het=.1, jitter=300,
    queues=[dict(lam=lam(1.0, 14, 285), service=("logn", 260, 1.1), patience=("exp", 500), prio=[.2, .8]),
            dict(lam=lam(1.0, 10, 405), service=("logn", 380, 1.2), patience=("weib", 700, .8), prio=[.1, .9]),
            dict(lam=lam(1.0, 6, 225), service=("logn", 200, 1.0), patience=("exp", 300))],
    groups=[dict(skills=skills, shifts=[(*DAY, count)]) for skills, count in
            (([0], 9), ([1], 6), ([0, 1], 6), ([0, 1, 2], 8), ([2], 3))])
S["c3_big300"] = dict(days=2, warm=.5, wrap=WRAP, ring=RING, profile=PROF, overdisp=(.04, .06), breaks=(.25, 500), het=.1,
    queues=[dict(lam=lam(.97, 300, 300), service=("logn", 280, 1.2), patience=("weib", 500, .9))], jitter=300,
    groups=[dict(skills=[0], shifts=[(*DAY, 315)])])
S["c4_small2"] = dict(days=40, wrap=("logn", 40, .8), ring=RING, profile=PROF, overdisp=(.1, .2), breaks=(.2, 400), het=.15,
    queues=[dict(lam=lam(.85, 2, 420), service=("logn", 380, .8), patience=("exp", 1500))], jitter=240,
    groups=[dict(skills=[0], shifts=[(*DAY, 2)])])
S["c5_prio3"] = dict(days=8, future=True, wrap=("logn", 25, .8), ring=RING, profile=PROF, overdisp=(.1, .15), het=.12,
    queues=[dict(lam=lam(1.0, 12, 325), service=("exp", 300), patience=("hexp", .3, 60, 800), prio=[.1, .3, .6])],
    breaks=(.3, 480), jitter=300, groups=[dict(skills=[0], shifts=[(*DAY, 13)])])
for name, scenario in S.items():
    scenario["name"] = name
SHOWN = ("ASTERISK", "QL", "QLm", "LES", "REC")
# M/M/100 and M/M/100+M: patience rate in units of the mean service of 300 s.
EXACT = {"a1_mms100_r95": 0.0, "a2_mmsm100_r140": 1.0}


def exact(events, truth, patience):
    """QL or QLm with the true parameters: the optimum given the callers ahead (Erlang-A)."""
    waiting, rows = set(), []
    for _, kind, event in events:
        if kind == "entered" and event["queued"]:
            if event["call"] in truth:
                mean = sum(300 / (100 + ahead * patience) for ahead in range(len(waiting) + 1))
                rows.append((truth[event["call"]], mean, mean, mean))
            waiting.add(event["call"])
        elif kind in ("offered", "abandoned"):
            waiting.discard(event["call"])
    return metrics.score(rows)


def announced(meta, events):
    """What BINARY says of each caller who has to wait: call -> (mean, P50, P90)."""
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        for line in (dict(ev="meta", **meta), *(dict(t=round(t, 3), ev=kind, **event) for t, kind, event in events)):
            file.write(json.dumps(line) + "\n")
        file.flush()
        ran = subprocess.run([A.pronto, "forecast", "--events", file.name], capture_output=True, text=True)
    told = map(json.loads, ran.stdout.splitlines())
    return {answer["call_id"]: tuple(answer[key] or 0.0 for key in ("mean_s", "p50_s", "p90_s")) for answer in told}


def measure(name, seed):
    events, callers, meta, floor, _ = ewt.build(name, seed, floor=int(A.floor))
    truth = {it["call"]: it["wait"] for it in callers if it["scored"]}
    track = Track(meta)
    for at, kind, event in events:
        track.on(at, kind, event)
    told = announced(meta, events)
    rows = [(wait, *told.get(call, (0.0, 0.0, 0.0))) for call, wait in truth.items()]
    found = {e: metrics.score([(w, *track.preds[c][i][:3]) for c, w in truth.items()]) for i, e in enumerate(track.NAMES)}
    found["PRONTO"] = metrics.score(rows)
    if name in EXACT:
        found["ERLANG"] = exact(events, truth, EXACT[name])
    if floor:
        found["FLOOR"] = dict(rrase=math.sqrt(floor["mse"]) / found["PRONTO"]["meanW"])
    return found, rows


def geometric(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def table(results):
    lines = ["| scenario | " + " | ".join(SHOWN) + " | Erlang | floor | pronto | / REC | / best | P(W>P90) | P(W>P50) | bias | "
             "pinball / REC |", "|" + "---|" * (len(SHOWN) + 10)]
    ratios = {}
    for name, seeds in results.items():
        of = lambda e, key="rrase": geometric([found[e][key] for found in seeds])
        weights = [found["PRONTO"]["n"] for found in seeds]
        pooled = lambda key: sum(f["PRONTO"][key] * n for f, n in zip(seeds, weights)) / sum(weights)
        known = lambda e: f"{of(e):.3f}" if e in seeds[0] else ""
        best = min((e for e in seeds[0] if e not in ("PRONTO", "ERLANG", "FLOOR")), key=of)
        ratios.setdefault(name[0], []).append(of("PRONTO") / of("REC"))
        lines.append(f"| {name} | " + " | ".join(known(e) for e in SHOWN) + f" | {known('ERLANG')} | {known('FLOOR')} | "
            f"{of('PRONTO'):.3f} | {of('PRONTO') / of('REC'):.3f} | {of('PRONTO') / of(best):.3f} {best} | "
            f"{100 * pooled('ex90'):.1f} % | {100 * pooled('ex50'):.1f} % | {100 * pooled('bias') / pooled('meanW'):+.1f} % | "
            f"{of('PRONTO', 'pin') / of('REC', 'pin'):.3f} |")
    lines.append("")
    lines += [f"Geometric mean of RRASE over that of REC, scenarios {kind}: {geometric(them):.4f}." for kind, them in ratios.items()]
    return "\n".join(lines) + "\n"


def picture(name, rows):
    """Each announced wait (the P50 as a dot, the line up to the P90 under it) against the wait that came, on logarithms."""
    rows = [row for row in rows if row[0] > 1 and row[2] > 1][::max(1, len(rows) // 500)]
    most = max(max(row[0], row[3]) for row in rows)
    at = lambda wait: 60 + 520 * math.log(max(wait, 1)) / math.log(most)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 620 640" font-family="sans-serif" font-size="12">'
             '<rect width="620" height="640" fill="white"/>',
             f'<text x="60" y="20">{name}: the wait announced (dot P50, line to P90) against the wait that came</text>']
    for tick in (1, 5, 10, 30, 60, 120, 300, 600, 1200, 3600):
        if tick <= most:
            parts.append(f'<path d="M{at(tick):.0f} 60V580M60 {640 - at(tick):.0f}H580" stroke="#ddd"/>'
                         f'<text x="{at(tick) - 8:.0f}" y="598">{tick}</text><text x="28" y="{644 - at(tick):.0f}">{tick}</text>')
    parts.append('<path d="M60 580L580 60" stroke="#888" stroke-dasharray="4"/>'
                 '<text x="250" y="618">came, s</text><text x="8" y="40">announced, s</text>')
    for came, _, p50, p90 in rows:
        late = "#c33" if came > p90 else "#369"
        parts.append(f'<path d="M{at(came):.1f} {640 - at(p50):.1f}V{640 - at(p90):.1f}" stroke="{late}" stroke-opacity=".15"/>'
                     f'<circle cx="{at(came):.1f}" cy="{640 - at(p50):.1f}" r="1.2" fill="{late}" fill-opacity=".6"/>')
    return "\n".join(parts) + "\n</svg>\n"


def main():
    wanted = [name for name in S if not A.only or any(name.startswith(it) for it in A.only.split(","))]
    results, drawn = {}, None
    for name in wanted:
        for seed in map(int, A.seeds.split(",")):
            found, rows = measure(name, seed)
            results.setdefault(name, []).append(found)
            print(name, seed, f"{found['PRONTO']['rrase'] / found['REC']['rrase']:.3f} of REC", file=sys.stderr, flush=True)
            if drawn is None or name.startswith("b3") and not drawn[0].startswith("b3"):
                drawn = (name, rows)
    with open(os.path.join(A.out, "table.md"), "w") as file:
        floor = f" (floor: {A.floor} callers of each)" if int(A.floor) else ""
        file.write(f"RRASE, geometric mean over seeds {A.seeds}{floor}; red in announced.svg: later than the P90.\n\n" + table(results))
    with open(os.path.join(A.out, "announced.svg"), "w") as file:
        file.write(picture(*drawn))


if __name__ == "__main__":
    main()
