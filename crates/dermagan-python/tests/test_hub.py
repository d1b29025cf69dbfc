"""The folder for Hugging Face: its model card and configuration parse, all formats hold one generator, and dermagan opens
it."""

import json
import re
import subprocess
import sys

import numpy
import pytest

from exported import SMALL, assert_near, images, latents, trained  # noqa: F401

FILES = ["README.md", "config.json", "generator.onnx", "generator.py", "generator.safetensors", "grid.png"]


@pytest.fixture
def hub(dermagan, tmp_path):
    folder = tmp_path / "hub"
    dermagan("export", "shipped", "--hub", str(folder))
    return folder


def card_of(folder):
    huggingface_hub = pytest.importorskip("huggingface_hub")
    return huggingface_hub.ModelCard.load(folder / "README.md")


def test_the_folder_has_its_files_and_a_second_call_writes_the_same(dermagan, hub):
    def contents():
        return {path.name: path.read_bytes() for path in hub.iterdir()}

    first = contents()
    assert sorted(first) == FILES
    dermagan("export", "shipped", "--hub", str(hub))
    assert contents() == first


def test_the_model_card_parses(hub):
    card = card_of(hub)
    data = card.data.to_dict()
    assert data["license"] == "cc-by-nc-4.0"
    assert data["library_name"] == "dermagan"
    assert data["pipeline_tag"] == "unconditional-image-generation"
    assert {"synthetic", "onnx", "ham10000-200x150"} <= set(data["tags"])
    assert all(isinstance(tag, str) for tag in data["tags"])
    assert "not for diagnosis" in card.text and "synthetic" in card.text
    # Links to files and images of the folder lead somewhere.
    for target in re.findall(r"\]\(([^)]+)\)", card.text):
        assert target.startswith("https://") or (hub / target).is_file()


def test_an_unknown_licence_has_a_name(dermagan, trained, tmp_path):  # noqa: F811
    dermagan("export", trained("dcgan"), "--hub", str(tmp_path / "hub"))
    data = card_of(tmp_path / "hub").data.to_dict()
    assert data["license"] == "other"
    assert re.fullmatch(r"[a-z0-9-]+", data["license_name"])


def test_the_configuration_is_the_card(dermagan, hub):
    config = json.loads((hub / "config.json").read_text())
    assert config.pop("model_type") == "dermagan"
    info = json.loads(dermagan("info", str(hub), "--json"))
    assert config == info["card"]
    assert info["sha256"] in (hub / "README.md").read_text()


def test_all_formats_hold_one_generator(dermagan, hub, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    expected = images(dermagan, str(hub), range(3), tmp_path / "images", "bcc")
    assert_near(expected, images(dermagan, "shipped", range(3), tmp_path / "shipped", "bcc"))
    session = onnxruntime.InferenceSession(str(hub / "generator.onnx"), providers=["CPUExecutionProvider"])
    found = session.get_modelmeta().custom_metadata_map
    assert found["model_sha256"] == json.loads(dermagan("info", str(hub), "--json"))["sha256"]
    label = numpy.full(3, json.loads(found["classes"]).index("bcc"))
    (made,) = session.run(None, {"z": latents(str(hub), range(3)), "label": label})
    assert_near(made.transpose(0, 2, 3, 1), expected)


@pytest.mark.parametrize("full", [True, False])
def test_a_run_becomes_a_folder_in_the_chosen_precision(dermagan, trained, tmp_path, full):  # noqa: F811
    torch = pytest.importorskip("safetensors.torch")
    model = trained("residual")
    dermagan("export", model, "--hub", str(tmp_path / "hub"), *(["--full"] if full else []))
    tensors = torch.load_file(tmp_path / "hub" / "generator.safetensors")
    assert {str(tensor.dtype) for tensor in tensors.values()} == {f"torch.float{32 if full else 16}"}


def test_the_program_opens_the_folder_as_a_model(dermagan, hub, tmp_path):
    dermagan("sample", str(hub), "--grid", "2x2", "--device", "cpu", "--out", str(tmp_path / "grid.png"))
    assert "generator" in dermagan("info", str(hub))
    few = ["--features", "handmade", "-n", "16", "--device", "cpu", "--json"]
    report = dermagan("eval", "--real", "phantom:60", "--split", "all", "--fake", str(hub), *few)
    assert "generator.safetensors" in report


def test_the_examples_of_the_model_card_run(dermagan, hub):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("torch")
    text = (hub / "README.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        if "import dermagan" in block:
            continue  # The package has tests of its own.
        done = subprocess.run([sys.executable, "-c", block], cwd=hub, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    (line,) = re.findall(r"```sh\n(.*?)\n```", text)
    assert line.startswith("dermagan sample . -n 16 --class akiec")


def test_a_changed_file_is_never_replaced(dermagan, hub):
    readme = hub / "README.md"
    mine = readme.read_text().replace("# Generator", "# My generator")
    readme.write_text(mine)
    with pytest.raises(Exception, match="README.md in it was changed"):
        dermagan("export", "shipped", "--hub", str(hub))
    assert readme.read_text() == mine
