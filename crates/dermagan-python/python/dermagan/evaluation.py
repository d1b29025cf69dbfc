"""Evaluation of generated images."""

from __future__ import annotations

import html
import json
import re
import tempfile
from pathlib import Path
from typing import Any, SupportsIndex, Union

import numpy as np
import numpy.typing as npt

from . import _dermagan
from ._arguments import PathArgument, UInt8Array, count_of, path_of, reading_of, seed_of
from ._progress import Bar
from .dataset import Dataset
from .generator import Generator
from .training import Run

Fake = Union[Generator, Run, PathArgument, npt.NDArray[np.uint8]]


class Report(dict[str, Any]):
    """The report of an evaluation: the dictionary that ``dermagan eval --json`` prints. It shows itself in a notebook.

    ``report["words"]`` is the verdict in a sentence, ``report["overall"]`` has the figures, ``report["classes"]`` those of
    each class, and ``report["notes"]`` says what limits their meaning.
    """

    def __str__(self) -> str:
        return _in_python(self["words"])

    def _repr_html_(self) -> str:
        rows = [("all", self["overall"])]
        rows += [(entry["class"], entry["comparison"]) for entry in self["classes"]]
        heads = ["", "n", "KID ×1000", "FID", "precision", "recall", "density", "coverage"]
        table = "<tr>" + "".join(f"<th>{head}</th>" for head in heads) + "</tr>"
        for name, figures in rows:
            cells = [html.escape(name), str(figures["n"]), _kid(figures["kid"]), _pair(figures["fid"], 1)]
            cells += [_pair(figures[key], 2) for key in ("precision", "recall", "density", "coverage")]
            table += "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
        notes = "".join(f"<li>{html.escape(_in_python(note))}</li>" for note in self["notes"])
        return (
            f"<p>{html.escape(self['fake'])} against {html.escape(self['real'])} (split {html.escape(self['split'])}), "
            f"features {html.escape(self['features'])}. Each cell: generated against real / real against other real "
            f"images.</p><table>{table}</table><p><b>{html.escape(str(self))}</b></p><ul>{notes}</ul>"
        )


def _in_python(words: str) -> str:
    """The words of the library, which name settings as in ```split` = test``, with arguments of Python: ``split=test``."""
    return re.sub(r"`(\w+)`( = )?", lambda found: found[1] + ("=" if found[2] else ""), words)


def _kid(figure: dict[str, float] | None) -> str:
    if figure is None:
        return "–"
    fake, real = 1000 * figure["fake"], 1000 * figure["real"]
    return f"{fake:.1f} ± {1000 * figure['fake_se']:.1f} / {real:.1f} ± {1000 * figure['real_se']:.1f}"


def _pair(figure: dict[str, float] | None, digits: int) -> str:
    return "–" if figure is None else f"{figure['fake']:.{digits}f} / {figure['real']:.{digits}f}"


def evaluate(
    real: Dataset | PathArgument,
    fake: Fake,
    *,
    n: SupportsIndex = 2048,
    per_class: bool = False,
    split: str = "train",
    features: str = "lesion",
    weights: PathArgument | None = None,
    seed: SupportsIndex = 0,
    device: str = "auto",
    outdir: PathArgument = "runs",
    classes_from_folders: bool = False,
    keep_synthetic: bool = False,
    keep_odd: bool = False,
    split_by: str | None = None,
    progress: bool = True,
) -> Report:
    """Compares generated images with real ones: KID, FID, precision, recall, density and coverage, each beside the same
    figure of other real images.

    ``real`` is a :class:`Dataset` or a source as for :meth:`Dataset.open`; ``fake`` is a :class:`Generator`, a
    :class:`Run`, an array of images (uint8 ``[n, height, width, 3]``), or the path of a folder, a zip, an ``.npz`` or a
    model. ``n`` images of each are used. ``split`` is the side of the real images: train, val, test or all.
    ``features`` are ``lesion`` (the lesion encoder), ``inception`` (needs ``weights``) or ``handmade``.
    """
    if isinstance(real, Dataset):
        if real._indices is not None:
            raise ValueError("real: give the whole data set, and name its side as split")
        source, reading = real._source, real._reading
    else:
        source = path_of(real)
        reading = reading_of(classes_from_folders, keep_synthetic, keep_odd, split_by)
    with tempfile.TemporaryDirectory() as folder:
        args = {
            "real": source,
            "fake": _fake(fake, Path(folder)),
            "outdir": path_of(outdir),
            "reading": reading,
            "features": features,
            "weights": None if weights is None else path_of(weights),
            "number": count_of("n", n),
            "split": split,
            "per_class": per_class,
            "seed": seed_of(seed, "seed"),
            "device": device,
        }
        with Bar(progress) as bar:

            def show(stage: str, done: int, total: int) -> None:
                if stage != "comparing":
                    bar(stage, done, total)

            report = _dermagan.evaluate(json.dumps(args), show)
    found = Report(json.loads(report))
    if isinstance(fake, np.ndarray):
        found["fake"] = f"an array of {len(fake)} images"
    return found


def _fake(fake: Fake, folder: Path) -> str:
    """What is evaluated, as a name or path that the library opens."""
    if isinstance(fake, Generator):
        return fake._source
    if isinstance(fake, Run):
        return str(fake.path)
    if isinstance(fake, np.ndarray):
        images: UInt8Array = fake
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
            shape = list(images.shape)
            raise ValueError(f"fake: {images.dtype} of shape {shape}, expected uint8 of shape [n, height, width, 3]")
        path = folder / "images.npz"
        np.savez(path, images)
        return str(path)
    return path_of(fake)


__all__ = ["Report", "evaluate"]
