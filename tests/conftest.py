"""Fixtures that every test module may use."""

from __future__ import annotations

import os
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

TINY: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("LlamaConfig", {}),
    "qwen2": ("Qwen2Config", {}),
    "qwen3": ("Qwen3Config", {}),
    "mixtral": ("MixtralConfig", {"num_local_experts": 4, "num_experts_per_tok": 2}),
    "qwen2_moe": (
        "Qwen2MoeConfig",
        {
            "num_experts": 4,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 16,
            "shared_expert_intermediate_size": 16,
        },
    ),
    "gpt_neox": ("GPTNeoXConfig", {}),
    "gpt_oss": (
        "GptOssConfig",
        {"num_local_experts": 4, "num_experts_per_tok": 2, "layer_types": ["full_attention"] * 3},
    ),
    "gpt_oss_sliding": (
        "GptOssConfig",
        {
            "num_local_experts": 4,
            "num_experts_per_tok": 2,
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
            "sliding_window": 6,
        },
    ),
    "gemma2": ("Gemma2Config", {"sliding_window": 6, "query_pre_attn_scalar": 8}),
    "gemma3": (
        "Gemma3TextConfig",
        {
            "sliding_window": 6,
            "query_pre_attn_scalar": 8,
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
        },
    ),
    "mistral": ("MistralConfig", {"sliding_window": 6}),
}
"""Families of causal LMs and what is special about each; windows are shorter than any text that a test feeds them."""

COMMON: dict[str, Any] = {
    "vocab_size": 96,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 512,
    "initializer_range": 0.3,  # large, so that the distributions are far from uniform
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
    "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0},
}

TinyModel = Callable[..., Any]


@pytest.fixture(scope="session")
def real_logs() -> Path:
    """The folder of real logs and labelled runs, which are not part of the repository."""
    folder = os.environ.get("TRACER_REAL_LOGS")
    if not folder:
        pytest.skip("TRACER_REAL_LOGS is unset: no real logs to read")
    return Path(folder)


@pytest.fixture(scope="session")
def tiny_model() -> TinyModel:
    """`tiny_model(family, seed=0, **config)`: a random causal LM of a family of TINY, the same for the same arguments.

    Three layers, 32 wide, four heads, 96 tokens of which 0 to 2 are pad, begin and end; float32, on the CPU.
    """
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    torch.set_num_threads(1)

    def build(family: str, seed: int = 0, **config: Any) -> Any:
        name, special = TINY[family]
        common = COMMON
        if family == "gpt_neox":  # no grouped heads, and it derives the heads' width
            common = {key: value for key, value in COMMON.items() if key not in {"num_key_value_heads", "head_dim"}}
        if family == "gemma3":  # two rotary bases, one per kind of layer
            common = {key: value for key, value in COMMON.items() if key != "rope_parameters"}
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            settings = deepcopy({**common, **special, **config})  # configs write into what they are given
            made = transformers.AutoModelForCausalLM.from_config(getattr(transformers, name)(**settings))
        return made.eval().requires_grad_(False)

    return build
