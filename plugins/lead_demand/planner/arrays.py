"""The array types of the planner, and the few operations that several of its modules share.

Unless a docstring gives another shape, an array has one element per segment, in the order of `Segments.ids`.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]  # NaN = unknown
Bools = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int_]
Dates = npt.NDArray[np.datetime64]  # datetime64[D], NaT = unknown
Objects = npt.NDArray[np.object_]
Money = npt.NDArray[np.object_]  # integer micros as Python integers, which do not overflow; None = unknown


def bools(values: Iterable[bool]) -> Bools:
    """The values as an array, also where there are none."""
    return np.array(list(values), dtype=bool)


def is_none(values: Objects) -> Bools:
    """Where an object array holds None."""
    return np.array([value is None for value in values], dtype=bool)


def ratio(top: Floats, bottom: Floats) -> Floats:
    """`top` / `bottom`, in the shape of `bottom`; 0 where `bottom` is not positive."""
    return np.divide(top, bottom, out=np.zeros(np.shape(bottom)), where=bottom > 0)
