"""Generators: images by seed and class."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np
import numpy.typing as npt

from . import _dermagan
from ._arguments import PathArgument, Seeds, UInt8Array, count_of, path_of, ranges_of, seeds_of

if TYPE_CHECKING:
    from .torch import SyntheticImages

_log = logging.getLogger("dermagan")

Labels = Sequence["str | None"]


class Generator:
    """A trained generator on a device.

    An image depends on the model, its seed, its class and the truncation alone: the same seed gives the same image in
    every call, at any ``batch``, and in the command ``dermagan sample``. (Devices differ in the last bits.)
    """

    def __init__(self, model: _dermagan.Model, source: str) -> None:
        """Use :meth:`load`."""
        self._model = model
        self._source = source

    @classmethod
    def load(
        cls,
        model: PathArgument | None = None,
        *,
        device: str = "auto",
        outdir: PathArgument = "runs",
    ) -> Generator:
        """Opens a generator.

        ``model`` is a run's folder, a ``generator.safetensors``, a checkpoint, a folder that ``dermagan export --hub``
        wrote, a DCGAN in a PyTorch ``.pth``, ``"latest"`` for the newest run in ``outdir``, or ``"shipped"`` (the
        default) for the generator that comes with the package.

        Raises FileNotFoundError if there is nothing of that name, ModelError if it is no generator or damaged, and
        DeviceError if the device does not exist.
        """
        name = "shipped" if model is None else path_of(model)
        folder = path_of(outdir) if name == "latest" and not os.path.exists(name) else None
        try:
            opened = _dermagan.Model.open(name, folder, device)
        except ValueError as error:
            if name == "shipped" or os.path.exists(name):
                raise
            raise FileNotFoundError(str(error)) from None
        if opened.warning is not None:
            _log.warning(opened.warning)
        for note in opened.notes:
            _log.info(note)
        return cls(opened, opened.name if name == "latest" else name)

    @property
    def name(self) -> str:
        """The name of the model."""
        return self._model.name

    @property
    def device(self) -> str:
        """The name of the device."""
        return self._model.device

    @property
    def classes(self) -> list[str]:
        """The codes of the classes, in the order of their indices. Empty if they are unknown."""
        return self._model.classes

    @property
    def conditioned(self) -> bool:
        """Whether the generator makes images of a class on demand."""
        return self._model.conditioned

    @property
    def resolution(self) -> int:
        """The side of the images in pixels."""
        return self._model.resolution

    @property
    def latent_length(self) -> int:
        """The length of a latent: z, and the noise if the generator takes any."""
        return self._model.latent_length

    @property
    def z_dim(self) -> int:
        """The length of z, which comes first in a latent."""
        return self._model.z_dim

    @property
    def sha256(self) -> str:
        """The SHA-256 of the model's file. Files of images name their model by it."""
        return self._model.hash

    @property
    def notes(self) -> list[str]:
        """What a user should know about this model."""
        return self._model.notes

    @property
    def card(self) -> dict[str, Any] | None:
        """Where the generator comes from: its data and their licence, its classes, its preset and its length of
        training. None for a file of another program."""
        card = self._model.card
        return None if card is None else dict(json.loads(card))

    def sample(
        self,
        n: SupportsIndex | None = None,
        *,
        seeds: Seeds | None = None,
        seed: SupportsIndex = 0,
        label: str | None = None,
        labels: Labels | None = None,
        truncation: float = 1.0,
        batch: SupportsIndex = 64,
    ) -> UInt8Array:
        """Makes images: uint8 of shape ``[n, resolution, resolution, 3]``, RGB.

        They have the seeds ``seed`` to ``seed + n - 1`` (64 images if nothing is said), or the ``seeds`` that are named.
        ``label`` is the class of all images; ``labels`` names one class per image. Without either, each seed draws a
        class, with the frequencies of the training data; :meth:`labels` tells which. ``truncation`` is 1 for full
        variety, less for images closer to the average. ``batch`` changes speed and memory, never the images.
        """
        chosen = seeds_of(n, seeds, seed)
        self._model.check_memory(len(chosen))
        classes = self._classes_of(len(chosen), label, labels)
        pixels = self._model.sample(chosen, classes, float(truncation), count_of("batch", batch))
        return self._images(pixels, len(chosen))

    def labels(
        self,
        n: SupportsIndex | None = None,
        *,
        seeds: Seeds | None = None,
        seed: SupportsIndex = 0,
        label: str | None = None,
        labels: Labels | None = None,
    ) -> list[str | None]:
        """The class of each image that :meth:`sample` makes of the same arguments; None if it is unknown."""
        chosen = seeds_of(n, seeds, seed)
        return self._model.labels(chosen, self._classes_of(len(chosen), label, labels))

    def latents(self, seeds: Seeds, *, truncation: float = 1.0) -> npt.NDArray[np.float32]:
        """The latents of seeds: float32 of shape ``[n, latent_length]``. Each row is z, scaled by ``truncation``, and then
        the noise, which is not scaled."""
        chosen = seeds_of(None, seeds, 0)
        values = np.frombuffer(self._model.latents(chosen, float(truncation)), "<f4")
        return values.reshape(len(chosen), self.latent_length).astype(np.float32, copy=False)

    def from_latents(
        self,
        latents: npt.ArrayLike,
        *,
        labels: str | Labels | None = None,
        batch: SupportsIndex = 64,
    ) -> UInt8Array:
        """The images of latents of shape ``[n, latent_length]``: uint8 ``[n, resolution, resolution, 3]``.

        ``labels`` is one class for all or one per image; a generator that makes classes on demand needs it, because there
        is no seed to draw one. :meth:`sample` also turns and mirrors each image at random if the training did so
        (``card["turns"]``). These images come as the network makes them.
        """
        z = np.ascontiguousarray(latents, "<f4")
        if z.ndim != 2 or z.shape[1] != self.latent_length:
            raise ValueError(f"latents: their shape is {list(z.shape)}, expected [n, {self.latent_length}]")
        if not np.isfinite(z).all():
            raise ValueError("latents: not all of them are finite")
        if isinstance(labels, str):
            classes = self._classes_of(len(z), labels, None)
        else:
            classes = self._classes_of(len(z), None, labels)
        if self.conditioned and any(c is None for c in classes):
            raise ValueError(f"labels: this generator needs a class for each latent, of {', '.join(self.classes)}")
        pixels = self._model.images_of_latents(z.tobytes(), classes, count_of("batch", batch))
        return self._images(pixels, len(z))

    def grid(
        self,
        columns: SupportsIndex = 8,
        rows: SupportsIndex = 8,
        *,
        seeds: Seeds | None = None,
        label: str | None = None,
        labels: Sequence[str] | str | None = None,
        truncation: float = 1.0,
    ) -> Grid:
        """Makes a grid, which shows itself in a notebook.

        With ``labels`` (codes, or ``"all"``) each class has its own rows, and the images of a column share a latent.
        """
        request = {
            "columns": count_of("columns", columns),
            "rows": count_of("rows", rows),
            "seeds": None if seeds is None else seeds_of(None, seeds, 0),
            "classes": _codes(label, labels),
            "truncation": float(truncation),
            "batch": 64,
        }
        return Grid(self._model, request)

    def interpolate(
        self,
        seeds: Seeds,
        *,
        label: str | None = None,
        labels: Sequence[str] | None = None,
        frames: SupportsIndex = 24,
        scale: SupportsIndex = 4,
        ms: SupportsIndex = 40,
        truncation: float = 1.0,
    ) -> Animation:
        """Makes an animated walk through the latents of seeds and back to the first, which shows itself in a notebook.

        There are ``frames`` frames of ``ms`` milliseconds from one seed to the next, and each pixel becomes a square of
        ``scale`` pixels. ``label`` is the class of the whole walk, ``labels`` one class per seed.
        """
        request = {
            "seeds": list(seeds_of(None, seeds, 0)),
            "classes": _codes(label, labels),
            "frames": count_of("frames", frames),
            "scale": count_of("scale", scale),
            "ms": count_of("ms", ms),
            "truncation": float(truncation),
            "batch": 64,
        }
        return Animation(self._model, request)

    def save(
        self,
        out: PathArgument,
        n: SupportsIndex | None = None,
        *,
        seeds: Seeds | None = None,
        seed: SupportsIndex = 0,
        label: str | None = None,
        labels: Sequence[str] | str | None = None,
        truncation: float = 1.0,
        format: str | None = None,  # noqa: A002
    ) -> int:
        """Writes a set of images, as ``dermagan sample`` does, and returns their number.

        ``labels`` are classes in which each seed is made; ``"all"`` are all. The ``format`` is ``folder`` (PNG files with a
        ``metadata.csv`` in HAM10000's columns), ``imagefolder``, ``zip``, ``webdataset``, ``parquet`` or ``stylegan``; a
        name that ends with ``.zip``, ``.tar`` or ``.parquet`` chooses it, too. A folder that was interrupted goes on where
        it was.
        """
        chosen = seeds_of(n, seeds, seed)
        codes = _codes(label, labels)
        return self._model.write_set(ranges_of(chosen), codes, float(truncation), 64, path_of(out), format)

    def torch(self, n: SupportsIndex, **options: Any) -> SyntheticImages:
        """A ``torch.utils.data.Dataset`` of ``n`` synthetic images; see :class:`dermagan.torch.SyntheticImages`."""
        from .torch import SyntheticImages

        return SyntheticImages(self, n, **options)

    def __repr__(self) -> str:
        classes = ", ".join(self.classes) or "unknown"
        made = "classes" if self.conditioned else "trained without classes on"
        side = self.resolution
        return f"<dermagan.Generator {self.name}: {side}x{side} pixels, {made} {classes}, on {self.device}>"

    def _classes_of(self, count: int, label: str | None, labels: Labels | None) -> list[int | None]:
        """The index of each image's class; None for one that its seed draws."""
        if label is not None and labels is not None:
            raise ValueError("labels: name either one label for all images, or labels for each")
        if isinstance(labels, str):
            raise TypeError("labels: expected one code per image; name one class for all images as label")
        if label is not None and not isinstance(label, str):
            raise TypeError(f"label={label!r}: expected the code of a class, such as mel")
        if labels is None:
            return [None if label is None else self._model.class_index(label)] * count
        codes = list(labels)
        if len(codes) != count:
            raise ValueError(f"labels: {len(codes)} labels for {count} images; expected one per image")
        known: dict[str | None, int | None] = {None: None}
        for code in codes:
            if code not in known:
                if not isinstance(code, str):
                    raise TypeError(f"labels: {code!r}; expected the code of a class, such as mel")
                known[code] = self._model.class_index(code)
        return [known[code] for code in codes]

    def _images(self, pixels: bytearray, count: int) -> UInt8Array:
        return np.frombuffer(pixels, np.uint8).reshape(count, self.resolution, self.resolution, 3)


def _codes(label: str | None, labels: Sequence[str] | str | None) -> list[str]:
    """The codes of the classes of a grid, a walk or a folder."""
    if label is not None and labels is not None:
        raise ValueError("labels: name either a label or labels")
    if label is not None:
        return [label]
    if labels is None:
        return []
    return [labels] if isinstance(labels, str) else list(labels)


class Grid:
    """A grid of generated images."""

    def __init__(self, model: _dermagan.Model, request: dict[str, Any]) -> None:
        self._model, self._request = model, request
        self._png = model.grid(request)

    def save(self, path: PathArgument) -> None:
        """Writes the grid as a PNG whose text names the model, the seeds and the classes."""
        self._model.write_grid(self._request, path_of(path))

    @property
    def png(self) -> bytes:
        """The bytes of the PNG."""
        return self._png

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height and width in pixels, and 3."""
        side = self._model.resolution
        return (self._request["rows"] * side, self._request["columns"] * side, 3)

    def __repr__(self) -> str:
        height, width, _ = self.shape
        return f"<dermagan.Grid of {self._request['columns']}x{self._request['rows']} images, {width}x{height} pixels>"

    def _repr_png_(self) -> bytes:
        return self._png


class Animation:
    """An animated walk through the latents of a generator."""

    def __init__(self, model: _dermagan.Model, request: dict[str, Any]) -> None:
        self._model, self._request = model, request
        side = model.resolution * request["scale"]
        self.frames: UInt8Array = np.frombuffer(model.walk(request), np.uint8).reshape(-1, side, side, 3)
        """The frames: uint8 ``[frames, side, side, 3]``."""

    def save(self, path: PathArgument) -> None:
        """Writes the walk: a ``.gif`` of 256 colours per frame, or an animated ``.png`` or ``.apng`` of all colours."""
        self._model.write_walk(self._request, path_of(path))

    def __len__(self) -> int:
        return len(self.frames)

    def __repr__(self) -> str:
        return f"<dermagan.Animation of {len(self)} frames, {self._request['ms']} ms each>"

    def _repr_png_(self) -> bytes:
        # Browsers play an animated PNG.
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "walk.png"
            self.save(path)
            return path.read_bytes()


__all__ = ["Animation", "Generator", "Grid"]
