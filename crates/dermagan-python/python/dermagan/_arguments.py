"""Arguments that several functions take."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Sequence
from typing import Any, SupportsIndex, Union

import numpy as np
import numpy.typing as npt

PathArgument = Union[str, "os.PathLike[str]"]
Seeds = Iterable[SupportsIndex]
UInt8Array = npt.NDArray[np.uint8]
LARGEST_SEED = 2**64 - 2


def seed_of(value: SupportsIndex, name: str = "seeds") -> int:
    """A seed as an int."""
    try:
        seed = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}={value!r}: expected an int") from None
    if not 0 <= seed <= LARGEST_SEED:
        raise ValueError(f"{name}={seed}: expected 0 to {LARGEST_SEED}")
    return seed


def count_of(name: str, value: SupportsIndex, least: int = 1) -> int:
    """A number as an int."""
    try:
        count = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}={value!r}: expected an int") from None
    if not least <= count < 2**32:
        raise ValueError(f"{name}={count}: expected {least} or more")
    return count


def seeds_of(n: SupportsIndex | None, seeds: Seeds | None, seed: SupportsIndex) -> Sequence[int]:
    """The seeds of a call: ``n`` of them from ``seed`` on, or those that are named."""
    if seeds is not None:
        if n is not None or operator.index(seed) != 0:
            raise ValueError("seeds: name either the seeds, or their number n and the first seed")
        if isinstance(seeds, (str, bytes)):
            raise TypeError("seeds: expected ints, such as range(16) or [3, 9]")
        return [seed_of(value) for value in seeds]
    first = seed_of(seed, "seed")
    count = count_of("n", 64 if n is None else n, 0)
    seed_of(first + max(count, 1) - 1, "seed")
    return range(first, first + count)


def ranges_of(seeds: Sequence[int]) -> list[tuple[int, int]]:
    """Consecutive seeds as pairs of the first and the one after the last."""
    if isinstance(seeds, range):
        return [(seeds.start, seeds.stop)]
    pairs: list[tuple[int, int]] = []
    for seed in seeds:
        if pairs and pairs[-1][1] == seed:
            pairs[-1] = (pairs[-1][0], seed + 1)
        else:
            pairs.append((seed, seed + 1))
    return pairs


def reading_of(
    classes_from_folders: bool, keep_synthetic: bool, keep_odd: bool, split_by: str | None
) -> dict[str, Any]:
    """How a source is read."""
    return {
        "classes_from_folders": classes_from_folders,
        "keep_synthetic": keep_synthetic,
        "keep_odd": keep_odd,
        "split_by": split_by,
    }


def path_of(value: PathArgument) -> str:
    """A path as text."""
    return os.fspath(value)
