"""Checks of arguments: each error names the argument, what it was and what was expected."""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Iterable, Sequence
from typing import Any, SupportsFloat, SupportsIndex, Union

import numpy as np
import numpy.typing as npt

PathArgument = Union[str, "os.PathLike[str]"]
Seeds = Union[Iterable[SupportsIndex], npt.NDArray[np.integer[Any]]]
UInt8Array = npt.NDArray[np.uint8]
LARGEST_SEED = 2**64 - 2
LARGEST_COUNT = 2**32 - 1


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
    """A number of things as an int."""
    try:
        count = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}={value!r}: expected an int") from None
    if not least <= count <= LARGEST_COUNT:
        raise ValueError(f"{name}={count}: expected {least} to {LARGEST_COUNT}")
    return count


def float_of(name: str, value: SupportsFloat | SupportsIndex) -> float:
    """A finite number as a float."""
    if isinstance(value, (str, bytes)):
        raise TypeError(f"{name}={value!r}: expected a number")
    try:
        number = float(value)
    except TypeError:
        raise TypeError(f"{name}={value!r}: expected a number") from None
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{name}={number}: expected a finite number")
    return number


def flag_of(name: str, value: bool) -> bool:
    """A flag, which NumPy's may be too."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name}={value!r}: expected True or False")
    return bool(value)


def text_of(name: str, value: str, choices: Sequence[str] = ()) -> str:
    """A text, one of the choices if there are any."""
    if not isinstance(value, str):
        raise TypeError(f"{name}={value!r}: expected a str")
    if choices and value not in choices:
        raise ValueError(f"{name}={value!r}: expected {', '.join(choices[:-1])} or {choices[-1]}")
    return str(value)


def texts_of(name: str, values: Iterable[str] | str) -> list[str]:
    """Several texts; a single one may hold several with commas."""
    if isinstance(values, str):
        return [text.strip() for text in values.split(",")]
    if not isinstance(values, Iterable):
        raise TypeError(f"{name}={values!r}: expected strings, such as ['mel', 'nv']")
    return [text_of(name, value) for value in values]


def seeds_of(n: SupportsIndex | None, seeds: Seeds | None, seed: SupportsIndex) -> Sequence[int]:
    """The seeds of a call: ``n`` of them from ``seed`` on, or those that are named."""
    first = seed_of(seed, "seed")
    if seeds is not None:
        if n is not None or first != 0:
            raise ValueError("seeds: give either the seeds, or their number n and the first seed")
        if isinstance(seeds, (str, bytes)) or not isinstance(seeds, Iterable):
            raise TypeError(f"seeds={seeds!r}: expected ints, such as range(16) or [3, 9]")
        return [seed_of(value) for value in seeds]
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
    reading: dict[str, Any] = {
        "classes_from_folders": flag_of("classes_from_folders", classes_from_folders),
        "keep_synthetic": flag_of("keep_synthetic", keep_synthetic),
        "keep_odd": flag_of("keep_odd", keep_odd),
    }
    if split_by is not None:
        reading["split"] = text_of("split_by", split_by, ("official", "lesion"))
    return reading


def path_of(value: PathArgument, name: str = "path") -> str:
    """A path as text in UTF-8, whatever the locale is."""
    return _utf8(file_of(value, name), name)


def file_of(value: PathArgument, name: str = "path") -> str:
    """A path as the system knows it."""
    if not isinstance(value, (str, os.PathLike)):
        raise TypeError(f"{name}={value!r}: expected a str or a path")
    path = os.fspath(value)
    if not isinstance(path, str):
        raise TypeError(f"{name}={value!r}: expected a str or a path")
    if not path:
        raise ValueError(f"{name}: the path is empty")
    return path


def _utf8(path: str, name: str) -> str:
    try:
        path.encode("utf-8")
        return path
    except UnicodeEncodeError:
        pass
    try:
        # Python has read a name in UTF-8 under a locale that is not.
        return os.fsencode(path).decode("utf-8")
    except UnicodeError:
        raise ValueError(f"{name}={path!r}: expected a path in UTF-8") from None
