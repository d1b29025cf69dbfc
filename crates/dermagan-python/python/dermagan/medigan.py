"""What `medigan <https://github.com/RichardObi/medigan>`_ calls to run a generator of its list.

``dermagan report --medigan FILE.json`` writes the entry of the list.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ._arguments import PathArgument, UInt8Array
from .generator import Generator

__all__ = ["generate"]


def generate(
    model_file: PathArgument,
    num_samples: int = 30,
    output_path: PathArgument = "images",
    save_images: bool = True,
    *,
    seed: int = 0,
    classes: Sequence[str] | str | None = None,
) -> UInt8Array | None:
    """Makes images of the seeds ``seed`` to ``seed + num_samples - 1``, once for each of ``classes``.

    With ``save_images`` they are PNG files with a table in the folder ``output_path``, and the result is None. Otherwise
    they are an array ``[n, height, width, 3]``. Without ``classes``, each seed draws a class.
    """
    generator = Generator.load(model_file)
    if save_images:
        generator.save(output_path, num_samples, seed=seed, classes=classes)
        return None
    codes = [classes] if classes is None or isinstance(classes, str) else list(classes)
    return np.concatenate([generator.sample(num_samples, seed=seed, label=code) for code in codes])
