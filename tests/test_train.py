"""Training the pocket model: its start, what it is shown when, and that a broken run goes on as if it had not been."""

import json
import random
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from tracer.data import pocket_model  # noqa: E402 - torch is an extra
from tracer.data.chains import CLEAN, NOISY  # noqa: E402
from tracer.data.curriculum import BATCH_TOKENS, PHASES, Phase, Recipe, learning_rate, pool  # noqa: E402
from tracer.data.examples import KINDS, SOURCES, encode, joined, tokenizer  # noqa: E402
from tracer.data.greedy import accuracy, completer, team_accuracy  # noqa: E402
from tracer.data.team_script import team  # noqa: E402
from tracer.data.train import Progress, Trainer, part_gradients, save  # noqa: E402
from tracer.data.world import TEST, problem, trace  # noqa: E402
from tracer.data.world_words import END, vocabulary  # noqa: E402

TINY = Recipe(
    phases=(Phase("recall", {"recall": 1.0}, 0.001), Phase("noise", {"easy": 0.5, "team": 0.5}, 0.001, noise=NOISY)),
    pool=6,
    problems=2,
    teams=1,
    longest=5,
)


def test_the_first_heads_look_one_two_and_three_tokens_back_from_the_start() -> None:
    """An untrained model's first layer attends to the token at the head's offset, whatever the text."""
    model = pocket_model.build(0)
    model.set_attn_implementation("eager")
    ids = torch.tensor([encode(trace(problem(TEST[0]), 0).text)])
    attention = model(ids, output_attentions=True).attentions[0][0]  # (heads, T, T)
    for head, offset in enumerate(pocket_model.OFFSETS):
        places = torch.arange(10, ids.shape[1])
        assert (attention[head, places].argmax(-1) == places - offset).float().mean() > 0.95
        assert attention[head, places, places - offset].mean() > 0.8


def test_slow_frequencies_stand_still() -> None:
    """What would turn less than once in SLOWEST tokens does not turn at all: content compares at any distance."""
    turns = pocket_model.build(0).model.rotary_emb.inv_freq
    kept = turns * pocket_model.SLOWEST >= 2 * torch.pi
    assert 0 < kept.sum() < len(turns)
    assert (turns[~kept] * pocket_model.LONGEST < 1e-3).all()
    assert torch.allclose(turns[kept], 100 ** (-torch.arange(int(kept.sum())) / len(turns)))


def test_the_model_is_small_and_the_same_for_the_same_seed() -> None:
    """Under a million parameters."""
    first, second = pocket_model.build(3), pocket_model.build(3)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert sum(parameter.numel() for parameter in first.parameters()) < 10**6


@pytest.mark.parametrize("source", list(SOURCES))
def test_every_source_gives_texts_of_the_world_with_something_to_learn(source: str) -> None:
    """No unknown word, and a kind for each token; the same for the same seed."""
    example = SOURCES[source](random.Random(1), CLEAN)
    assert example == SOURCES[source](random.Random(1), CLEAN)
    assert vocabulary().index("<unk>") not in example.ids
    assert len(example.ids) == len(example.kinds)
    assert 0 < sum(kind > 0 for kind in example.kinds) < len(example.ids)


def test_of_a_restated_fact_only_what_its_subject_settles_is_learned() -> None:
    """Which fact comes next is free, so it is no lesson."""
    example = SOURCES["recall"](random.Random(1), CLEAN)
    words = [vocabulary()[token] for token in example.ids]
    free = [word for word, kind in zip(words, example.kinds, strict=True) if not kind]
    learned = [word for word, kind in zip(words, example.kinds, strict=True) if kind]
    assert all(not word.endswith(":") for word in learned)
    assert any(word.endswith(":") for word in free[words.index("<think>") + 1 :])


def test_a_sentence_in_pieces_is_encoded_as_in_the_whole_text() -> None:
    """No token crosses a border between sentences."""
    made = trace(problem(TEST[0]), 0)
    example = joined([(made.prompt, "unlearned"), *((s.text, s.kind) for s in made.sentences)])
    assert example.ids == tokenizer().encode(made.prompt + made.cot).ids
    assert example.kinds[: len(encode(made.prompt))] == [0] * len(encode(made.prompt))
    assert example.kinds[len(encode(made.prompt))] == KINDS.index("first")


def test_pools_are_the_same_again_and_their_batches_keep_to_their_size() -> None:
    """That is what lets a run resume; another index or seed gives other examples."""
    phase = PHASES[3]
    first = pool(phase, 0, 5, 60)
    assert first == pool(phase, 0, 5, 60)
    assert first != pool(phase, 0, 6, 60)
    assert first != pool(phase, 1, 5, 60)
    assert sum(map(len, first)) == 60
    assert all(len(batch) * max(len(e.ids) for e in batch) <= BATCH_TOKENS for batch in first)


def test_the_rate_falls_in_a_straight_line_within_a_phase() -> None:
    """From the first share of the peak to the last, and no further."""
    falling = Phase("falling", {}, 4.0, (0.5, 0.1))
    assert [learning_rate(falling, spent) for spent in (0, 2, 4, 5)] == pytest.approx([0.5, 0.3, 0.1, 0.1])
    assert learning_rate(PHASES[0], 1.0) == 1.0
    assert PHASES[-1].rate[1] == 0.0


def test_a_phase_ends_when_its_weakest_kind_passes_the_gate_or_its_tokens_are_spent() -> None:
    """A good average does not do."""
    gated, plain = Phase("gated", {}, 2.0, gate=0.9), Phase("plain", {}, 2.0)
    progress = Progress()
    progress.book(1.0, {"plan": 0.99, "compute": 0.8, "first": 0.1}, 500_000, 1.0)
    assert not progress.advance(gated)
    for _ in range(12):
        progress.book(1.0, {"plan": 0.99, "compute": 0.99, "first": 0.1}, 50_000, 1.0)
    assert not progress.advance(plain)
    assert progress.advance(gated)
    assert (progress.phase, progress.spent, progress.right) == (1, 0.0, {})
    progress.book(1.0, {}, 2_000_000, 1.0)
    assert progress.advance(plain)


def test_parts_of_a_batch_add_up_to_its_gradient() -> None:
    """Two workers, each with half of the examples, find the sum that one finds."""
    model = pocket_model.build(0)
    batch = pool(PHASES[0], 0, 0, 6)[0]
    whole, halves = part_gradients(model, batch), [part_gradients(model, batch[k::2]) for k in range(2)]
    assert whole.loss == pytest.approx(sum(half.loss for half in halves), rel=1e-2)
    assert len(whole.kinds) == sum(len(half.kinds) for half in halves)
    for all_, one, other in zip(whole.gradients, *(half.gradients for half in halves), strict=True):
        assert (one + other - all_).norm() <= 0.02 * all_.norm() + 1e-3  # products are rounded to bf16


def test_a_run_that_was_broken_off_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    """Weights after a resumed run equal those of an uninterrupted one; the model and its curve are written."""
    whole = Trainer(tmp_path / "whole", 0, TINY, workers=1)
    whole.run()
    broken = Trainer(tmp_path / "broken", 0, TINY, workers=1)
    while broken.progress.phase == 0:
        broken.step()
    resumed = Trainer(tmp_path / "broken", 0, TINY, workers=1)
    assert resumed.progress.phase == 1
    resumed.run()
    for one, other in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.equal(one, other)
    lines = [json.loads(line) for line in (tmp_path / "whole" / "curve.jsonl").read_text().splitlines()]
    assert [line["phase"] for line in lines] == ["noise", "end"]
    assert set(lines[-1]) == {"millions", "minutes", "phase", "loss", "greedy", "team_greedy", "right"}


def test_a_saved_model_loads_with_the_auto_classes_and_computes_the_same(tmp_path: Path) -> None:
    """bf16 on disk, tokenizer beside it, exact round trip."""
    model = pocket_model.build(0)
    save(model, tmp_path)
    loaded = transformers.AutoModelForCausalLM.from_pretrained(tmp_path)
    assert type(loaded) is transformers.LlamaForCausalLM
    for one, other in zip(model.parameters(), loaded.parameters(), strict=True):
        assert torch.equal(one.bfloat16(), other.bfloat16())
    words = transformers.AutoTokenizer.from_pretrained(tmp_path)
    text = trace(problem(TEST[0]), 0).text
    assert words.decode(words(text)["input_ids"]) == text
    assert words(text)["input_ids"] == tokenizer().encode(text).ids
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 8 * 10**6


def test_many_prompts_are_continued_as_each_alone() -> None:
    """Padding on the left changes nothing; an untrained model solves nothing, and that is no error."""
    model = pocket_model.build(0)
    prompts = [trace(problem(seed), 0).prompt for seed in TEST[:4]]
    complete = completer(model, END, longest=12)
    assert complete(prompts) == [complete([prompt])[0] for prompt in prompts]
    assert accuracy([problem(seed) for seed in TEST[:4]], complete) == 0
    assert team_accuracy([team(TEST[0])], completer(model, "\n", longest=12)) == 0


def test_sampling_hangs_on_its_seed_alone() -> None:
    """Same seed, same draw; and the caller's own random state is left as it was."""
    model = pocket_model.build(0)
    prompt = trace(problem(TEST[0]), 0).prompt
    before = torch.random.get_rng_state()
    drawn = [completer(model, END, 0.8, seed, longest=12)([prompt]) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert torch.equal(before, torch.random.get_rng_state())
