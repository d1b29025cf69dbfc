#!/usr/bin/env python3
"""Makes the fixture that dermagan's Inception is compared with, from pytorch-fid's own network.

    python3 -m venv /tmp/fixtures && /tmp/fixtures/bin/pip install -r scripts/requirements.txt
    /tmp/fixtures/bin/pip install --no-deps pytorch-fid==0.3.0
    /tmp/fixtures/bin/python scripts/make_inception_fixture.py [--weights FILE.pth]

Writes crates/dermagan-eval/tests/data/inception.safetensors: the features of four images, and the
names and shapes of the network's tensors. Weights and images come from formulas that the test
repeats bit by bit, so the repository needs neither 95 MB of weights nor the images, and nothing is
downloaded. The published weights are not used: the test compares the network.

--weights also saves the weights in the format of pytorch-fid's file, which is PyTorch's from before 1.6.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
import torchvision
from formulas import image, random_bits
from PIL import Image
from pytorch_fid import inception
from safetensors.numpy import save_file

TARGET = Path(__file__).resolve().parent.parent / "crates/dermagan-eval/tests/data/inception.safetensors"
SIDE = 299
# Width and height. Pillow first reduces the last image; dermagan uses the same filter.
SIZES = [(64, 64), (128, 96), (299, 299), (420, 310)]


def weight(name, shape):
    """Uniform values. Filters keep the variance through a ReLU; a normalisation is close to the identity."""
    count = int(np.prod(shape))
    # A float holds 24 bits, so there is no rounding. The values are in [-1, 1).
    uniform = (random_bits(name, count) >> np.uint64(40)).astype(np.float32) / np.float32(2**23) - np.float32(1)
    if len(shape) > 1:
        values = uniform * np.float32(np.sqrt(6 / np.prod(shape[1:])))
    elif name.endswith(("bn.weight", "running_var")):
        values = np.float32(1) + np.float32(0.2) * uniform
    else:
        values = np.float32(0.1) * uniform
    assert values.dtype == np.float32
    return torch.from_numpy(values.reshape(shape))


def network(file):
    torch.manual_seed(0)  # torchvision initialises the network first
    shapes = torchvision.models.inception_v3(num_classes=1008, aux_logits=False, init_weights=False).state_dict()
    weights = {name: weight(name, tuple(t.shape)) for name, t in shapes.items() if t.is_floating_point()}
    counters = {name: torch.zeros_like(t) for name, t in shapes.items() if not t.is_floating_point()}
    if file:
        torch.save({**weights, **counters}, file, _use_new_zipfile_serialization=False)
    # Replaces the download.
    inception.load_state_dict_from_url = lambda *_, **__: {**weights, **counters}
    return inception.InceptionV3().eval(), {name: list(t.shape) for name, t in weights.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, help="also save the weights here")
    net, shapes = network(parser.parse_args().weights)
    out = {}
    for width, height in SIZES:
        pixels = image(width, height)
        if max(width, height) > SIDE:
            pixels = np.asarray(Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BILINEAR))
        x = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
        with torch.no_grad():
            features = net(x)[0].flatten().numpy()
        alive = float((features > 0).mean())
        print(f"{width}x{height}: mean {features.mean():.3f}, largest {features.max():.3f}, alive {alive:.2f}")
        out[f"{width}x{height}"] = features
    save_file(out, TARGET, metadata={"shapes": json.dumps(shapes, separators=(",", ":"))})


if __name__ == "__main__":
    main()
