"""Makes the demo run in which an agent thinks aloud: python -m tracer.data.demo_pocket.

The solver is the pocket language model. The others are scripted and only hand on what they were given, so the run fails
where the solver fails: in the one sentence of its reasoning in which a sum does not hold. Nothing is planted; of the
test problems, in the order of their seeds, the first is taken in which the model, sampled once at T = 0.8, makes one
such slip, does not find it, and is wrong in the end - with a number that can be told from others: one digit, or a round
number, stands in too many texts to show who used what.
"""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from tracer.data.chains import Trace, prompt_of
from tracer.data.greedy import completer
from tracer.data.pocket_model import load
from tracer.data.problems import Problem
from tracer.data.reread import reread
from tracer.data.world import TEST, problem
from tracer.data.world_words import END

FILE: Final = "box-count.messages.json"
TRIED: Final = 250
"""Problems that are sampled at a time."""


def slipped() -> tuple[Problem, Trace]:
    """The first problem with one slip that is never found, and what the model wrote."""
    complete = completer(load(), END, temperature=0.8)
    for first in range(TEST.start, TEST.stop, TRIED):
        problems = [problem(seed) for seed in range(first, first + TRIED)]
        for each, reply in zip(problems, complete([prompt_of(p) for p in problems]), strict=True):
            read = reread(each, reply)
            if read is not None and read.event == "slip" and read.answer != each.answer and _telling(read.answer):
                return each, read
    raise AssertionError("no slip in a hundred million problems")


def _telling(answer: int) -> bool:
    return answer > 10 and answer % 10 > 0


def messages(asked: Problem, written: Trace) -> list[dict[str, Any]]:
    """The team's talk; the solver's message before its turn is exactly what the model was given."""
    who, given = asked.target, prompt_of(asked).removesuffix("<think>")
    rules = (
        f'On the sheet, "{who}: Eva +2." means that {who} has two boxes more than Eva, and "They say" marks hearsay.'
    )
    think = f"<think>{''.join(sentence.text for sentence in written.sentences)} </think>\n\\boxed{{ {written.answer}}}"
    return [
        {"role": "user", "name": "user", "content": f"How many boxes does {who} have?"},
        {"role": "assistant", "name": "planner", "content": f"Clerk, read the sheet to the solver. {rules}"},
        {"role": "assistant", "name": "clerk", "content": given},
        {"role": "assistant", "name": "solver", "content": think},
        {"role": "assistant", "name": "checker", "content": f"The solver says {written.answer}. I see no problem."},
        {"role": "assistant", "name": "reporter", "content": f"{who} has {written.answer} boxes."},
    ]


def main() -> None:
    """Write the file among the demo runs."""
    path = Path(str(files("tracer.data").joinpath("demo"))) / FILE
    path.write_text(json.dumps({"messages": messages(*slipped())}, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
