"""The exceptions of the package."""


class DermaganError(Exception):
    """The base of the exceptions that are the package's own."""


class DataError(DermaganError, ValueError):
    """A data source that cannot be used: unrecognised, damaged, or refused by ``strict``."""


class ModelError(DermaganError, ValueError):
    """A model, a checkpoint or another file of weights that cannot be used."""


class TrainingError(DermaganError, RuntimeError):
    """A run that cannot go on, such as one whose loss is not finite."""


class DeviceError(DermaganError, RuntimeError):
    """A device that does not exist here, or that computes wrong results."""


class InternalError(DermaganError, RuntimeError):
    """A fault of dermagan itself."""


for _class in (DermaganError, DataError, ModelError, TrainingError, DeviceError, InternalError):
    _class.__module__ = "dermagan"
