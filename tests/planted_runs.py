"""200 runs of an office of agents, written by hand rules, with two faults in some of them and much that is innocent.

A desk reads an order and hands it to one of two branches; each looks the customer up and hands on a form; a pricer
makes an offer of it, sometimes a checker looks at it, and a writer ends the run. Planted:

- `lookup` fails in the branch *export*: then the run fails nine times in ten. Elsewhere the same tool fails with the
  same words, and nothing comes of it.
- the *pricer* leaves the field `currency` out of its offer: then the run fails nine times in ten.

Whatever else a run has, it fails once in twelve. Innocent: who checks, a translator who is there in one run of eight, a
consultant who is there in one of forty, retries, what tools say, the order of fields, small talk, another field
(`note`) that anybody may leave out, a tool that fails on its own. Everything is drawn from one seeded generator.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any, NamedTuple

FAILS = {"planted": 0.9, "other": 1 / 12}


class Planted(NamedTuple):
    """One run, and what was planted in it."""

    result: dict[str, Any]
    tool: bool
    field: bool


def planted_runs(seed: int, count: int = 200, faults: bool = True) -> list[Planted]:
    """Runs in the form of tau-bench: a list of chat messages and a reward."""
    generator = random.Random(seed)
    return [_run(generator, number, faults) for number in range(count)]


def write(folder: Path, runs: list[Planted]) -> Path:
    """One file with all of them; return it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "office.jsonl"
    path.write_text("".join(json.dumps(run.result) + "\n" for run in runs), encoding="utf-8")
    return path


def _run(draw: random.Random, number: int, faults: bool) -> Planted:
    branch = draw.choice(["export", "inland"])
    tool = faults and branch == "export" and draw.random() < 0.35
    field = faults and draw.random() < 0.14
    form = _form(draw)
    talk = [{"role": "user", "content": f"Please handle order {form['order']} over {form['amount']}."}]
    talk += [_said("desk", f"Order {form['order']} goes to {branch}. {draw.choice(['Thanks.', 'Have a look.', ''])}")]
    talk += _chance(draw, 1 / 8, "translator", f"In plain words: handle {form['order']}.")
    talk += _chance(draw, 1 / 40, "consultant", "I would not do it in any other way.")
    talk += _branch(draw, branch, form, tool or (branch == "inland" and draw.random() < 0.3))
    talk += [_said("pricer", _offer(draw, form, field))]
    talk += _chance(draw, 1 / 2, "checker", draw.choice(["Looks right.", "I see nothing wrong.", "Please go on."]))
    talk += [_said("writer", f"The offer for order {form['order']} is {_price(form)}.")]
    failed = draw.random() < FAILS["planted" if tool or field else "other"]
    result = {"task_id": number, "trial": 0, "reward": 0.0 if failed else 1.0, "info": {}, "traj": talk}
    return Planted(result, tool, field)


def _form(draw: random.Random) -> dict[str, Any]:
    form: dict[str, Any] = {"order": draw.randrange(10_000, 99_999), "amount": draw.randrange(20, 900)}
    form |= {"currency": draw.choice(["EUR", "USD", "GBP"]), "due": f"{draw.randrange(1, 28)} May"}
    return form | ({"note": draw.choice(["gift", "fragile", "call first"])} if draw.random() < 0.6 else {})


def _branch(draw: random.Random, agent: str, form: dict[str, Any], fails: bool) -> list[dict[str, Any]]:
    """Look the customer up, perhaps look at the stock, and hand the form on."""
    order = form["order"]
    talk = _call(agent, "lookup", order, f"Error: no customer for order {order}" if fails else "customer 7")
    if draw.random() < 0.25:
        talk += _call(agent, "stock", order, draw.choice(["12 left", "Error: warehouse 3 is closed", "none left"]))
    return [*talk, _said(agent, f"Here is the form: {_json(draw, form)}")]


def _offer(draw: random.Random, form: dict[str, Any], drops: bool) -> str:
    left_out = ({"currency"} if drops else set()) | ({"note"} if draw.random() < 0.4 else set())
    return _json(draw, {name: value for name, value in form.items() if name not in left_out} | {"price": _price(form)})


def _price(form: dict[str, Any]) -> float:
    return float(round(form["amount"] * 1.19, 2))


def _json(draw: random.Random, form: dict[str, Any]) -> str:
    names = sorted(form)
    draw.shuffle(names)
    return json.dumps({name: form[name] for name in names})


def _said(agent: str, content: str) -> dict[str, Any]:
    return {"role": "assistant", "name": agent, "content": content}


def _chance(draw: random.Random, share: float, agent: str, content: str) -> list[dict[str, Any]]:
    return [_said(agent, content)] if draw.random() < share else []


def _call(agent: str, tool: str, order: int, result: str) -> list[dict[str, Any]]:
    function = {"name": tool, "arguments": json.dumps({"order": order})}
    calls = [{"id": f"{tool}-{order}", "type": "function", "function": function}]
    return [
        {"role": "assistant", "name": agent, "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": f"{tool}-{order}", "name": tool, "content": result},
    ]
