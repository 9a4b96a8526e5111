"""Train the pocket model from scratch: `python -m tracer.data.train --out FOLDER`.

Muon (Jordan 2024, torch.optim.Muon) moves the matrices of the blocks, AdamW the embeddings, norms and biases; weights
are kept in fp32, matrix products are done in bf16. The run writes FOLDER/state.pt as it goes and resumes from it, a
line of FOLDER/curve.jsonl at every look at the validation problems, and at the end the model itself in FOLDER/model.
"""

from __future__ import annotations

import argparse
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tracer.data.curriculum import Phase, Recipe, learning_rate, pool
from tracer.data.examples import GATED, KINDS, Example
from tracer.data.world_words import END, tokenizer_json

if TYPE_CHECKING:
    import torch
    from transformers import LlamaForCausalLM

RECIPE = Recipe()
MUON_RATE, ADAM_RATE = 0.02, 3e-3
SHORT = 256
"""Tokens."""
MEMORY = 0.8
"""Of the running accuracies, per pool."""


class Progress:
    """Where a run stands; all that a resumed one needs besides weights and optimizer."""

    def __init__(self) -> None:
        self.pools = 0
        self.phase = 0
        self.millions = 0.0
        self.spent = 0.0
        """Million tokens in this phase."""
        self.seconds = 0.0
        self.looked = 0.0
        self.loss = 0.0
        self.right: dict[str, float] = {}
        """Running share of right tokens by kind."""

    def book(self, loss: float, right: dict[str, float], tokens: int, seconds: float) -> None:
        """Note one pool."""
        self.pools += 1
        self.millions += tokens / 1e6
        self.spent += tokens / 1e6
        self.seconds += seconds
        self.loss = loss
        for kind, share in right.items():
            self.right[kind] = MEMORY * self.right.get(kind, share) + (1 - MEMORY) * share

    def advance(self, phase: Phase) -> bool:
        """Go on to the next phase when this one is done; whether it was."""
        known = [self.right[kind] for kind in GATED if kind in self.right]
        passed = phase.gate is not None and self.spent > 0.3 and min(known, default=0.0) >= phase.gate
        if not passed and self.spent < phase.millions:
            return False
        self.phase, self.spent, self.right = self.phase + 1, 0.0, {}
        return True


class Trainer:
    """A model, its optimizers and its progress."""

    def __init__(self, folder: Path, seed: int, recipe: Recipe = RECIPE, workers: int = 2) -> None:
        import torch

        from tracer.data.pocket_model import build

        self.folder, self.seed, self.recipe = folder, seed, recipe
        folder.mkdir(parents=True, exist_ok=True)
        self.model = build(seed)
        self.progress = Progress()
        self.workers, self.executor = workers, ThreadPoolExecutor(workers)
        matrices = [p for name, p in self.model.named_parameters() if p.ndim == 2 and "layers" in name]
        others = [p for name, p in self.model.named_parameters() if p.ndim != 2 or "layers" not in name]
        self.optimizers: list[torch.optim.Optimizer] = [
            torch.optim.Muon(matrices, lr=MUON_RATE, weight_decay=0.0),
            torch.optim.AdamW(others, lr=ADAM_RATE, betas=(0.9, 0.98), weight_decay=0.0),
        ]
        if (folder / "state.pt").exists():
            self._restore()

    def run(self) -> None:
        """All phases, from where the run stands."""
        while self.progress.phase < len(self.recipe.phases):
            self.step()
        self.model.train(False)
        save(self.model, self.folder / "model")

    def step(self) -> None:
        """One pool of examples, and a look at the validation problems where one is due."""
        progress, phase = self.progress, self.recipe.phases[self.progress.phase]
        self._pool(phase)
        done = progress.advance(phase)
        if done or progress.millions - progress.looked >= self.recipe.look_every:
            self._look()
            self._keep()

    def _pool(self, phase: Phase) -> None:
        """Train on one pool of examples."""
        import torch

        progress, started = self.progress, time.perf_counter()
        seen, right = torch.zeros(len(KINDS)), torch.zeros(len(KINDS))
        tokens, losses = 0, []
        self.model.train(True)
        for batch in pool(phase, self.seed, progress.pools, self.recipe.pool):
            rate = learning_rate(phase, progress.spent + tokens / 1e6)
            for optimizer, peak in zip(self.optimizers, (MUON_RATE, ADAM_RATE), strict=True):
                optimizer.param_groups[0]["lr"] = peak * rate
            loss, hits, kinds = self._gradients(batch)
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            for optimizer in self.optimizers:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            losses.append(loss)
            seen += torch.bincount(kinds, minlength=len(KINDS))
            right += torch.bincount(kinds, weights=hits, minlength=len(KINDS))
            tokens += sum(len(example.ids) for example in batch)
        shares = {kind: float(right[k] / seen[k]) for k, kind in enumerate(KINDS) if seen[k]}
        progress.book(sum(losses) / len(losses), shares, tokens, time.perf_counter() - started)

    def _gradients(self, batch: list[Example]) -> tuple[float, torch.Tensor, torch.Tensor]:
        """Set the gradients of a batch. Parts of it at the same time are far quicker than many threads per product."""
        import torch

        # Written out, attention is a third quicker on short texts than the fused kernel's backward pass.
        self.model.set_attn_implementation("eager" if len(batch[-1].ids) <= SHORT else "sdpa")
        parts = [part for k in range(self.workers) if (part := batch[k :: self.workers])]
        done = list(self.executor.map(lambda part: part_gradients(self.model, part), parts))
        learned = sum(len(part.kinds) for part in done)
        for parameter, *gradients in zip(self.model.parameters(), *(part.gradients for part in done), strict=True):
            parameter.grad = torch.stack(gradients).sum(0) / learned
        hits, kinds = torch.cat([part.hits for part in done]), torch.cat([part.kinds for part in done])
        return sum(part.loss for part in done) / learned, hits, kinds

    def _look(self) -> None:
        """Greedy accuracy on fixed validation problems, beside what training itself tells; one line of the curve."""
        from tracer.data.greedy import accuracy, completer, team_accuracy
        from tracer.data.problems import problem
        from tracer.data.team_script import team
        from tracer.data.world import VALIDATION

        self.model.train(False)
        progress = self.progress
        progress.looked = progress.millions
        name = [*(phase.name for phase in self.recipe.phases), "end"][progress.phase]
        learned = {source for phase in self.recipe.phases[: progress.phase + 1] for source in phase.mix}
        line: dict[str, Any] = {
            "millions": round(progress.millions, 3),
            "minutes": round(progress.seconds / 60, 2),
            "phase": name,
            "loss": round(progress.loss, 4),
        }
        if learned - {"recall"}:
            problems = [problem(seed) for seed in VALIDATION[: self.recipe.problems]]
            line["greedy"] = round(accuracy(problems, completer(self.model, END, longest=self.recipe.longest)), 4)
        if "team" in learned:
            teams = [team(seed) for seed in VALIDATION[: self.recipe.teams]]
            speak = completer(self.model, "\n", longest=self.recipe.longest)
            line["team_greedy"] = round(team_accuracy(teams, speak), 4)
        line["right"] = {kind: round(share, 4) for kind, share in progress.right.items()}
        with (self.folder / "curve.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        print(json.dumps(line), flush=True)

    def _keep(self) -> None:
        import torch

        state = {
            "model": self.model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "progress": vars(self.progress),
        }
        fresh = self.folder / "state.new"
        torch.save(state, fresh)
        fresh.replace(self.folder / "state.pt")

    def _restore(self) -> None:
        import torch

        state = torch.load(self.folder / "state.pt", weights_only=True)
        self.model.load_state_dict(state["model"])
        for optimizer, kept in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        vars(self.progress).update(state["progress"])


class PartGradients(NamedTuple):
    """What one worker found out about its part of a batch."""

    loss: float
    """Cross-entropy in nats, summed over the learned tokens."""
    gradients: tuple[torch.Tensor, ...]
    """Of that sum, one for each parameter."""
    hits: torch.Tensor
    """(learned,) 1 where the right token was the likeliest."""
    kinds: torch.Tensor
    """(learned,) places in KINDS."""


def part_gradients(model: LlamaForCausalLM, batch: list[Example]) -> PartGradients:
    """Loss and gradients of a part of a batch; the model's own gradients are left alone."""
    import torch

    longest = max(len(example.ids) for example in batch)
    ids = torch.tensor([example.ids + [0] * (longest - len(example.ids)) for example in batch])  # (B, T)
    kinds = torch.tensor([example.kinds + [0] * (longest - len(example.kinds)) for example in batch])[:, 1:]
    with torch.autocast("cpu", torch.bfloat16):
        # Padding stands to the right of everything learned, so that the causal mask alone keeps it out.
        hidden = model.model(input_ids=ids[:, :-1], use_cache=False).last_hidden_state  # (B, T - 1, d)
        logits = model.lm_head(hidden[kinds > 0]).float()  # (learned, V)
    targets = ids[:, 1:][kinds > 0]
    loss = torch.nn.functional.cross_entropy(logits, targets, reduction="sum")
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    return PartGradients(loss.item(), gradients, (logits.argmax(-1) == targets).float(), kinds[kinds > 0])


def save(model: LlamaForCausalLM, folder: Path) -> None:
    """The model in bf16 and the tokenizer, as files that the Auto classes load."""
    weights = {name: weight.bfloat16() for name, weight in model.state_dict().items()}
    model.save_pretrained(folder, state_dict=weights)
    (folder / "model.safetensors").chmod(0o644)  # it is written as private, and is to be shipped
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_json(), ensure_ascii=False), encoding="utf-8")
    kind = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "eos_token": "<eos>",
        "clean_up_tokenization_spaces": False,
        "model_max_length": model.config.max_position_embeddings,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(kind, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """The command."""
    import torch

    words = argparse.ArgumentParser(description="Train the pocket model.")
    words.add_argument("--out", type=Path, required=True, help="folder for state, curve and model")
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--workers", type=int, default=2, help="parts of a batch that are worked on at the same time")
    words.add_argument("--export", type=Path, help="write the model as the state in --out has it, and stop")
    given = words.parse_args()
    torch.set_num_threads(1)
    trainer = Trainer(given.out, given.seed, workers=given.workers)
    if given.export:
        save(trainer.model, given.export)
    else:
        trainer.run()


if __name__ == "__main__":
    main()
