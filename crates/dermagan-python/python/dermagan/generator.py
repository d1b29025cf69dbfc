"""Generators: images by seed and class."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsFloat, SupportsIndex, Union

import numpy as np
import numpy.typing as npt

from . import _dermagan
from ._arguments import (
    PathArgument,
    Seeds,
    UInt8Array,
    count_of,
    file_of,
    float_of,
    ranges_of,
    seeds_of,
    text_of,
    texts_of,
)
from ._errors import ModelError

if TYPE_CHECKING:
    from .torch import SyntheticImages

_log = logging.getLogger("dermagan")

Labels = Union[Iterable["str | None"], npt.NDArray[np.str_]]
"""One class per image, by its code; None for a class that the seed draws."""


class Generator:
    """A trained generator on a device.

    An image depends on the model, its seed, its class and the truncation alone: the same seed gives the same image in
    every call, at any ``batch``, and in the command ``dermagan sample``. (Devices differ in the last bits.)
    """

    def __init__(self, model: _dermagan.Model, source: str, choice: str) -> None:
        """Use :meth:`load`."""
        self._model, self._source, self._choice = model, source, choice

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
        name = "shipped" if model is None else file_of(model, "model")
        folder = file_of(outdir, "outdir") if name == "latest" and not os.path.exists(name) else None
        opened = _dermagan.Model.open(name, folder, text_of("device", device))
        if opened.warning is not None:
            _log.warning(opened.warning)
        for note in opened.notes:
            _log.info(note)
        source = opened.name if name == "latest" else name
        return cls(opened, os.path.abspath(source) if os.path.exists(source) else source, device)

    def __reduce__(self) -> tuple[Callable[..., Generator], tuple[str, str, str]]:
        """A generator is opened again where it is unpickled, and must then be the same."""
        return _reopened, (self._source, self._choice, self.sha256)

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
    def card(self) -> dict[str, Any]:
        """Where the generator comes from: its data and their licence, its classes, its preset and its length of
        training. Empty for a file of another program."""
        return dict(json.loads(self._model.card or "{}"))

    def sample(
        self,
        n: SupportsIndex | None = None,
        *,
        seeds: Seeds | None = None,
        seed: SupportsIndex = 0,
        label: str | None = None,
        labels: Labels | None = None,
        truncation: SupportsFloat = 1.0,
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
        pixels = self._model.sample(chosen, classes, float_of("truncation", truncation), count_of("batch", batch))
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
        self._model.check_memory(len(chosen))
        return self._model.labels(chosen, self._classes_of(len(chosen), label, labels))

    def latents(self, seeds: Seeds, *, truncation: SupportsFloat = 1.0) -> npt.NDArray[np.float32]:
        """The latents of seeds: float32 of shape ``[n, latent_length]``. Each row is z, scaled by ``truncation``, and then
        the noise, which is not scaled."""
        chosen = seeds_of(None, seeds, 0)
        values = np.frombuffer(self._model.latents(chosen, float_of("truncation", truncation)), "<f4")
        return values.reshape(len(chosen), self.latent_length).astype(np.float32, copy=False)

    def from_latents(
        self,
        latents: npt.ArrayLike,
        *,
        labels: Labels | str | None = None,
        batch: SupportsIndex = 64,
    ) -> UInt8Array:
        """The images of latents of shape ``[n, latent_length]``: uint8 ``[n, resolution, resolution, 3]``.

        ``labels`` is one class for all or one per image; a generator that makes classes on demand needs it, because there
        is no seed to draw one. :meth:`sample` also turns and mirrors each image at random if the training did so
        (``card["turns"]``). These images come as the network makes them.
        """
        given = np.asarray(latents)
        if given.dtype.kind not in "fiu":
            raise TypeError(f"latents: expected an array of real numbers, not of {given.dtype}")
        z = np.ascontiguousarray(given, "<f4")
        if z.ndim != 2 or z.shape[1] != self.latent_length:
            raise ValueError(f"latents: their shape is {list(z.shape)}, expected [n, {self.latent_length}]")
        if not np.isfinite(z).all():
            raise ValueError("latents: not all of them are finite")
        if isinstance(labels, str):
            classes: list[int | None] = [self._class_of("labels", labels)] * len(z)
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
        classes: Iterable[str] | str | None = None,
        truncation: SupportsFloat = 1.0,
    ) -> Grid:
        """Makes a grid, which a notebook displays.

        With ``classes`` (codes, or ``"all"``) each class has its own rows, and the images of a column share a latent. Other
        images are of the class ``label``, or of the classes that their seeds draw.
        """
        request = {
            "columns": count_of("columns", columns),
            "rows": count_of("rows", rows),
            "seeds": None if seeds is None else seeds_of(None, seeds, 0),
            "classes": _codes(label, classes, "classes"),
            "truncation": float_of("truncation", truncation),
            "batch": 64,
        }
        return Grid(self._model, request)

    def interpolate(
        self,
        seeds: Seeds,
        *,
        label: str | None = None,
        labels: Iterable[str] | None = None,
        frames: SupportsIndex = 24,
        scale: SupportsIndex = 4,
        ms: SupportsIndex = 40,
        truncation: SupportsFloat = 1.0,
    ) -> Animation:
        """Makes an animated walk through the latents of seeds and back to the first, which a notebook plays.

        There are ``frames`` frames of ``ms`` milliseconds from one seed to the next, and each pixel becomes a square of
        ``scale`` pixels. ``label`` is the class of the whole walk, ``labels`` one class per seed.
        """
        request = {
            "seeds": list(seeds_of(None, seeds, 0)),
            "classes": _codes(label, labels, "labels"),
            "frames": count_of("frames", frames),
            "scale": count_of("scale", scale),
            "ms": count_of("ms", ms),
            "truncation": float_of("truncation", truncation),
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
        classes: Iterable[str] | str | None = None,
        truncation: SupportsFloat = 1.0,
        format: str | None = None,  # noqa: A002
    ) -> int:
        """Writes a set of images, as ``dermagan sample`` does, and returns their number.

        Each seed is made once per class of ``classes`` (codes, or ``"all"``), or once in the class ``label`` or the one that
        it draws. The ``format`` is ``folder`` (PNG files with a
        ``metadata.csv`` in HAM10000's columns), ``imagefolder``, ``zip``, ``webdataset``, ``parquet`` or ``stylegan``; a
        name that ends with ``.zip``, ``.tar`` or ``.parquet`` chooses it, too. A folder that was interrupted goes on where
        it was.
        """
        chosen = seeds_of(n, seeds, seed)
        codes = _codes(label, classes, "classes")
        name = None if format is None else text_of("format", format)
        psi = float_of("truncation", truncation)
        return self._model.write_set(ranges_of(chosen), codes, psi, 64, file_of(out, "out"), name)

    def torch(
        self,
        n: SupportsIndex | None = None,
        *,
        seeds: Seeds | None = None,
        seed: SupportsIndex = 0,
        label: str | None = None,
        labels: Labels | None = None,
        classes: Sequence[str] | None = None,
        truncation: SupportsFloat = 1.0,
        transform: Callable[[Any], Any] | None = None,
    ) -> SyntheticImages:
        """These synthetic images as a ``torch.utils.data.Dataset``; see :class:`dermagan.torch.SyntheticImages`."""
        from .torch import SyntheticImages

        return SyntheticImages(
            self,
            n,
            seeds=seeds,
            seed=seed,
            label=label,
            labels=labels,
            classes=classes,
            truncation=truncation,
            transform=transform,
        )

    def __repr__(self) -> str:
        classes = ", ".join(self.classes) or "unknown"
        made = "classes" if self.conditioned else "trained without classes on"
        side = self.resolution
        return f"<dermagan.Generator {self.name}: {side}x{side} pixels, {made} {classes}, on {self.device}>"

    def _classes_of(self, count: int, label: str | None, labels: Labels | None) -> list[int | None]:
        """The index of each image's class; None for one that its seed draws."""
        if label is not None and labels is not None:
            raise ValueError("labels: give either one label for all images, or labels for each")
        if isinstance(labels, str):
            raise TypeError("labels: expected one code per image; give one class for all images as label")
        if labels is None:
            return [None if label is None else self._class_of("label", label)] * count
        if not isinstance(labels, Iterable):
            raise TypeError(f"labels={labels!r}: expected one code per image, such as ['mel', 'nv']")
        codes = list(labels)
        if len(codes) != count:
            raise ValueError(f"labels: {len(codes)} labels for {count} images; expected one per image")
        known: dict[str, int | None] = {}
        classes: list[int | None] = []
        for code in codes:
            if code is not None and text_of("labels", code) not in known:
                known[code] = self._class_of("labels", code)
            classes.append(None if code is None else known[code])
        return classes

    def _class_of(self, argument: str, code: str) -> int | None:
        """The index of a class."""
        text_of(argument, code)
        if self.conditioned and code.strip().lower() not in [known.lower() for known in self.classes]:
            raise ValueError(f"{argument}={code!r}: no such class; this generator has {', '.join(self.classes)}")
        return self._model.class_index(code)

    def _images(self, pixels: bytearray, count: int) -> UInt8Array:
        return np.frombuffer(pixels, np.uint8).reshape(count, self.resolution, self.resolution, 3)


def _codes(label: str | None, codes: Iterable[str] | str | None, name: str) -> list[str]:
    """The codes of the classes of a grid, a walk or a set."""
    if label is not None and codes is not None:
        raise ValueError(f"{name}: give either a label or {name}")
    if label is not None:
        return [text_of("label", label)]
    return [] if codes is None else texts_of(name, codes)


def _reopened(source: str, device: str, sha256: str) -> Generator:
    """A generator that was pickled."""
    generator = Generator.load(source, device=device)
    if generator.sha256 != sha256:
        raise ModelError(f"{source}: this is another generator than the one that was pickled")
    return generator


class Grid:
    """A grid of generated images."""

    def __init__(self, model: _dermagan.Model, request: dict[str, Any]) -> None:
        side = model.resolution
        self.shape: tuple[int, int, int] = (request["rows"] * side, request["columns"] * side, 3)
        """Height and width in pixels, and 3."""
        self.png: bytes = model.grid(request)
        """The bytes of the PNG."""
        self._words = f"{request['columns']}x{request['rows']}"

    def save(self, path: PathArgument) -> None:
        """Writes the grid as a PNG whose text names the model, the seeds and the classes."""
        _dermagan.save_grid(self.png, file_of(path))

    def __repr__(self) -> str:
        height, width, _ = self.shape
        return f"<dermagan.Grid of {self._words} images, {width}x{height} pixels>"

    def _repr_png_(self) -> bytes:
        return self.png


class Animation:
    """An animated walk through the latents of a generator."""

    def __init__(self, model: _dermagan.Model, request: dict[str, Any]) -> None:
        self._model, self._request = model, request
        side = model.resolution * request["scale"]
        self.frames: UInt8Array = np.frombuffer(model.walk(request), np.uint8).reshape(-1, side, side, 3)
        """The frames: uint8 ``[frames, side, side, 3]``."""

    def save(self, path: PathArgument) -> None:
        """Writes the walk: a ``.gif`` of 256 colours per frame, or an animated ``.png`` or ``.apng`` of all colours."""
        self._model.write_walk(self._request, file_of(path))

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
