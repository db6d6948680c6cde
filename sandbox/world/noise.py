"""Random numbers that are looked up, not drawn: a hash of (seed, keys), the same in whatever order they are asked for.

A generator with a state would make today's numbers depend on how many were drawn yesterday. With a hash, every
(stream, place, day, number) has its own fixed random number, and whole arrays of them cost one pass.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11 = (np.uint64(bits) for bits in (30, 27, 31, 11))


def _mix(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """SplitMix64's finaliser (Steele, Lea and Flood, 2014)."""
    x = (x ^ (x >> _S30)) * _MIX_1
    x = (x ^ (x >> _S27)) * _MIX_2
    return x ^ (x >> _S31)


def uniform(seed: int, *keys: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Numbers strictly between 0 and 1, one for each combination of the (broadcast) non-negative integer keys."""
    with np.errstate(over="ignore"):  # wrapping around is what a hash does
        x = _mix(np.asarray(seed, dtype=np.uint64) + _GOLDEN)
        for key in keys:
            x = _mix(x ^ (np.asarray(key).astype(np.uint64) * _GOLDEN + _MIX_2))
        return ((x >> _S11).astype(np.float64) + 0.5) * 2.0**-53


def normal(seed: int, *keys: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Standard normal numbers by Box and Muller; one extra key tells its two uniforms apart."""
    radius = np.sqrt(-2.0 * np.log(uniform(seed, *keys, 0)))
    return radius * np.cos(2.0 * np.pi * uniform(seed, *keys, 1))
