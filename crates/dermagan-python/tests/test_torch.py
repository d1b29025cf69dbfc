"""The PyTorch module: it loads the files of dermagan, and makes the same images."""

import importlib.util
import json
import subprocess
import sys

import pytest

from exported import assert_near, each_network, images, latents, trained  # noqa: F401

torch = pytest.importorskip("torch")
load_file = pytest.importorskip("safetensors.torch").load_file


@pytest.fixture
def module(dermagan, tmp_path):
    """The written module, imported."""
    path = tmp_path / "module" / "generator.py"
    dermagan("export", "shipped", "--torch", str(path))
    spec = importlib.util.spec_from_file_location("generator", path)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@pytest.fixture
def shipped(dermagan, tmp_path):
    path = str(tmp_path / "shipped.safetensors")
    dermagan("export", "shipped", "--out", path)
    return path


@each_network
def test_small_networks_make_the_same_images(dermagan, trained, module, tmp_path, name, code):  # noqa: F811
    path = trained(name)
    model = module.Generator.from_file(path)
    z = torch.from_numpy(latents(path, range(5)))
    assert model.latents == z.shape[1] and model.draw(3).shape == (3, model.latents)
    with torch.no_grad():
        made = module.to_bytes(model(z, model.label(code, 5)))
    assert_near(made, images(dermagan, path, range(5), tmp_path / "images", code))


def test_the_shipped_generator_makes_the_same_images_of_every_class(dermagan, module, shipped, tmp_path):
    model = module.Generator.from_file(shipped)
    z = torch.from_numpy(latents("shipped", range(3)))
    for code in model.card["classes"]:
        with torch.no_grad():
            made = module.to_bytes(model(z, model.label(code.upper(), 3)))
        assert_near(made, images(dermagan, "shipped", range(3), tmp_path / code, code))


def test_the_names_of_the_parameters_are_those_of_the_file(trained, module, shipped):  # noqa: F811
    for path in [shipped, *map(trained, ["dcgan", "residual", "classes"])]:
        card = module.Generator.from_file(path).card
        model = module.Generator(card)
        model.load_state_dict(load_file(path))
        model.eval()
        z = model.draw(2, seed=5)
        torch.manual_seed(0)
        label = model.label(None, 2)
        with torch.no_grad():
            assert torch.equal(model(z, label), module.Generator.from_file(path)(z, label))


def test_truncation_scales_the_latent_but_not_the_noise(module, shipped):
    model = module.Generator.from_file(shipped)
    whole, half = model.draw(4, seed=1), model.draw(4, psi=0.5, seed=1)
    assert torch.equal(half[:, :100], whole[:, :100] * 0.5)
    assert torch.equal(half[:, 100:], whole[:, 100:])


def test_orientation_moves_pixels_only_if_the_card_says_so(trained, module, shipped):  # noqa: F811
    model = module.Generator.from_file(shipped)
    image = torch.arange(3 * 4 * 4.0).reshape(1, 3, 4, 4)
    torch.manual_seed(0)
    turned = model.orient(image.expand(100, -1, -1, -1))
    assert len({tuple(one.flatten().tolist()) for one in turned}) == 8
    assert torch.equal(turned.sort(-1).values.sum((2, 3)), image.sum((2, 3)).expand(100, -1))
    plain = module.Generator.from_file(trained("dcgan"))
    assert plain.orient(image) is image


def test_a_wrong_class_and_a_missing_label_are_errors(trained, module, shipped):  # noqa: F811
    model = module.Generator.from_file(shipped)
    with pytest.raises(ValueError, match="akiec, bcc"):
        model.label("xyz", 1)
    with pytest.raises(ValueError, match="pass label"):
        model(model.draw(1))
    with pytest.raises(ValueError, match="not class-conditional"):
        module.Generator.from_file(trained("dcgan")).label("mel", 1)


def test_a_file_without_a_card_says_what_to_do(module, tmp_path):
    path = tmp_path / "other.safetensors"
    from safetensors.torch import save_file

    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match="dermagan export"):
        module.Generator.from_file(path)


def test_the_module_needs_nothing_but_pytorch_and_safetensors(dermagan, shipped, tmp_path):
    dermagan("export", "shipped", "--out", str(tmp_path / "alone.py"))
    script = (
        "import sys; before = set(sys.modules)\n"
        f"from alone import Generator; model = Generator.from_file({json.dumps(shipped)})\n"
        "print(model(model.draw(2), model.label('mel', 2)).shape)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "[2, 3, 64, 64]" in done.stdout
