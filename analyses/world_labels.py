"""Which step broke a run of the agent world: established by living it again, never by looking at what was said.

With P(t) the share of lives that end well when turns 0 to t are kept and all that follows is lived anew (tools
included), the decisive step is the one with the largest fall, argmax over t of P(t - 1) - P(t). It is one if

    the fall is at least FALL, and the low end of its 95 % interval lies above the second-largest fall,
    P does not come back: it stays below the middle of the fall at every later step,
    the correct turn in its place brings P back, as far as its interval can tell.

Otherwise the run is `diffuse`. Coarse to fine: COARSE lives at every step, FINE beside each fall that might be one,
SURE at the two steps beside the largest. Inside the step the same is done sentence by sentence of its reasoning, and
where the second-largest fall lies in the interval of the largest no sentence is named. Shares have Wilson's intervals,
falls Newcombe's.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from tracer.data.agent_faults import correct, fault, parents
from tracer.data.agent_replay import voices
from tracer.data.agent_runs import mapped
from tracer.data.agent_steps import noted, places, seed_of, turns_of
from tracer.data.agents import Life, World, begun, live, over, solved, world
from tracer.data.teams import Turn
from tracer.data.world_words import TOOLS
from tracer.errors import BadInputError
from tracer.files import write_whole
from tracer.records import Recording
from tracer.sentences import split
from tracer.stats import Count, difference, wilson

COARSE, FINE, SURE = 16, 40, 100
"""Lives at every step, beside each fall, and beside the largest."""
WITHIN = 40
"""Lives behind each sentence of the decisive step."""
FALL = 0.5
SUSPECT = 0.25
"""From here on a fall is looked at more closely."""
FIRST_SEED = 1 << 32
"""Labels draw from here on; a run's own life and those of whoever explains it have smaller seeds."""


class Curve:
    """P(t) of one run, as far as it was measured."""

    def __init__(self, made: World, turns: Sequence[Turn]) -> None:
        self.made, self.turns = made, turns
        self.first = len(begun(made)) - 1
        """The user's question: behind it, all is from scratch."""
        self.counts = {place: Count(0, 0) for place in range(self.first, len(turns))}
        self.forks = 0

    def measure(self, wanted: Mapping[int, int]) -> None:
        """Have at least so many lives at each of these places."""
        lives = [
            Life(self.made, self.turns[: place + 1], FIRST_SEED + place * SURE + number)
            for place, n in wanted.items()
            for number in range(self.counts[place].n, n)
        ]
        self.forks += sum(not over(self.made, life.turns) for life in lives)
        for life, talk in zip(lives, live(lives, voices()), strict=True):
            place = len(life.turns) - 1
            hits, n = self.counts[place]
            self.counts[place] = Count(hits + solved(self.made, talk), n + 1)

    def fall(self, place: int) -> float:
        """P(t - 1) - P(t)"""
        return self.counts[place - 1].share - self.counts[place].share

    @property
    def falls(self) -> list[int]:
        """Places by the size of their fall, the largest first."""
        return sorted(range(self.first + 1, len(self.turns)), key=self.fall, reverse=True)


def measured(made: World, turns: Sequence[Turn]) -> Curve:
    """P(t), coarse to fine."""
    curve = Curve(made, turns)
    curve.measure(dict.fromkeys(curve.counts, COARSE))
    while True:
        largest, *others = curve.falls
        wanted = {place: FINE for k in others if curve.fall(k) >= SUSPECT for place in (k - 1, k)}
        wanted |= {place: FINE for k in others[:1] for place in (k - 1, k)}
        wanted |= dict.fromkeys((largest - 1, largest), SURE)
        if all(curve.counts[place].n >= n for place, n in wanted.items()):
            return curve
        curve.measure(wanted)


class Found(NamedTuple):
    """What the curve says."""

    place: int
    reason: str
    """Why the run is diffuse; "" where it is not."""
    fall: tuple[float, float, float]
    second: float
    restored: Count


def judged(curve: Curve) -> Found:
    """The largest fall, held to the rules."""
    place, *others = curve.falls
    before, after = curve.counts[place - 1], curve.counts[place]
    fall = difference(after, before)
    second = curve.fall(others[0]) if others else 0.0
    restored = Count(0, 0)
    later = max((curve.counts[k].share for k in range(place + 1, len(curve.turns))), default=0.0)
    if fall.value < FALL:
        reason = f"the largest fall is {fall.value:.2f}"
    elif fall.low <= second:
        reason = f"the second-largest fall, {second:.2f}, lies in the interval of the largest"
    elif later > (before.share + after.share) / 2:
        reason = f"P comes back to {later:.2f}"
    else:
        restored = _restored(curve, place)
        short = wilson(*restored).high < before.share or difference(after, restored).value < FALL
        reason = "the correct step does not bring P back" if short else ""
    return Found(place, reason, fall[:3], second, restored)


def _restored(curve: Curve, place: int) -> Count:
    """Lives that end well when the correct turn stands at a place."""
    right = correct(curve.made, curve.turns, place)
    if right is None:
        return Count(0, 0)
    kept = [*curve.turns[:place], right]
    lives = [Life(curve.made, kept, FIRST_SEED - 1 - number) for number in range(SURE)]
    curve.forks += len(lives)
    return Count(sum(solved(curve.made, talk) for talk in live(lives, voices())), len(lives))


class Within(NamedTuple):
    """Where in the reasoning it happens, and how sure that is."""

    start: int
    """Characters of the step's reasoning; behind its end where P falls in what is said."""
    end: int
    text: str
    fall: tuple[float, float, float]
    """The largest, with its interval."""
    second: float
    shares: list[Count]
    """Lives that ended well with the first 0, 1, ... sentences kept, and last with the whole step."""

    @property
    def reason(self) -> str:
        """Why the label names no sentence; "" where it does."""
        if self.fall[1] > self.second:
            return ""
        return f"the second-largest fall, {self.second:.2f}, lies in the interval of the largest, {self.fall[0]:.2f}"


def within(curve: Curve, place: int) -> Within | None:
    """The sentence behind which P falls most; None at a tool, and where there is no reasoning.

    WITHIN lives at every place, SURE beside the two largest falls.
    """
    turn = curve.turns[place]
    if turn.speaker in TOOLS or not turn.thought.strip():
        return None
    reasoning = turn.thought.strip()
    spans = split(reasoning)
    ends = [0, *(len(reasoning[: span.end].rstrip()) for span in spans)]
    counts = [*(Count(0, 0) for _ in ends), curve.counts[place]]
    wanted = dict.fromkeys(range(len(ends)), WITHIN)
    while wanted:
        for at, n in wanted.items():
            counts[at] = _lived_on(curve, place, reasoning[: ends[at]], counts[at], n)
        largest = _falls(counts)[:2]
        wanted = {at: SURE for k in largest for at in (k, k + 1) if at < len(ends) and counts[at].n < SURE}
    at, *others = _falls(counts)
    fall = difference(counts[at + 1], counts[at])[:3]
    second = max((counts[k].share - counts[k + 1].share for k in others[:1]), default=0.0)
    start, end = (spans[at].start, ends[at + 1]) if at < len(spans) else (len(reasoning), len(reasoning))
    return Within(start, end, reasoning[start:end], fall, second, counts)


def _falls(counts: Sequence[Count]) -> list[int]:
    """Places of a reasoning by the size of the fall behind them, the largest first."""
    return sorted(range(len(counts) - 1), key=lambda k: counts[k].share - counts[k + 1].share, reverse=True)


def _lived_on(curve: Curve, place: int, thought: str, count: Count, n: int) -> Count:
    """At least n lives whose turn begins with a thought."""
    said = f" <think> {thought}".rstrip()
    lives = [Life(curve.made, curve.turns[:place], FIRST_SEED + number, said) for number in range(count.n, n)]
    curve.forks += len(lives)
    well = sum(solved(curve.made, talk) for talk in live(lives, voices()))
    return Count(count.hits + well, max(n, count.n))


def label(recording: Recording) -> dict[str, Any]:
    """The label of a failed run, as JSON; steps are those of the run as it was read."""
    seed = seed_of(recording.steps)
    if seed is None:
        raise BadInputError(f"run {recording.run.id} is none of the agent world: no step says `Team N: ...`")
    started = time.perf_counter()
    made = world(seed)
    turns = turns_of(made, recording.steps)
    curve = measured(made, turns)
    found = judged(curve)
    inside = None if found.reason else within(curve, found.place)
    index = places(made, turns)
    turn = turns[found.place]
    tool = turn.speaker in TOOLS
    return {
        "run": recording.run.id,
        "seed": seed,
        "topology": made.team.topology,
        "status": "diffuse" if found.reason else "decisive",
        "reason": found.reason,
        "step": index[found.place],
        "agent": turn.to if tool else turn.speaker,
        "kind": "environment" if tool else "agent",
        "fault": fault(made, turns, found.place),
        **_told(inside),
        "fall": _rounded(found.fall),
        "second_fall": round(found.second, 4),
        "restored": _share(found.restored),
        "curve": [{"step": index[place], **_share(count)} for place, count in curve.counts.items()],
        "edges": true_edges(made, turns),
        "forks": curve.forks,
        "seconds": round(time.perf_counter() - started, 1),
    }


def _told(inside: Within | None) -> dict[str, Any]:
    """The sentence, null where none is settled; and what that rests on."""
    if inside is None:
        return {"sentence": None, "within": None}
    place = {"start": inside.start, "end": inside.end, "text": inside.text}
    return {
        "sentence": None if inside.reason else place,
        "within": {
            "reason": inside.reason,
            "fall": _rounded(inside.fall),
            "second_fall": round(inside.second, 4),
            "shares": [list(count) for count in inside.shares],
        },
    }


def sentence_anew(recording: Recording, old: Mapping[str, Any]) -> dict[str, Any]:
    """A label whose step stands and whose sentence is measured anew; `seconds` stay those of the whole label."""
    if old["status"] != "decisive":
        return {**old, **_told(None)}
    made = world(old["seed"])
    turns = turns_of(made, recording.steps)
    place = places(made, turns).index(old["step"])
    curve = Curve(made, turns)
    curve.counts[place] = next(Count(each["hits"], each["n"]) for each in old["curve"] if each["step"] == old["step"])
    new = _told(within(curve, place))
    before = (old.get("within") or old["sentence"] or {"shares": [[0, 0]]})["shares"][:-1]
    return {**old, **new, "forks": old["forks"] - sum(n for _, n in before) + curve.forks}


def true_edges(made: World, turns: Sequence[Turn]) -> list[list[int]]:
    """[source, target] steps: which uses which, by the construction. Notes are the system message that holds them."""
    index = noted(made, turns)
    pairs = (
        (index[source], index[target])
        for target in range(len(begun(made)), len(turns))
        for source in parents(made, turns, target)
    )
    return sorted([source, target] for source, target in pairs if source is not None and target is not None)


def edges_anew(recordings: Sequence[Recording], labels: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The labels with the true edges as the construction gives them now; nothing is lived again, all else stays."""
    steps = {each.run.id: each.steps for each in recordings}
    found = []
    for each in labels:
        made = world(each["seed"])
        found.append({**each, "edges": true_edges(made, turns_of(made, steps[each["run"]]))})
    return found


def _share(count: Count) -> dict[str, Any]:
    found = wilson(*count)
    return {
        "hits": count.hits,
        "n": count.n,
        "p": round(found.value, 4),
        "low": round(found.low, 4),
        "high": round(found.high, 4),
    }


def _rounded(values: Sequence[float]) -> list[float]:
    return [round(value, 4) for value in values]


Progress = Callable[[str, int, int], None]


def label_all(
    recordings: Sequence[Recording], path: Path, jobs: int = 0, progress: Progress = lambda *_: None
) -> list[dict[str, Any]]:
    """The labels of these failed runs, in their order; each is added to the file as it is found, and kept there."""
    have = {each["run"]: each for each in read_labels(path)}
    missing = [each for each in recordings if each.run.id not in have]
    with path.open("ab") as file:
        for number, found in enumerate(mapped(label, jobs, missing), 1):
            have[found["run"]] = found
            file.write(orjson.dumps(found) + b"\n")
            file.flush()
            progress("run", number, len(missing))
    return [have[each.run.id] for each in recordings]


def sentences_all(
    recordings: Sequence[Recording], path: Path, jobs: int = 0, progress: Progress = lambda *_: None
) -> list[dict[str, Any]]:
    """The labels of these runs that a file holds, with their sentences measured anew; the file is written over."""
    labels = {each["run"]: each for each in read_labels(path)}
    known = [each for each in recordings if each.run.id in labels]
    work = mapped(sentence_anew, jobs, known, [labels[each.run.id] for each in known])
    for number, found in enumerate(work, 1):
        labels[found["run"]] = found
        write_whole(path, b"".join(orjson.dumps(each) + b"\n" for each in labels.values()))
        progress("sentence", number, len(known))
    return [labels[each.run.id] for each in known]


def read_labels(path: Path) -> list[dict[str, Any]]:
    """The labels in a file, none where there is none; a last line that was cut off is cut off the file, too."""
    if not path.is_file():
        return []
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    try:
        found = [orjson.loads(line) for line in whole.splitlines()]
    except orjson.JSONDecodeError as error:
        raise BadInputError(f"{path}: no file of labels: a line is no JSON; name another with -o") from error
    if not all(isinstance(each, dict) and "run" in each for each in found):
        raise BadInputError(f"{path}: no file of labels: a line names no run; name another with -o")
    if len(whole) < len(data):
        write_whole(path, whole)
    return found


def summary(labels: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How many there are of each kind, and what they cost."""
    decisive = [each for each in labels if each["status"] == "decisive"]
    forks = sum(each["forks"] for each in labels)
    return {
        "runs": len(labels),
        "diffuse": len(labels) - len(decisive),
        "sentences": sum(each["sentence"] is not None for each in decisive),
        "faults": dict(Counter(each["fault"] for each in decisive).most_common()),
        "topologies": dict(Counter(each["topology"] for each in labels).most_common()),
        "forks": forks,
        "forks_per_run": round(forks / max(1, len(labels))),
        "seconds_per_run": round(sum(each["seconds"] for each in labels) / max(1, len(labels)), 1),
    }
