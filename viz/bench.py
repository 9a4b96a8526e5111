"""A benchmark's result in a terminal: one table for each subset, then what qualifies the figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tracer.text import clean

_COLUMNS = 4
"""Kinds of pairs side by side: more do not fit into 80 columns."""
_SHORT = 9
"""Letters of a method's name at the head of a column."""


def bench_report(result: Mapping[str, Any]) -> RenderableType:
    """All figures are shares of runs in percent, but mean rank, log-loss and Brier score; intervals are 95 %."""
    parts: list[RenderableType] = []
    for name, subset in result["subsets"].items():
        parts += [_heading(name, subset, str(result["protocol"])), _methods(subset["methods"]), *_notes(subset), Text()]
    if second := result.get("second_labels"):
        parts += _second(second)
    return Group(*parts)


def alarms_report(result: Mapping[str, Any]) -> RenderableType:
    """Rates of `tracer bench alarms`, in percent with 95 % intervals."""
    lines = []
    for name in ("success", "failure"):
        if found := result.get(name):
            lines.append(
                f"{found['n']} runs that ended in {name}, with the outcome hidden: "
                f"verdict root cause {_with_ci(found, 'root_cause')}; "
                f"P(failed) above one half {_with_ci(found, 'p_failed_above_half')}, "
                f"on average {found['mean_p_failed']:.2f}"
            )
    return Text("\n".join(lines))


def sources_report(rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    """The exact step by what the ranker was trained on and tested on, in percent with 95 % intervals."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for place, heading in enumerate(("trained on", "tested on", "runs", "step, %", "log loss")):
        table.add_column(heading, justify="right" if place > 1 else "left")
    for row in rows:
        low, high = row["interval"]
        loss = "–" if row["log_loss"] is None else f"{row['log_loss']:.3f}"
        step = f"{_pc(row['step'])} [{_pc(low)}, {_pc(high)}]"
        table.add_row(row["trained_on"], row["tested_on"], str(row["n"]), step, loss)
    return table


def pocket_report(result: Mapping[str, Any]) -> RenderableType:
    """Shares of problems solved, in percent with 95 % intervals."""
    lines = [
        f"{name}: {_pc(result[name])} % [{_pc(low)}, {_pc(high)}] of {result['n']}"
        for name, (low, high) in result["intervals"].items()
    ]
    return Text("\n".join(lines))


def edges_report(result: Mapping[str, Any]) -> RenderableType:
    """AUROC / average precision of each score by kind of pair, then how often the decisive sentence is found."""
    categories = list(result["base_rate"])
    tables = [_edges(result, categories[k : k + _COLUMNS]) for k in range(0, len(categories), _COLUMNS)]
    decisive = result["decisive"]
    told = [
        f"{clean(name)} {_pc(rates['top1'])} % / {_pc(rates['top3'])} %"
        for name, rates in decisive.items()
        if name != "n"
    ]
    words = (
        f"Decisive sentence first / among the first three, of {decisive['n']} traces that have one: {', '.join(told)}"
    )
    head = f"{result['seeds']} x {result['n']} traces · model {clean(result['model']['name'])}"
    return Group(Text(head, style="bold"), *(part for table in tables for part in (table, Text())), Text(words))


def _edges(result: Mapping[str, Any], categories: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("AUROC / AP")
    for name in categories:
        table.add_column(Text(name.replace("_", "\n")), justify="right")
    table.add_row("base rate", *(f"{result['base_rate'][name]:.3f}" for name in categories))
    for score, found in result["edges"].items():
        cells = [f"{found[name]['auroc']:.3f} / {found[name]['ap']:.3f}" for name in categories]
        table.add_row(Text(clean(score)), *cells)
    return table


def _with_ci(found: Mapping[str, Any], name: str) -> str:
    low, high = found[f"{name}_ci"]
    return f"{_pc(found[name])} % [{_pc(low)}, {_pc(high)}]"


def _heading(name: str, subset: Mapping[str, Any], protocol: str) -> Text:
    words = f"{name} · {subset['n']} runs · protocol {protocol}"
    if subset["in_sample"]:
        words += f" · {subset['in_sample']} in-sample runs left out"
    if "lm" in subset:
        words += f" · {subset['lm']['runs']} asked of a model"
    return Text(words, style="bold")


def _methods(methods: Mapping[str, Any]) -> RenderableType:
    if not methods:
        return Text(
            "  every run here was used to train the shipped ranker; `--protocol cv` scores it fairly", style="dim"
        )
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("method")
    for name in (
        "step",
        "[95 %]",
        "agent",
        "joint",
        "top 3",
        "top 5",
        "±1",
        "±5",
        "rank",
        "official step, agent",
        "log-loss",
        "Brier",
    ):
        table.add_column(Text(name), justify="right", no_wrap=True)
    for name, scored in methods.items():
        strict, official = scored["strict"], scored["official"]
        low, high = strict["step_ci"]
        table.add_row(
            Text(clean(name), style="bold" if name == "ranker" else ""),
            *(Text(cell) for cell in (
                _pc(strict["step"]), f"{_pc(low)}-{_pc(high)}", _pc(strict["agent"]), _pc(strict["joint"]),
                _pc(strict["top3"]), _pc(strict["top5"]), _pc(strict["within"]["1"]), _pc(strict["within"]["5"]),
                f"{strict['mean_rank']:.1f}", f"{_pc(official['step'])}, {_pc(official['agent'])}",
                _figure(scored, "log_loss"), _figure(scored, "brier"),
            )),
        )  # fmt: skip
    return table


def _notes(subset: Mapping[str, Any]) -> list[RenderableType]:
    lines = []
    if ranker := subset["methods"].get("ranker"):
        slope, intercept = ranker["calibration"]["slope"], ranker["calibration"]["intercept"]
        lines.append(
            f"ranker: calibration slope {_range(slope)} (1 is right), intercept {_range(intercept)} (0 is right); "
            f"commits itself on {_pc(ranker['coverage'])} %, right in {_pc(ranker['step_when_claimed'])} % of those"
        )
    for ours, compared in (("ranker", "ranker_minus"), (_asked(subset), "lm_minus")):
        for name, differences in subset.get(compared, {}).items():
            told = ", ".join(f"{key} {_points(found)}" for key, found in differences.items())
            lines.append(f"{ours} minus {name}, points, paired over questions: {told}")
    lines += _language_model(subset["lm"]) if "lm" in subset else []
    for defect in subset["label_defects"]:
        lines.append(f"label defect: {clean(defect['source'])} step {defect['step']}: {clean(defect['defect'])}")
    return [Text(f"  {line}", style="dim") for line in lines]


def _asked(subset: Mapping[str, Any]) -> str:
    return str(subset["lm"]["method"]) if "lm" in subset else ""


def _language_model(told: Mapping[str, Any]) -> list[str]:
    """What was asked of a language model, what it took, and whether it listens to bystanders."""
    cost, answers, quotes = told["cost"], told["answers"], told["quotes"]
    seen = f"with{'' if told['ground_truth'] else 'out'} the right answer"
    lines = [
        f"{told['method']} by {clean(told['name'])}, {seen}: {told['runs']} runs, {cost['requests']:,} requests, "
        f"about {cost['read']:,} tokens read, {cost['written']:,} written, {cost['seconds']:,.1f} s of waiting",
        f"answers: {answers['named']} name a step, {answers['abstained']} abstain, {answers['unreadable']} unreadable, "
        f"{answers['unfit']} do not fit; citations: {quotes['held']} stand in their step, {quotes['dropped']} dropped; "
        f"{told['runs_cut']} runs were cut to the window",
    ]
    if twins := told.get("twins"):
        lines.append(
            f"a bystander that argues who is guilty sways the answer in {_with_ci(twins, 'swayed')} of {twins['runs']} "
            f"runs, {twins['followed']} times to the step that it accuses"
        )
    return lines


def _second(second: Mapping[str, Any]) -> list[RenderableType]:
    lines = [
        f"Second team's labels · {second['n']} runs: "
        f"the two teams agree on the step in {_pc(second['step_agreement'])} %, "
        f"on the agent in {_pc(second['agent_agreement'])} %",
        "Points at a step that either team called a failure: "
        + ", ".join(f"{clean(name)} {_pc(share)} %" for name, share in second["points_at_a_failure"].items()),
    ]
    return [Text(line) for line in lines]


def _pc(share: float | None) -> str:
    if share is None:
        return "–"
    return f"{100 * share:.0f}" if share in {0, 1} else f"{100 * share:.1f}"


def _figure(scored: Mapping[str, Any], name: str) -> str:
    return f"{scored[name]:.2f}" if name in scored else "–"


def _range(found: list[float]) -> str:
    return f"{found[0]:.2f} [{found[1]:.2f}, {found[2]:.2f}]"


def _points(found: list[float]) -> str:
    return f"{100 * found[0]:+.1f} [{100 * found[1]:+.1f}, {100 * found[2]:+.1f}]"


def resampling_bench_report(result: Mapping[str, Any]) -> RenderableType:
    """How often each method ranks the decisive sentence first or among the first three; then cost, truth and speed."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("first / in three, %")
    table.add_column("n", justify="right")
    for method in result["decisive"]:
        table.add_column(clean(method)[:_SHORT], justify="right")
    events = {"slips": {"n": result["n"], **result["decisive"]}, **result["decisive_by_event"]}
    for name, found in events.items():
        cells = [f"{_pc(found[method]['top1'])}/{_pc(found[method]['top3'])}" for method in result["decisive"]]
        table.add_row(clean(name), str(found["n"]), *cells)
    adaptive, engine = result["adaptive"], result["engine"]
    lines = [
        f"the model contradicts the construction of {result['contradicted']} of {result['n']} slips",
        f"of {adaptive['wanted']} sentences that a full reference names: {_pc(adaptive['recall_top3'])} % found, "
        f"{_pc(adaptive['second_sweep'])} % by a second sweep; "
        f"of a sweep: {_pc(adaptive['rollouts_ratio'])} % of rollouts, {_pc(adaptive['tokens_ratio'])} % of tokens",
        f"planted: discoveries where there are none {_pc(result['null']['false_discovery'])} %; "
        f"95 % intervals hold the truth in {_pc(result['coverage']['observed'])} %",
        f"engine: {engine['speedup_vs_generate']:.1f} x generate, "
        f"{engine['valid_speedup_vs_generate']:.1f} x in valid rollouts",
    ]
    return Group(Text(f"model {clean(result['model']['name'])}", style="bold"), table, Text("\n".join(lines)))
