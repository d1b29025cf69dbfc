#!/usr/bin/env python3
"""dermagan's residual generator in PyTorch, for those who want its pictures there.

    pip install torch safetensors pillow
    python scripts/load_generator.py models/lesion-generator/generator.safetensors --class mel --out mel.png

or from a program:

    from load_generator import Generator
    model = Generator("generator.safetensors")
    pictures = model(model.draw(16), model.label("mel", 16))    # [16, 3, 64, 64] in [-1, 1]

The layers are written as what they mean (a doubling of every pixel and a convolution), not as the stride-2 layers
that dermagan computes; the same function makes the fixture that dermagan is tested against
(scripts/make_residual_fixture.py). Latents are drawn by PyTorch: its seeds are not dermagan's. A model whose card
says `turns` has no up: turn and mirror its pictures at random, as dermagan does by their seed.
"""

import argparse
import json
from pathlib import Path

import torch
from torch.nn import functional as F

SLOPE = 0.2


def average_down(x):
    """Half the side by [1, 3, 3, 1] / 8 along each axis; beyond the border is the border."""
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=x.dtype, device=x.device) / 8
    kernel = torch.outer(taps, taps).expand(x.shape[1], 1, 4, 4)
    return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), kernel, stride=2, groups=x.shape[1])


def around_down(x):
    """The way around the discriminator's layers: half the side, and twice the channels by repetition."""
    p = average_down(x)
    return torch.cat([p, p], 1)


def around_up(y):
    """The way around the generator's layers: twice the transpose of the way down, which is that linear function's
    gradient."""
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
    """Each pixel's channels by their root mean square."""
    return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-8)


def sides(p):
    """Sides of the pictures that noise is added to: after each layer but the first and the last."""
    layers = sum(name.startswith("main.") and name.endswith(".weight") for name in p)
    return [8 << i for i in range(layers - 2)] if "noise.0" in p else []


def generator(p, z, label=None):
    """Pictures of a generator's tensors `p`. `z`: [n, z_dim + the noise's squares, smallest first], standard normal;
    `label`: [n, classes], 1 at the class, for a generator that makes classes on demand."""
    last = sum(name.startswith("main.") and name.endswith(".weight") for name in p) - 1
    embedding = p["embed"].shape[1] if "embed" in p else 0
    noisy = sides(p)
    z, *noise = z.split([p["main.0.weight"].shape[0] - embedding, *(side**2 for side in noisy)], 1)
    x = z if label is None else torch.cat([z, label @ p["embed"]], 1)
    # One pixel to 4×4: every tap sees that pixel alone.
    x = torch.einsum("bi,iohw->bohw", x, p["main.0.weight"]) + p["main.0.bias"][:, None, None]
    for i in range(1, last + 1):
        # A transposed filter is an ordinary one turned by half a turn, its channels swapped.
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
                raise ValueError(f"{path}: no dermagan metadata, so no residual generator of its")
            self.card = json.loads(card)
            self.p = {name: file.get_tensor(name).float() for name in file.keys()}
        if self.card.get("model", {}).get("backbone") != "residual":
            raise ValueError(f"{path}: not a residual generator; a DCGAN is an nn.Sequential as it is")
        self.device = device

    def draw(self, count, psi=1.0, seed=None):
        """Latents and noise for `count` pictures; psi scales the latents alone."""
        source = None if seed is None else torch.Generator().manual_seed(seed)
        z = psi * torch.randn(count, self.card["model"]["z_dim"], generator=source)
        grain = torch.randn(count, sum(side**2 for side in sides(self.p)), generator=source)
        return torch.cat([z, grain], 1).to(self.device)

    def label(self, code, count):
        """What says the class of `count` pictures. Without a code: each one's own, as often as in training; `None`
        for a generator that makes none on demand."""
        classes, told = self.card["classes"], self.card.get("condition", 1.0)
        if "embed" not in self.p or told == 0:
            if code:
                raise ValueError(f"class {code}: this generator makes none on demand, or was not told of them yet")
            return None if "embed" not in self.p else torch.zeros(count, len(classes), device=self.device)
        if code:
            places = [place for place, name in enumerate(classes) if name.lower() == code.lower()]
            if not places:
                raise ValueError(f"class {code}: it has {', '.join(classes)}")
            chosen = torch.tensor(places[:1]).expand(count)
        else:
            shares = torch.tensor(self.card.get("class_images") or [1] * len(classes), dtype=torch.float64)
            chosen = torch.multinomial(shares, count, replacement=True)
        return told * F.one_hot(chosen, len(classes)).float().to(self.device)

    @torch.no_grad()
    def __call__(self, z, label=None):
        return generator(self.p, z, label)


def main():
    from PIL import Image

    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("model", type=Path)
    arguments.add_argument("--class", dest="code", help="such as mel; without it as often as in training")
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--out", type=Path, default=Path("grid.png"))
    a = arguments.parse_args()
    torch.manual_seed(a.seed)
    try:
        model = Generator(a.model)
        label = model.label(a.code, 64)
    except (ValueError, OSError) as error:
        raise SystemExit(f"error: {error}") from error
    pictures = model(model.draw(64), label)
    grid = pictures.unflatten(0, (8, 8)).permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)
    levels = ((grid + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).numpy()
    Image.fromarray(levels).save(a.out)
    print(f"64 synthetic pictures in {a.out}; licence of the data learnt from: {model.card['licence']}")


if __name__ == "__main__":
    main()
