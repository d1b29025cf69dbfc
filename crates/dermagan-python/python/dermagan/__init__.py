"""Synthetic images of skin lesions: sample, train and measure GANs on dermatoscopic images.

    import dermagan

    g = dermagan.Generator.load()                # the generator that comes with the package
    images = g.sample(16, label="mel")           # uint8 [16, 64, 64, 3]

Every image that a generator makes is synthetic: it shows no person's skin, and is not for diagnosis.
"""

from . import events
from ._dermagan import __version__
from ._errors import DataError, DermaganError, DeviceError, InternalError, ModelError, TrainingError
from .dataset import Dataset
from .devices import devices
from .evaluation import Report, evaluate
from .generator import Animation, Generator, Grid
from .training import Run, train

__all__ = [
    "Animation",
    "DataError",
    "Dataset",
    "DermaganError",
    "DeviceError",
    "Generator",
    "Grid",
    "InternalError",
    "ModelError",
    "Report",
    "Run",
    "TrainingError",
    "__version__",
    "devices",
    "evaluate",
    "events",
    "train",
]
