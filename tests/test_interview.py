"""Asking until the answer has its form."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel, Field

from tracer.analyses.interview import AGAIN, Asking, Form, ask, objects, read

Serve = Callable[..., Any]


class Number(BaseModel):
    """A number up to nine."""

    n: int = Field(le=9)


FORM = Form(Number, lambda reply: "n must be odd" if reply.n % 2 == 0 else "")


@pytest.mark.parametrize(
    "text",
    [
        '{"n": 3}',
        'Sure! ```json\n{"n": 3}\n```',
        '<think>{"n": 5}? no</think> {"n": "3"}',
        '{"n": 5} or rather {"n": 3}',
        '{"n": 3} {"n": 99} {"n": 4} {"other": 1}',
        '{{{"n": 3}',
    ],
)
def test_the_last_object_of_the_right_form_is_the_answer(text: str) -> None:
    reply, _ = read(text, FORM)
    assert reply == Number(n=3)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "there is no JSON object in it"),
        ('["n"]', "there is no JSON object in it"),
        ('{"n": 3', "there is no JSON object in it"),
        ("{" * 100_000, "there is no JSON object in it"),
        ('{"n":' * 5000, "there is no JSON object in it"),
        ('{"m": 3}', "n: Field required"),
        ('{"n": 10}', "n: Input should be less than or equal to 9"),
        ('{"n": 4}', "n must be odd"),
        ('<think>{"n": 3}</think> I cannot say.', "there is no JSON object in it"),
    ],
)
def test_what_has_no_form_is_told_what_is_wrong(text: str, complaint: str) -> None:
    assert read(text, FORM) == (None, complaint)


def test_nested_objects_are_not_answers() -> None:
    assert list(objects('{"a": {"n": 3}} x {"n": 4}')) == [{"a": {"n": 3}}, {"n": 4}]


def test_a_wrong_answer_is_asked_for_again_with_the_mistake(scripted: Serve) -> None:
    """Three questions in all: the second holds the first answer and what is wrong with it; each is counted."""
    answers = iter(["no idea", '{"n": 4}', '{"n": 7}'])
    served = scripted(lambda _: next(answers))
    heard = ask(Asking(served.lm), "An odd number?", FORM, seed=5)
    assert heard.reply == Number(n=7)
    assert heard.cost.requests == 3
    assert heard.cost.written == 2 + 2 + 2  # words, as the server counts
    assert heard.cost.seconds > 0
    last = served.bodies[-1]["messages"]
    assert [each["role"] for each in last] == ["user", "assistant", "user"]
    assert last[1]["content"] == '{"n": 4}'
    assert "n must be odd" in last[2]["content"]


def test_it_gives_up_after_a_few_times(scripted: Serve) -> None:
    served = scripted(lambda _: "I would rather not.")
    heard = ask(Asking(served.lm), "An odd number?", FORM, seed=0)
    assert (heard.reply, heard.cost.requests, len(served.bodies)) == (None, 1 + AGAIN, 1 + AGAIN)


def test_seed_temperature_and_schema_reach_the_server(scripted: Serve) -> None:
    served = scripted(lambda _: '{"n": 1}')
    ask(Asking(served.lm, temperature=0.3, max_tokens=77), "?", FORM, seed=9)
    body = served.bodies[0]
    assert (body["temperature"], body["max_tokens"]) == (0.3, 77)
    ask(Asking(served.lm), "?", FORM, seed=10)
    assert body["seed"] != served.bodies[1]["seed"]
    assert body["response_format"]["json_schema"]["schema"]["properties"]["n"]["maximum"] == 9
    assert json.dumps(body["response_format"]["json_schema"]["schema"]["required"]) == '["n"]'


def test_an_endless_answer_is_shown_again_in_part_only(scripted: Serve) -> None:
    served = scripted(lambda _: "x" * 50_000)
    ask(Asking(served.lm), "?", FORM, seed=0)
    assert max(len(each["content"]) for each in served.bodies[-1]["messages"]) == 2000


def test_a_server_that_heeds_no_schema_is_not_given_one(scripted: Serve) -> None:
    """Its answers are parsed all the same."""
    served = scripted(lambda _: 'Well: {"n": 1}', guided=False)
    assert ask(Asking(served.lm), "?", FORM, seed=0).reply == Number(n=1)
    assert "response_format" not in served.bodies[0]
