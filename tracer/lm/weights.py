"""Loading a checkpoint: the model whole, or one line that says why not."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from tracer.errors import BadInputError, DoesNotFitError, MissingExtraError
from tracer.lm.memory import HEADROOM, free_bytes, human, ran_out

if TYPE_CHECKING:
    import torch

    from tracer.lm.checkpoint import Checkpoint

_SAFE: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False, "use_safetensors": True}


def load_model(checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype) -> Any:
    """The model, complete, on the device."""
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging as messages

    _require_memory(checkpoint, device, dtype)
    quiet: Any = messages
    quiet.disable_progress_bar()
    auto: Any = AutoModelForCausalLM
    try:
        model, found = auto.from_pretrained(
            checkpoint.folder, config=checkpoint.config, dtype=dtype, output_loading_info=True, **_SAFE
        )
    except ImportError as error:  # a quantised model, for instance
        raise MissingExtraError(
            f"{checkpoint.name} needs another package: {str(error).strip().splitlines()[0]}"
        ) from error
    except (OSError, SafetensorError, RuntimeError) as error:
        if ran_out(error):
            raise DoesNotFitError(f"memory ran out while {checkpoint.name} was loaded: take a smaller --lm") from error
        raise BadInputError(
            f"the weights of {checkpoint.name} are damaged or of another shape: download it again"
        ) from error
    if lacking := sorted(found["missing_keys"]):
        raise BadInputError(
            f"{checkpoint.name} lacks weights ({lacking[0]} and {len(lacking) - 1} more): download it again"
        )
    return model.to(device)


def load_tokenizer(checkpoint: Checkpoint) -> Any:
    """The tokenizer of the folder's tokenizer.json, as it stands.

    Not the Auto class: for some kinds of model it puts the kind's usual tokenizer in the place of the one in the file,
    and an empty one in the place of a file that is missing (transformers 5.23, Qwen2), without a word.
    """
    from transformers import PreTrainedTokenizerFast

    exact: Any = PreTrainedTokenizerFast
    try:
        if (checkpoint.folder / "tokenizer.json").is_file():
            return exact.from_pretrained(checkpoint.folder, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInputError(f"{checkpoint.name} has an unreadable tokenizer.json: download it again") from error
    raise MissingExtraError(f"{checkpoint.name} has no tokenizer.json: save its fast tokenizer beside the weights")


def _require_memory(checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype) -> None:
    needed, free = weights_bytes(checkpoint, dtype.itemsize), free_bytes(device)
    if free is not None and needed > HEADROOM * free:
        raise DoesNotFitError(
            f"{checkpoint.name} takes about {human(needed)} and {human(free)} are free on {device}: "
            "take a smaller --lm, or --dtype bfloat16"
        )


def weights_bytes(checkpoint: Checkpoint, item_bytes: int) -> int:
    """Memory of the weights when every floating-point number takes `item_bytes`; only the files' headers are read."""
    return sum(_file_bytes(path, item_bytes) for path in _weights(checkpoint.folder))


def _weights(folder: Path) -> list[Path]:
    """The files that transformers reads: some folders hold the weights a second time, in their maker's layout."""
    return sorted(folder.glob("model*.safetensors")) or sorted(folder.glob("*.safetensors"))


def _file_bytes(path: Path, item_bytes: int) -> int:
    """A safetensors file begins with the length of its header (8 bytes, little-endian) and the header, in JSON."""
    try:
        with path.open("rb") as file:
            header = orjson.loads(file.read(int.from_bytes(file.read(8), "little")))
        tensors = [entry for key, entry in header.items() if key != "__metadata__"]
        return sum(
            math.prod(each["shape"]) * item_bytes
            if "F" in each["dtype"]
            else each["data_offsets"][1] - each["data_offsets"][0]
            for each in tensors
        )
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError, MemoryError, OverflowError) as error:
        raise BadInputError(f"{path.name} is no safetensors file: download the model again") from error
