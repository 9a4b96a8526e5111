"""Where a model runs and how its numbers are stored: what the user asked for, or what suits the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.errors import TracerError

if TYPE_CHECKING:
    import torch

DTYPES = ("float32", "bfloat16", "float16")


def device_named(name: str | None) -> torch.device:
    """The device of a name ("cpu", "cuda", "cuda:1"); without one the first GPU if there is one, and else the CPU."""
    import torch

    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)  # a name may be good and the machine not have it
    except (RuntimeError, AssertionError) as error:  # AssertionError: this torch was built without it
        raise TracerError(
            f"no device {name!r} on this machine: leave --device out, or give cpu, cuda or cuda:N"
        ) from error
    return device


def dtype_named(name: str | None, device: torch.device) -> torch.dtype:
    """The number type of a name in DTYPES; without one bfloat16 on a GPU that has it, and else float32.

    Not float16 by default: large models overflow in it. On the CPU float32 is mostly as fast, and exact.
    """
    import torch

    if name is None:
        name = "bfloat16" if device.type == "cuda" and torch.cuda.is_bf16_supported() else "float32"
    if name not in DTYPES:
        raise TracerError(f"no dtype {name!r}: give one of {', '.join(DTYPES)}")
    found: torch.dtype = getattr(torch, name)
    return found
