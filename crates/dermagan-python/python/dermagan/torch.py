"""Real and synthetic images as data sets of PyTorch. This module alone needs ``torch``.

The images are NumPy arrays before the first item is asked for, so that the workers of a ``DataLoader`` may be forked: no
generator runs in them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, SupportsFloat, SupportsIndex

import numpy as np
import torch
from torch.utils.data import Dataset as TorchDataset

from ._arguments import Seeds, UInt8Array, seeds_of
from .dataset import Dataset
from .generator import Generator, Labels

Item = tuple[Any, int]
Transform = Callable[[Any], Any]


def _item(image: UInt8Array, transform: Transform | None) -> Any:
    """An image as float32 ``[3, height, width]`` in 0 to 1, and then transformed."""
    tensor = torch.from_numpy(np.array(image)).permute(2, 0, 1).to(torch.float32).div(255)
    return tensor if transform is None else transform(tensor)


class RealImages(TorchDataset[Item]):  # type: ignore[misc, unused-ignore]
    """The images of a :class:`dermagan.Dataset`: (float32 ``[3, size, size]`` in 0 to 1, label).

    ``transform`` is applied to the tensor.
    """

    def __init__(self, data: Dataset, *, transform: Transform | None = None) -> None:
        self.classes = data.classes
        self.transform = transform
        self._images, self._labels = data.images, data.labels

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: SupportsIndex) -> Item:
        at = range(len(self))[index]
        return _item(self._images[at], self.transform), int(self._labels[at])


class SyntheticImages(TorchDataset[Item]):  # type: ignore[misc, unused-ignore]
    """``n`` images of a generator: (float32 ``[3, side, side]`` in 0 to 1, label).

    They have the seeds from ``seed`` on, or ``seeds``, and the class ``label``, or ``labels`` for each. ``classes`` are the
    codes in the order of the labels, such as those of the real images beside these; by default the generator's. Class
    labels must be known. All images are made here, in one array.
    """

    def __init__(
        self,
        generator: Generator,
        n: SupportsIndex | None = None,
        *,
        seeds: Seeds | None = None,
        seed: SupportsIndex = 0,
        label: str | None = None,
        labels: Labels | None = None,
        classes: Sequence[str] | None = None,
        truncation: SupportsFloat = 1.0,
        transform: Transform | None = None,
    ) -> None:
        chosen = seeds_of(n, seeds, seed)
        labels = None if labels is None else list(labels)
        codes = generator.labels(seeds=chosen, label=label, labels=labels)
        self.classes = list(generator.classes if classes is None else classes)
        unknown = sorted({str(code) for code in codes if code not in self.classes})
        if unknown:
            raise ValueError(f"classes: images of {', '.join(unknown)} have no label among {', '.join(self.classes)}")
        self.transform = transform
        self._labels = [self.classes.index(str(code)) for code in codes]
        self._images = generator.sample(seeds=chosen, label=label, labels=labels, truncation=truncation)

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: SupportsIndex) -> Item:
        at = range(len(self))[index]
        return _item(self._images[at], self.transform), self._labels[at]


__all__ = ["RealImages", "SyntheticImages"]
