"""What the tests of exported generators share: small models, and the images and latents that the program makes of a model."""

import os
import re
from pathlib import Path

import numpy
import pytest
from PIL import Image

os.environ["HF_HUB_OFFLINE"] = "1"

# Flags of a run that takes a second or two.
SMALL = ["--data", "phantom:60", "--width", "4", "--batch", "8", "--device", "cpu"]
NOW = ["--set", "condition.from_kimg=0", "--set", "condition.to_kimg=0.08"]
RUNS = {
    "dcgan": ["--preset", "tiny", "--kimg", "0.2"],
    "dcgan64": ["--preset", "reference", "--kimg", "0.05"],
    "residual": ["--preset", "fast", "--size", "32", "--kimg", "0.16"],
    "without_noise": ["--preset", "fast", "--size", "32", "--kimg", "0.16", "--set", "model.noise=false"],
    "residual64": ["--preset", "fast", "--kimg", "0.05"],
    "classes": ["--preset", "rare", "--size", "32", "--kimg", "0.16", *NOW],
    # The class strength is a half at the end of the run.
    "half_strength": ["--preset", "rare", "--size", "32", "--kimg", "0.04", *NOW],
    # It is zero throughout.
    "no_strength": ["--preset", "rare", "--size", "32", "--kimg", "0.04"],
}
# Each of them, with the class of its images if it makes classes on demand.
each_network = pytest.mark.parametrize(
    "name, code",
    [
        ("dcgan", None),
        ("dcgan64", None),
        ("residual", None),
        ("without_noise", None),
        ("residual64", None),
        ("classes", "df"),
        ("half_strength", "df"),
        ("no_strength", None),
    ],
)
_trained = {}


@pytest.fixture
def trained(dermagan, tmp_path_factory):
    """A function from a name in RUNS to the generator's file of such a run, which is made once."""

    def file(name):
        if name not in _trained:
            runs = tmp_path_factory.mktemp(name)
            dermagan("train", *RUNS[name], *SMALL, "--outdir", str(runs))
            (_trained[name],) = runs.glob("*/generator.safetensors")
        return str(_trained[name])

    return file


def latents(model, seeds):
    """The latents of the program's seeds, which only the program can draw."""
    package = pytest.importorskip("dermagan")
    values = package.Generator.load(model).latents(seeds=list(seeds))
    return numpy.asarray(values, dtype=numpy.float32)


def upright(path):
    """The pixels of a generated PNG without its random orientation, [side, side, 3]."""
    with Image.open(path) as image:
        text = image.text.get("dermagan:orientation", "0 degrees")
        pixels = numpy.asarray(image.convert("RGB"))
    degrees = int(re.search(r"(\d+) degrees", text).group(1))
    pixels = numpy.rot90(pixels, -degrees // 90)
    return pixels[:, ::-1] if text.startswith("mirrored") else pixels


def images(dermagan, model, seeds, out, code=None):
    """The images that the program makes, without their random orientation, [n, side, side, 3]."""
    of_class = ["--class", code] if code else []
    listed = ",".join(map(str, seeds))
    dermagan("sample", model, "--seeds", listed, *of_class, "--device", "cpu", "--out", str(out))
    name = f"{code}-seed{{:04}}.png" if code else "seed{:04}.png"
    return numpy.stack([upright(Path(out) / name.format(seed)) for seed in seeds])


def assert_near(made, expected):
    """Images equal within one grey level, which rounding explains, and only in few pixels. They must vary."""
    made, expected = numpy.asarray(made).astype(int), numpy.asarray(expected).astype(int)
    assert made.shape == expected.shape
    assert expected.std() > 3, "a flat image would equal any other"
    difference = numpy.abs(made - expected)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.01
