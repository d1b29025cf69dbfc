"""Data sets: prepared images with their labels."""

from __future__ import annotations

import html
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np
import numpy.typing as npt

from . import _dermagan
from ._arguments import PathArgument, UInt8Array, count_of, file_of, flag_of, path_of, reading_of, text_of
from ._errors import DataError
from ._progress import Bar

if TYPE_CHECKING:
    from .torch import RealImages

SIDES = ("train", "val", "test")


class Dataset:
    """Images that are decoded and resized, with labels and a split by lesion.

    The pixels stay in a file, which is mapped into memory and read-only. ``len(ds)`` is the number of images, and
    ``ds[i]`` is (image, label).
    """

    def __init__(
        self, cache: _dermagan.Cache, source: str, reading: dict[str, Any], side: str | None
    ) -> None:
        """Use :meth:`open`."""
        self._cache, self._source, self._reading, self._side = cache, source, reading, side
        self._indices: npt.NDArray[np.intp] | None = None
        if side is not None:
            self._indices = np.flatnonzero(np.asarray(cache.sides) == side)
        self._labels = np.asarray(cache.labels, np.int64)
        size, count = cache.size, len(cache)
        self._pixels: UInt8Array = np.memmap(
            cache.path, np.uint8, "r", offset=cache.offset, shape=(count, size, size, 3)
        )

    @classmethod
    def open(
        cls,
        source: PathArgument,
        *,
        size: SupportsIndex | None = None,
        fit: str | None = None,
        filter: str | None = None,  # noqa: A002
        strict: bool = False,
        classes_from_folders: bool = False,
        keep_synthetic: bool = False,
        keep_odd: bool = False,
        split_by: str | None = None,
        progress: bool = True,
    ) -> Dataset:
        """Opens a source of images, or a file that ``dermagan prepare`` wrote.

        A source is a folder or zip of images with a table (HAM10000, ISIC, PAD-UFES-20, any CSV with images and
        diagnoses, folders of StyleGAN and of Hugging Face), one folder per class, a dermamnist ``.npz``, or ``phantom``
        for built-in images (``phantom:200`` for about 200). The first time, its images are decoded and resized into a
        file in the folder of caches; later calls open that file at once.

        ``size`` is the side in pixels, 4 to 2048, 64 if nothing is said. ``fit`` makes an image square: ``crop`` (the
        default), ``pad`` or ``squash``; ``filter`` resizes it: ``lanczos`` (the default) or ``bilinear``. ``strict`` refuses a source with images or rows that cannot be used, instead of leaving them
        out. ``split_by`` is ``"official"`` or ``"lesion"``: the parts that the data names, or dermagan's own split.

        Raises FileNotFoundError, DataError for a source that cannot be used, and ValueError for wrong arguments.
        """
        reading = reading_of(classes_from_folders, keep_synthetic, keep_odd, split_by)
        text = path_of(source, "source")
        # The data set must not depend on the working folder.
        text = os.path.abspath(text) if os.path.exists(text) else text
        args = {
            "source": text,
            "size": None if size is None else count_of("size", size),
            "fit": None if fit is None else text_of("fit", fit, ("crop", "pad", "squash")),
            "filter": None if filter is None else text_of("filter", filter, ("lanczos", "bilinear")),
            "strict": flag_of("strict", strict),
            "reading": reading,
        }
        with Bar(progress) as bar:
            cache = _dermagan.Cache.open(json.dumps(args), lambda done, total: bar("preparing", done, total))
        return cls(cache, text, reading, None)

    def __reduce__(self) -> tuple[Callable[..., Dataset], tuple[Any, ...]]:
        """A data set is opened again where it is unpickled, from its file of prepared images."""
        return _reopened, (str(self.path), self._source, self._reading, self._side)

    @property
    def name(self) -> str:
        """The name of the data."""
        return self._cache.name

    @property
    def classes(self) -> list[str]:
        """The codes of the classes, in the order of the labels."""
        return self._cache.classes

    @property
    def size(self) -> int:
        """The side of the images in pixels."""
        return self._cache.size

    @property
    def path(self) -> Path:
        """The file of the prepared images."""
        return Path(self._cache.path)

    @property
    def images(self) -> UInt8Array:
        """The images: uint8 ``[n, size, size, 3]``, RGB, read-only. For a whole data set they are mapped from the file
        and take no memory until they are read; for a side of the split they are a copy."""
        return self._pixels if self._indices is None else self._pixels[self._indices]

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """The class of each image, as an index into ``classes``."""
        return self._labels.copy() if self._indices is None else self._labels[self._indices]

    @property
    def table(self) -> dict[str, list[Any]]:
        """The table of the images under the names of HAM10000's columns, and the side of the split of each; ready for
        ``pandas.DataFrame``."""
        columns: dict[str, list[Any]] = json.loads(self._cache.table())
        columns["split"] = list(self._cache.sides)
        if self._indices is None:
            return columns
        return {name: [values[i] for i in self._indices] for name, values in columns.items()}

    def info(self) -> dict[str, Any]:
        """What is known of the whole source: counts by class, sex, age, body site and confirmation, lesions, the split,
        and the account of what was used and what was left out."""
        info: dict[str, Any] = json.loads(self._cache.summary())
        info["account"] = self._cache.account()
        info["split"]["words"] = self._cache.split_words()
        info.pop("sizes")
        return info

    def split(self, side: str) -> Dataset:
        """The images of one side of the split: ``"train"``, ``"val"`` or ``"test"``. No lesion is on two sides, unless the
        data's author put it there."""
        text_of("side", side, SIDES)
        if self._indices is not None:
            raise ValueError("split: these images are one side of a split already")
        return Dataset(self._cache, self._source, self._reading, side)

    def export(
        self,
        out: PathArgument,
        *,
        format: str | None = None,  # noqa: A002
    ) -> dict[str, int]:
        """Writes the images with their labels, table and licence, and returns the number of images of each part.

        The ``format`` is ``folder``, ``imagefolder``, ``zip``, ``webdataset``, ``parquet`` or ``stylegan``; a name that
        ends with ``.zip``, ``.tar`` or ``.parquet`` chooses it, too. ``ds.split("train").export(...)`` writes one side.
        """
        name = None if format is None else text_of("format", format)
        return dict(self._cache.export(file_of(out, "out"), name, self._side or "all"))

    def verify(self) -> None:
        """Checks that no pixel has changed since the preparation. Raises DataError."""
        changed = self._cache.verify()
        if changed:
            ids = json.loads(self._cache.table())["image_id"]
            raise DataError(
                f"{self.path}: {len(changed)} images have changed since they were prepared, such as {ids[changed[0]]}; "
                "prepare them again from their source"
            )

    def torch(self, *, transform: Callable[[Any], Any] | None = None) -> RealImages:
        """These images as a ``torch.utils.data.Dataset``; see :class:`dermagan.torch.RealImages`."""
        from .torch import RealImages

        return RealImages(self, transform=transform)

    def __len__(self) -> int:
        return len(self._cache) if self._indices is None else len(self._indices)

    def __getitem__(self, index: SupportsIndex) -> tuple[UInt8Array, int]:
        if isinstance(index, slice):
            raise TypeError("a data set gives one image at a time; use ds.images[a:b] and ds.labels[a:b]")
        at = range(len(self))[index]
        at = at if self._indices is None else int(self._indices[at])
        return self._pixels[at], int(self._labels[at])

    def __iter__(self) -> Iterator[tuple[UInt8Array, int]]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        side = self.size
        return f"<dermagan.Dataset {self.name}: {len(self)} images of {side}x{side} pixels, {len(self.classes)} classes>"

    def _repr_html_(self) -> str:
        counts = np.bincount(self.labels, minlength=len(self.classes))
        rows = "".join(
            f"<tr><td>{html.escape(code)}</td><td>{count}</td><td>{count / max(1, len(self)):.1%}</td></tr>"
            for code, count in zip(self.classes, counts)
        )
        head = "<tr><th>class</th><th>images</th><th>share</th></tr>"
        return f"<p>{html.escape(repr(self)[1:-1])}</p><table>{head}{rows}</table>"


def _reopened(path: str, source: str, reading: dict[str, Any], side: str | None) -> Dataset:
    """A data set that was pickled."""
    opened = Dataset.open(path, progress=False)
    return Dataset(opened._cache, source, reading, side)


__all__ = ["Dataset"]
