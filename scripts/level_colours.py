#!/usr/bin/env python3
"""Moves the bias of a generator's last layer until the mean colour of its images is that of the training images.

    level_colours.py --dermagan PROGRAM --cache PREPARED.dermagan --split RUN/split.csv --model G.safetensors --out LEVEL.safetensors
    dermagan export LEVEL.safetensors --out generator.safetensors

A generator that was trained long at a low learning rate may be brighter than its data by one of 255 levels. No eye sees that;
the lesion encoder does. The result has no checksum of its card; `dermagan export` adds it.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from prepared import images_of
from safetensors import safe_open
from safetensors.numpy import save_file

ROUNDS, IMAGES = 3, 2048


def means(program, model):
    with tempfile.TemporaryDirectory() as out:
        subprocess.run([program, "sample", model, "-n", str(IMAGES), "--out", f"{out}/s"], check=True, stdout=subprocess.DEVNULL)
        images = [np.asarray(Image.open(path), np.float64) for path in sorted(Path(f"{out}/s").glob("*.png"))]
    return np.mean(images, axis=(0, 1, 2))


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ["dermagan", "cache", "split", "model", "out"]:
        arguments.add_argument(f"--{name}", required=True)
    a = arguments.parse_args()
    wanted = images_of(a.cache, a.split).mean(axis=(0, 1, 2), dtype=np.float64)
    with safe_open(a.model, "numpy") as file:
        weights = {name: file.get_tensor(name) for name in file.keys()}
        metadata = file.metadata()
    card = json.loads(metadata["dermagan"])
    card.pop("digest", None)
    last = max((name for name in weights if name.endswith(".bias")), key=lambda name: int(name.split(".")[1]))
    weights[last] = weights[last].astype(np.float32)
    save = lambda: save_file(weights, a.out, {**metadata, "dermagan": json.dumps(card)})
    save()
    for _ in range(ROUNDS):
        found = means(a.dermagan, a.out)
        print("mean colour", found.round(2), "wanted", wanted.round(2))
        # The output is a tanh; its slope at the mean colour is good enough for a fixed point.
        slope = 1 - (wanted / 127.5 - 1) ** 2
        weights[last] = weights[last] + ((wanted - found) / 127.5 / slope).astype(np.float32)
        save()
    print("mean colour", means(a.dermagan, a.out).round(2))


if __name__ == "__main__":
    main()
