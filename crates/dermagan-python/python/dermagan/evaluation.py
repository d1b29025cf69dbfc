"""Evaluation of generated images."""

from __future__ import annotations

import html
import json
import os
import tempfile
from pathlib import Path
from typing import Any, Sequence, SupportsIndex, Union

import numpy as np
import numpy.typing as npt

from . import _dermagan
from ._arguments import PathArgument, UInt8Array, count_of, flag_of, path_of, reading_of, seed_of, text_of
from ._errors import DataError
from ._progress import Bar
from .dataset import Dataset
from .generator import Generator
from .training import Run

_FEATURES = ("lesion", "imagenet", "inception", "handmade")

Fake = Union[Generator, Run, PathArgument, npt.NDArray[np.uint8]]


class Report(dict[str, Any]):
    """The report of an evaluation: the dictionary that ``dermagan eval --json`` prints, with sentences that name arguments
    of Python. A notebook displays it as tables.

    ``report["words"]`` is the verdict in a sentence, and ``report["notes"]`` says what limits its meaning.
    ``report["features"]`` has an entry for each kind of features, which :meth:`by` finds by its name: ``entry["overall"]``
    has the figures, and ``entry["classes"]`` those of each class.
    """

    def by(self, name: str) -> dict[str, Any]:
        """The figures by the features ``name``: lesion, imagenet, inception or handmade."""
        entries: list[dict[str, Any]] = self["features"]
        for entry in entries:
            if entry["name"] == name:
                return entry
        raise KeyError(f"{name}: this report has {', '.join(entry['name'] for entry in entries)}")

    def __str__(self) -> str:
        return str(self["words"])

    def _repr_html_(self) -> str:
        entries: list[dict[str, Any]] = self["features"]
        rows = [("all", entry["name"], entry["overall"]) for entry in entries]
        for i, first in enumerate(entries[0]["classes"]):
            rows += [(first["class"], entry["name"], entry["classes"][i]["comparison"]) for entry in entries]
        heads = ["", "features", "n", "KID ×1000", "FID", "AUC", "precision", "recall", "density", "coverage"]
        table = "<tr>" + "".join(f"<th>{head}</th>" for head in heads) + "</tr>"
        for name, features, figures in rows:
            cells = [html.escape(name), html.escape(features), str(figures["n"])]
            cells += [_kid(figures["kid"]), _pair(figures["fid"], 1)]
            cells += [_pair(figures[key], 2) for key in ("auc", "precision", "recall", "density", "coverage")]
            table += "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
        notes = "".join(f"<li>{html.escape(note)}</li>" for note in self["notes"])
        return (
            f"<p>{html.escape(self['fake'])} against {html.escape(self['real'])} (split {html.escape(self['split'])}). "
            f"Each cell: generated against real / real against other real images. AUC: the share of pairs in which a "
            f"classifier finds the generated image; 0.5 is chance.</p><table>{table}</table>"
            f"<p><b>{html.escape(str(self))}</b></p><ul>{notes}</ul>"
        )


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
    features: str | Sequence[str] = ("lesion", "imagenet"),
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
    """Compares generated images with real ones: KID, FID, precision, recall, density, coverage, and how well a classifier
    tells them apart, each beside the same figure of other real images.

    ``real`` is a :class:`Dataset` or a source as for :meth:`Dataset.open`; ``fake`` is a :class:`Generator`, a
    :class:`Run`, an array of images (uint8 ``[n, height, width, 3]``), or the path of a folder, a zip, an ``.npz`` or a
    model. ``n`` images of each are used. ``split`` is the side of the real images: train, val, test or all.
    ``features`` are one or more of ``lesion`` (the lesion encoder), ``imagenet`` (a network that never saw a lesion),
    ``inception`` (needs ``weights``) and ``handmade``.
    """
    reading = reading_of(classes_from_folders, keep_synthetic, keep_odd, split_by)
    if isinstance(real, Dataset):
        if real._side is not None:
            raise ValueError("real: give the whole data set, and name its side as split")
        if any(reading.values()):
            raise ValueError("real: how a data set is read was chosen when it was opened")
        # The images are compared at the side of the generated ones. If the source is gone, its prepared images stay.
        gone = os.path.isabs(real._source) and not os.path.exists(real._source)
        source, reading = (str(real.path) if gone else real._source), real._reading
    else:
        source = path_of(real, "real")
    names = (features,) if isinstance(features, str) else tuple(features)
    with tempfile.TemporaryDirectory() as folder:
        path = _path(fake, Path(folder))
        args = {
            "real": source,
            "fake": path,
            "outdir": path_of(outdir, "outdir"),
            "reading": reading,
            "features": [text_of("features", name, _FEATURES) for name in names],
            "weights": None if weights is None else path_of(weights, "weights"),
            "number": count_of("n", n),
            "split": text_of("split", split, ("train", "val", "test", "all")),
            "per_class": flag_of("per_class", per_class),
            "seed": seed_of(seed, "seed"),
            "device": text_of("device", device),
        }
        model = fake._model if isinstance(fake, Generator) else None
        with Bar(progress) as bar:

            def show(stage: str, done: int, total: int) -> None:
                if stage != "comparing":
                    bar(stage, done, total)

            try:
                report = _dermagan.evaluate(json.dumps(args), show, model)
            except ValueError as error:
                if path is None or os.path.exists(path) or path in ("phantom", "shipped", "latest"):
                    raise
                raise FileNotFoundError(str(error)) from None
    found = Report(json.loads(report))
    if isinstance(real, Dataset) and found["fingerprint"] != real._cache.fingerprint:
        raise DataError(f"{real._source}: the source has changed since the data set was opened; open it again")
    if isinstance(fake, np.ndarray):
        found["fake"] = f"an array of {len(fake)} images"
    return found


def _path(fake: Fake, folder: Path) -> str | None:
    """What is evaluated, as a name or path that the library opens; None for a generator in memory."""
    if isinstance(fake, Generator):
        return None
    if isinstance(fake, Run):
        return str(fake.path)
    if isinstance(fake, np.ndarray):
        images: UInt8Array = fake
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3 or 0 in images.shape:
            shape = list(images.shape)
            raise ValueError(f"fake: {images.dtype} of shape {shape}, expected uint8 of shape [n, height, width, 3]")
        path = folder / "images.npz"
        np.savez(path, images)
        return str(path)
    return path_of(fake, "fake")


__all__ = ["Report", "evaluate"]
