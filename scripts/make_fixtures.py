#!/usr/bin/env python3
"""Makes the fixtures that dermagan's tests compare with, by PyTorch and Pillow.

    python3 -m venv /tmp/fixtures && /tmp/fixtures/bin/pip install -r scripts/requirements.txt
    /tmp/fixtures/bin/python scripts/make_fixtures.py

Writes, from fixed seeds:
  crates/dermagan-train/tests/data/parity.safetensors   three optimiser steps of a small DCGAN
  crates/dermagan-model/tests/data/generator.pth        a state dict as torch.save writes it
  crates/dermagan-model/tests/data/pictures.safetensors the images of that generator in eval mode
  crates/dermagan-model/tests/data/layers.safetensors   single layers with their gradients
  crates/dermagan-data/tests/data/*.{jpg,png}           small synthetic images in unusual formats
  crates/dermagan-data/tests/data/resize.safetensors    Pillow's antialiased bilinear resize
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

CRATES = Path(__file__).resolve().parent.parent / "crates"
RESOLUTION, Z, WIDTH, BATCH, STEPS = 64, 16, 4, 8, 3


def generator():
    layers, channels = [], [Z, WIDTH * 8, WIDTH * 4, WIDTH * 2, WIDTH]
    for i, (a, b) in enumerate(zip(channels, channels[1:])):
        stride, padding = (1, 0) if i == 0 else (2, 1)
        layers += [nn.ConvTranspose2d(a, b, 4, stride, padding, bias=False), nn.BatchNorm2d(b), nn.ReLU()]
    layers += [nn.ConvTranspose2d(WIDTH, 3, 4, 2, 1, bias=False), nn.Tanh()]
    return nn.Sequential(*layers)


def discriminator():
    layers, channels = [], [3, WIDTH, WIDTH * 2, WIDTH * 4, WIDTH * 8]
    for i, (a, b) in enumerate(zip(channels, channels[1:])):
        layers += [nn.Conv2d(a, b, 4, 2, 1, bias=False)]
        layers += [nn.BatchNorm2d(b)] if i > 0 else []
        layers += [nn.LeakyReLU(0.2)]
    layers += [nn.Conv2d(WIDTH * 8, 1, 4, 1, 0, bias=False)]
    return nn.Sequential(*layers)


def initialise(network):
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(module.weight, 0.0, 0.02)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)


def state(network, prefix):
    named = network.state_dict().items()
    return {f"{prefix}.main.{k}": v.detach().clone() for k, v in named if "num_batches" not in k}


def gradients(network, prefix):
    return {f"{prefix}.main.{k}": p.grad.detach().clone() for k, p in network.named_parameters()}


def parity():
    torch.manual_seed(1)
    torch.use_deterministic_algorithms(True)
    g, d = generator(), discriminator()
    initialise(g), initialise(d)
    loss = nn.BCEWithLogitsLoss()
    adam = dict(lr=2e-4, betas=(0.5, 0.999), eps=1e-8)
    g_adam, d_adam = torch.optim.Adam(g.parameters(), **adam), torch.optim.Adam(d.parameters(), **adam)
    out = {**state(g, "start.G"), **state(d, "start.D")}
    for step in range(1, STEPS + 1):
        real = torch.rand(BATCH, 3, RESOLUTION, RESOLUTION) * 2 - 1
        z = torch.randn(BATCH, Z)
        ones, zeros = torch.ones(BATCH), torch.zeros(BATCH)
        fake = g(z[:, :, None, None])
        d_adam.zero_grad()
        d_loss = loss(d(real).flatten(), ones) + loss(d(fake.detach()).flatten(), zeros)
        d_loss.backward()
        out |= gradients(d, f"grad{step}.D")
        d_adam.step()
        g_adam.zero_grad()
        g_loss = loss(d(fake).flatten(), ones)
        g_loss.backward()
        out |= gradients(g, f"grad{step}.G")
        g_adam.step()

        out[f"real{step}"], out[f"z{step}"] = real.clone(), z.clone()
        out[f"loss{step}"] = torch.stack([d_loss.detach(), g_loss.detach()])
    out |= {**state(g, "end.G"), **state(d, "end.D")}
    path = CRATES / "dermagan-train/tests/data/parity.safetensors"
    save_file({k: v.contiguous() for k, v in out.items()}, path)
    return g


def model(g):
    folder = CRATES / "dermagan-model/tests/data"

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.main = g

        def forward(self, z):
            return self.main(z)

    net = Net().eval()
    torch.save(net.state_dict(), folder / "generator.pth")
    torch.manual_seed(2)
    z = torch.randn(4, Z)
    with torch.no_grad():
        images = net(z[:, :, None, None])
    save_file({"z": z, "pictures": images.contiguous()}, folder / "pictures.safetensors")


# One layer per form: side of the large image, its channels, the channels of the small image.
LAYERS = {"full": (8, 16, 32), "few": (8, 3, 5), "whole": (4, 16, 7)}


def layers():
    generator = torch.Generator().manual_seed(5)
    noise = lambda *shape: torch.randn(*shape, generator=generator)
    out = {}

    def record(name, inputs, run):
        inputs = {k: v.requires_grad_() for k, v in inputs.items()}
        y = run(**inputs)
        g = noise(*y.shape)
        y.backward(g)
        out.update({f"{name}.{k}": v.detach() for k, v in inputs.items()})
        out.update({f"{name}.grad.{k}": v.grad for k, v in inputs.items()})
        out.update({f"{name}.y": y.detach(), f"{name}.g": g})

    for name, (side, wide, deep) in LAYERS.items():
        stride, padding, small = (1, 0, 1) if side == 4 else (2, 1, side // 2)
        kind = dict(stride=stride, padding=padding)
        record(
            f"conv.{name}",
            {"x": noise(3, wide, side, side), "w": noise(deep, wide, 4, 4)},
            lambda x, w: nn.functional.conv2d(x, w, **kind),
        )
        record(
            f"transposed.{name}",
            {"x": noise(3, deep, small, small), "w": noise(deep, wide, 4, 4)},
            lambda x, w: nn.functional.conv_transpose2d(x, w, **kind),
        )
    for slope in (0.0, 0.2):
        norm = lambda x, gamma, beta: nn.functional.leaky_relu(
            nn.functional.batch_norm(x, None, None, gamma, beta, training=True), slope
        )
        record(
            f"norm.{slope}",
            {"x": noise(6, 5, 4, 4) * 2 + 1, "gamma": noise(5), "beta": noise(5)},
            norm,
        )
    record("leaky", {"x": noise(2, 3, 4, 4)}, lambda x: nn.functional.leaky_relu(x, 0.2))
    record("tanh", {"x": noise(2, 3, 4, 4)}, torch.tanh)
    path = CRATES / "dermagan-model/tests/data/layers.safetensors"
    save_file({k: v.contiguous() for k, v in out.items()}, path)


def unusual_images():
    folder = CRATES / "dermagan-data/tests/data"
    y, x = np.mgrid[0:30, 0:40]
    rgb = np.stack([x * 6, y * 8, 255 - x * 3], axis=2).astype(np.uint8)
    image = Image.fromarray(rgb)
    image.save(folder / "plain.jpg", quality=92)
    image.convert("CMYK").save(folder / "cmyk.jpg", quality=92)
    image.convert("L").save(folder / "grey.jpg", quality=92)
    image.save(folder / "progressive.jpg", quality=92, progressive=True)
    Image.fromarray((rgb[:, :, 0].astype(np.uint16) * 257)).save(folder / "sixteen.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # a viewer rotates it by 90° clockwise
    image.save(folder / "turned.jpg", quality=92, exif=exif)
    rng = np.random.default_rng(3)
    source = rng.integers(0, 256, (45, 60, 3), dtype=np.uint8)
    resized = Image.fromarray(source).resize((16, 16), Image.Resampling.BILINEAR)
    save_file(
        {"source": torch.from_numpy(source), "resized": torch.from_numpy(np.asarray(resized).copy())},
        folder / "resize.safetensors",
    )


if __name__ == "__main__":
    model(parity())
    layers()
    unusual_images()
