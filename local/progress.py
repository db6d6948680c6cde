"""What a person sees while services start."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def step(label: str) -> Iterator[Callable[[], None]]:
    """Print one line for a step: its name now, the seconds it took at its end; the function given marks the waiting."""
    begun = marked = time.monotonic()
    print(f"  {label} ...", end="", flush=True)

    def tick() -> None:
        nonlocal marked
        if time.monotonic() - marked > 5:
            marked = time.monotonic()
            print(f" {marked - begun:.0f} s ...", end="", flush=True)

    try:
        yield tick
    except BaseException:
        print(" stopped", flush=True)
        raise
    print(f" {time.monotonic() - begun:.1f} s", flush=True)
