"""The devices of this machine."""

from . import _dermagan


def devices() -> dict[str, str]:
    """The values that ``device=`` may have here, with the name of each device. ``"auto"`` takes the first real GPU, or
    else the CPU."""
    return dict(_dermagan.devices())
