"""The generators of dermagan as a PyTorch module.

    pip install torch safetensors

    from generator import Generator
    model = Generator.from_file("generator.safetensors")
    images = model(model.draw(16), model.label("mel", 16))    # [16, 3, side, side] in [-1, 1]
    pixels = to_bytes(model.orient(images))                   # [16, side, side, 3], uint8

The parameters have the names of the file, so `load_state_dict(load_file(path))` loads it too. PyTorch draws the latents,
so its seeds are not those of dermagan; the same latents give the same images, up to one grey level. The images are
synthetic: they show no person's skin, and they are not for diagnosis. The licence of the training data binds them
(`model.card["licence"]`).
"""

import json

import torch
from torch import nn
from torch.nn import functional as F

# Length of the embedding of a class.
EMBEDDING = 32
# Slope of LeakyReLU below zero.
SLOPE = 0.2


def normed(x):
    """Divides the channels of each pixel by their root mean square."""
    return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-8)


def shortcut(x):
    """The path around a layer, [n, c, h, w] -> [n, c / 2, 2 h, 2 w]: the mean of channels k and k + c / 2, enlarged by
    bilinear interpolation."""
    pairs = x.unflatten(1, (2, -1)).mean(1)
    return F.interpolate(pairs, scale_factor=2, mode="bilinear", align_corners=False)


def to_bytes(images):
    """[n, 3, side, side] in [-1, 1] -> [n, side, side, 3] of 0 to 255, rounded as dermagan rounds."""
    return ((images + 1) * 127.5 + 0.5).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


class Generator(nn.Module):
    """A generator with the backbone `residual` or `dcgan`. Arguments: the card, which is the JSON in the metadata of the
    generator's file (and the content of `config.json` in a folder for Hugging Face). Its key `model` has the sizes."""

    def __init__(self, card):
        super().__init__()
        self.card = card
        model = card["model"]
        self.z_dim = model["z_dim"]
        self.residual = model.get("backbone", "dcgan") == "residual"
        self.classes = model.get("classes", 0)
        # One layer makes each side of 4, 8, … pixels, up to half the resolution. Each has half the channels of the one before.
        stages = model["resolution"].bit_length() - 3
        hidden = [model["g_width"] << stage for stage in reversed(range(stages))]
        if self.residual:
            self._build_residual([*hidden, model["g_width"] // 2], model.get("noise", False))
        else:
            self._build_dcgan(hidden)

    def _build_residual(self, hidden, noise):
        inputs = self.z_dim + (EMBEDDING if self.classes else 0)
        layers = [nn.ConvTranspose2d(inputs, hidden[0], 4)]
        for before, after in zip(hidden, [*hidden[1:], 3]):
            layers.append(nn.ConvTranspose2d(before, after, 3, padding=1))
        self.main = nn.ModuleList(layers)
        if self.classes:
            self.embed = nn.Parameter(torch.zeros(self.classes, EMBEDDING))
        # The sides of the noise, which is added after each layer except the first and the last.
        self.sides = [8 << layer for layer in range(len(hidden) - 1)] if noise else []
        self.noise = nn.ParameterList(torch.zeros(channels) for channels in hidden[1:] if noise)

    def _build_dcgan(self, hidden):
        self.sides = []
        layers = []
        before = self.z_dim
        for after in hidden:
            stride, padding = (2, 1) if layers else (1, 0)
            layers.append(nn.ConvTranspose2d(before, after, 4, stride, padding, bias=False))
            layers += [nn.BatchNorm2d(after), nn.ReLU()]
            before = after
        layers += [nn.ConvTranspose2d(before, 3, 4, 2, 1, bias=False), nn.Tanh()]
        self.main = nn.Sequential(*layers)

    @classmethod
    def from_file(cls, path):
        """The generator of a file that dermagan wrote, ready to make images (in `eval` mode, in float32)."""
        from safetensors import safe_open

        with safe_open(str(path), "pt") as file:
            card = (file.metadata() or {}).get("dermagan")
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        card = json.loads(card) if card else {}
        if card.get("kind") != "generator":
            raise ValueError(
                f"{path}: this is not a generator's file of dermagan. Write one with: "
                f"dermagan export {path} --out generator.safetensors"
            )
        model = cls(card)
        model.load_state_dict(tensors)
        return model.eval()

    @property
    def latents(self):
        """Number of random numbers per image: those of the latent, followed by those of the noise."""
        return self.z_dim + sum(side**2 for side in self.sides)

    def draw(self, count, psi=1.0, seed=None):
        """Random numbers for `count` images, [count, latents]. `psi` scales the latent, not the noise."""
        source = None if seed is None else torch.Generator().manual_seed(seed)
        z = torch.randn(count, self.latents, generator=source)
        z[:, : self.z_dim] *= psi
        return z.to(self.main[0].weight.device)

    def label(self, code, count):
        """Weights of the classes of `count` images, [count, classes]. Without a code, `None`, the classes are drawn in the
        shares of the training data. The result is `None` for a generator that is not class-conditional."""
        classes, strength = self.card["classes"], self.card.get("condition", 1.0)
        if not self.classes or strength == 0:
            if code:
                raise ValueError(
                    f"class {code}: this generator is not class-conditional, or was saved before its training used the classes"
                )
            return torch.zeros(count, self.classes, device=self.embed.device) if self.classes else None
        if code:
            places = [place for place, name in enumerate(classes) if name.lower() == code.lower()]
            if not places:
                raise ValueError(f"class {code}: the generator has {', '.join(classes)}")
            chosen = torch.tensor(places).expand(count)
        else:
            shares = torch.tensor(self.card.get("class_images") or [1] * len(classes), dtype=torch.float64)
            chosen = torch.multinomial(shares, count, replacement=True)
        return strength * F.one_hot(chosen, self.classes).float().to(self.embed.device)

    def orient(self, images):
        """Mirrors and rotates each image at random if the card says `turns`. Such a generator was trained with randomly
        oriented images, so it has no preferred orientation, and its own images may all share one."""
        if not self.card.get("turns"):
            return images
        turned = []
        for image in images:
            mirror, quarters = torch.randint(2, ()).item(), torch.randint(4, ()).item()
            turned.append(torch.rot90(image.flip(2) if mirror else image, quarters, (1, 2)))
        return torch.stack(turned)

    def forward(self, z, label=None):
        """Images [n, 3, side, side] in [-1, 1]. `z`: [n, latents], standard normal, as from `draw`. `label`: [n, classes],
        as from `label`, for a class-conditional generator."""
        if not self.residual:
            return self.main(z[:, :, None, None])
        if self.classes and label is None:
            raise ValueError("this generator is class-conditional; pass label(code, n), or label(None, n) for any class")
        z, *noise = z.split([self.z_dim, *(side**2 for side in self.sides)], 1)
        x = torch.cat([z, label @ self.embed], 1) if self.classes else z
        x = self.main[0](x[:, :, None, None])
        last = len(self.main) - 1
        for i, layer in enumerate(self.main[1:], 1):
            active = F.leaky_relu(normed(x), SLOPE)
            if i == last:
                return torch.tanh(layer(active))
            x = layer(F.interpolate(active, scale_factor=2, mode="nearest")) + shortcut(x)
            if self.sides:
                side = self.sides[i - 1]
                x = x + noise[i - 1].unflatten(1, (1, side, side)) * self.noise[i - 1][:, None, None]
