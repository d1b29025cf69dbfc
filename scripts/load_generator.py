#!/usr/bin/env python3
"""dermagan's residual generator in PyTorch.

    pip install torch safetensors pillow
    python scripts/load_generator.py models/lesion-generator/generator.safetensors --class mel --out mel.png

or from a program:

    from load_generator import Generator
    model = Generator("generator.safetensors")
    images = model(model.draw(16), model.label("mel", 16))    # [16, 3, 64, 64] in [-1, 1]

Each layer is written as its definition (every pixel is doubled, then a convolution), not as the stride-2 layer that
dermagan computes. The same function makes the fixture of dermagan's tests (scripts/make_residual_fixture.py). PyTorch
draws the latents, so its seeds are not dermagan's. A model whose card says `turns` has no preferred orientation: rotate
and mirror its images at random, as dermagan does by their seed.
"""

import argparse
import json
from pathlib import Path

import torch
from torch.nn import functional as F

SLOPE = 0.2


def average_down(x):
    """Halves the side with the filter [1, 3, 3, 1] / 8 along each axis, with replicate padding."""
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=x.dtype, device=x.device) / 8
    kernel = torch.outer(taps, taps).expand(x.shape[1], 1, 4, 4)
    return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), kernel, stride=2, groups=x.shape[1])


def around_down(x):
    """The shortcut of the discriminator's layers: half the side, and twice the channels by repetition."""
    p = average_down(x)
    return torch.cat([p, p], 1)


def around_up(y):
    """The shortcut of the generator's layers: twice the transpose of the discriminator's shortcut, which is the gradient
    of that linear function."""
    batch, channels, height, width = y.shape
    with torch.enable_grad():
        x = torch.zeros(
            batch, channels // 2, 2 * height, 2 * width, dtype=y.dtype, device=y.device, requires_grad=True
        )
        (transposed,) = torch.autograd.grad(around_down(x), x, y, create_graph=True)
    return 2 * transposed


def leaky(x):
    return F.leaky_relu(x, SLOPE)


def normed(x):
    """Divides the channels of each pixel by their root mean square."""
    return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-8)


def sides(p):
    """Resolutions at which noise is added: after each layer except the first and the last."""
    layers = sum(name.startswith("main.") and name.endswith(".weight") for name in p)
    return [8 << i for i in range(layers - 2)] if "noise.0" in p else []


def generator(p, z, label=None):
    """Images [n, 3, side, side] in [-1, 1] from a generator's tensors `p`. `z`: [n, z_dim + the pixels of the noise,
    smallest resolution first], standard normal. `label`: [n, classes], 1 at the class, for a class-conditional generator."""
    last = sum(name.startswith("main.") and name.endswith(".weight") for name in p) - 1
    embedding = p["embed"].shape[1] if "embed" in p else 0
    noisy = sides(p)
    z, *noise = z.split([p["main.0.weight"].shape[0] - embedding, *(side**2 for side in noisy)], 1)
    x = z if label is None else torch.cat([z, label @ p["embed"]], 1)
    # From one pixel to 4×4: every tap sees only that pixel.
    x = torch.einsum("bi,iohw->bohw", x, p["main.0.weight"]) + p["main.0.bias"][:, None, None]
    for i in range(1, last + 1):
        # A transposed filter is an ordinary one, rotated by 180° and with its channels swapped.
        weight, bias = p[f"main.{i}.weight"].transpose(0, 1).flip(2, 3), p[f"main.{i}.bias"]
        active = leaky(normed(x))
        if i == last:
            return torch.tanh(F.conv2d(active, weight, bias, padding=1))
        doubled = F.interpolate(active, scale_factor=2, mode="nearest")
        x = F.conv2d(doubled, weight, bias, padding=1) + around_up(x)
        if noisy:
            grain = noise[i - 1].unflatten(1, (1, noisy[i - 1], noisy[i - 1]))
            x = x + grain * p[f"noise.{i - 1}"][:, None, None]


class Generator:
    """A generator's file: its tensors, and its card (`card["classes"]`, `card["licence"]`, …)."""

    def __init__(self, path, device="cpu"):
        from safetensors import safe_open

        with safe_open(str(path), "pt", device=str(device)) as file:
            card = (file.metadata() or {}).get("dermagan")
            if card is None:
                raise ValueError(f"{path}: it has no dermagan metadata, so it is not a residual generator of dermagan")
            self.card = json.loads(card)
            self.p = {name: file.get_tensor(name).float() for name in file.keys()}
        if self.card.get("model", {}).get("backbone") != "residual":
            raise ValueError(f"{path}: it is not a residual generator; a DCGAN loads directly into an nn.Sequential")
        self.device = device

    def draw(self, count, psi=1.0, seed=None):
        """Latents and noise for `count` images. `psi` scales the latents, not the noise."""
        source = None if seed is None else torch.Generator().manual_seed(seed)
        z = psi * torch.randn(count, self.card["model"]["z_dim"], generator=source)
        grain = torch.randn(count, sum(side**2 for side in sides(self.p)), generator=source)
        return torch.cat([z, grain], 1).to(self.device)

    def label(self, code, count):
        """Class labels of `count` images, [count, classes]. Without a code the classes are drawn in the shares of the training
        data. `None` for a generator that is not class-conditional."""
        classes, strength = self.card["classes"], self.card.get("condition", 1.0)
        if "embed" not in self.p or strength == 0:
            if code:
                raise ValueError(f"class {code}: this generator is not class-conditional, or was saved before its training used the classes")
            return None if "embed" not in self.p else torch.zeros(count, len(classes), device=self.device)
        if code:
            places = [place for place, name in enumerate(classes) if name.lower() == code.lower()]
            if not places:
                raise ValueError(f"class {code}: the generator has {', '.join(classes)}")
            chosen = torch.tensor(places[:1]).expand(count)
        else:
            shares = torch.tensor(self.card.get("class_images") or [1] * len(classes), dtype=torch.float64)
            chosen = torch.multinomial(shares, count, replacement=True)
        return strength * F.one_hot(chosen, len(classes)).float().to(self.device)

    @torch.no_grad()
    def __call__(self, z, label=None):
        return generator(self.p, z, label)


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
        model = Generator(a.model)
        label = model.label(a.code, 64)
    except (ValueError, OSError) as error:
        raise SystemExit(f"error: {error}") from error
    images = model(model.draw(64), label)
    grid = images.unflatten(0, (8, 8)).permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)
    levels = ((grid + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).numpy()
    Image.fromarray(levels).save(a.out)
    print(f"64 synthetic images in {a.out}; licence of the training data: {model.card['licence']}")


if __name__ == "__main__":
    main()
