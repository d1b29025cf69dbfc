#!/usr/bin/env python3
"""A grid of images from a generator of dermagan, by PyTorch.

    pip install torch safetensors pillow
    python scripts/load_generator.py models/lesion-generator/generator.safetensors --class mel --out mel.png

The network is that of crates/dermagan-export/src/pytorch/generator.py, which `dermagan export --torch generator.py` writes
for use elsewhere. PyTorch draws the latents, so its seeds are not dermagan's.
"""

import argparse
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "crates/dermagan-export/src/pytorch"))

from generator import Generator, to_bytes  # noqa: E402


def main():
    from PIL import Image

    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("model", type=Path)
    arguments.add_argument("--class", dest="code", help="such as mel; without it, classes in the shares of the training data")
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--out", type=Path, default=Path("grid.png"))
    a = arguments.parse_args()
    torch.manual_seed(a.seed)
    try:
        model = Generator.from_file(a.model)
        label = model.label(a.code, 64)
    except (ValueError, OSError) as error:
        raise SystemExit(f"error: {error}") from error
    with torch.no_grad():
        images = model.orient(model(model.draw(64), label))
    grid = to_bytes(images).unflatten(0, (8, 8)).permute(0, 2, 1, 3, 4).flatten(2, 3).flatten(0, 1)
    Image.fromarray(grid.numpy()).save(a.out)
    print(f"64 synthetic images in {a.out}; licence of the training data: {model.card['licence']}")


if __name__ == "__main__":
    main()
