"""ONNX files: valid by ONNX's own checker, the same images in ONNX Runtime, and scored by torch-fidelity."""

import json
import subprocess
import sys

import numpy
import pytest

from exported import assert_near, each_network, images, latents, trained  # noqa: F401

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

CLASSES = ["akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"]


def opened(path):
    """A session of a file that the checker accepts, its shapes inferred and checked."""
    onnx.checker.check_model(onnx.load(path), full_check=True)
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def made(session, z, label=None):
    """Images as the program arranges them, [n, side, side, 3]."""
    inputs = {"z": z} if label is None else {"z": z, "label": numpy.asarray(label, dtype=numpy.int64)}
    (found,) = session.run(None, inputs)
    return found.transpose(0, 2, 3, 1)


def ports(ports):
    return [(port.name, port.type, port.shape) for port in ports]


def test_the_shipped_generator_has_two_inputs_and_says_where_it_comes_from(dermagan, tmp_path):
    path = str(tmp_path / "g.onnx")
    dermagan("export", "shipped", "--out", path)
    session = opened(path)
    assert ports(session.get_inputs()) == [
        ("z", "tensor(float)", ["batch", 5540]),
        ("label", "tensor(int64)", ["batch"]),
    ]
    assert ports(session.get_outputs()) == [("image", "tensor(uint8)", ["batch", 3, 64, 64])]
    model = onnx.load(path)
    assert (model.producer_name, model.ir_version) == ("dermagan", 8)
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 18)]
    found = session.get_modelmeta().custom_metadata_map
    assert found["licence"] == "CC BY-NC 4.0"
    assert json.loads(found["classes"]) == CLASSES
    assert (found["kimg"], found["turns"], found["data"]) == ("400", "true", "ham10000-200x150")
    assert found["model_sha256"] == json.loads(dermagan("info", "shipped", "--json"))["sha256"]
    assert "not for diagnosis" in found["synthetic"] and "not for diagnosis" in model.doc_string
    first = (tmp_path / "g.onnx").read_bytes()
    dermagan("export", "shipped", "--out", path)
    assert (tmp_path / "g.onnx").read_bytes() == first


def test_the_shipped_generator_makes_the_same_images_of_every_class(dermagan, tmp_path):
    z = latents("shipped", range(5))
    assert z.shape == (5, 5540)
    dermagan("export", "shipped", "--out", str(tmp_path / "g.onnx"))
    session = opened(str(tmp_path / "g.onnx"))
    for index, code in enumerate(CLASSES):
        expected = images(dermagan, "shipped", range(5), tmp_path / code, code)
        assert_near(made(session, z, [index] * 5), expected)
        if code in ("akiec", "mel"):
            fixed = str(tmp_path / f"{code}.onnx")
            dermagan("export", "shipped", "--class", code, "--out", fixed)
            session_of_class = opened(fixed)
            assert [port.name for port in session_of_class.get_inputs()] == ["z"]
            assert session_of_class.get_modelmeta().custom_metadata_map["class"] == code
            assert_near(made(session_of_class, z), expected)


def test_a_batch_has_any_size_and_does_not_change_an_image(dermagan, tmp_path):
    dermagan("export", "shipped", "--out", str(tmp_path / "g.onnx"))
    session = opened(str(tmp_path / "g.onnx"))
    z = numpy.random.default_rng(0).standard_normal((12, 5540), dtype=numpy.float32)
    label = numpy.arange(12) % 7
    whole = made(session, z, label)
    parts = [made(session, z[a:b], label[a:b]) for a, b in [(0, 1), (1, 6), (6, 11), (11, 12)]]
    assert_near(numpy.concatenate(parts), whole)


@each_network
def test_small_networks_make_the_same_images(dermagan, trained, tmp_path, name, code):  # noqa: F811
    model = trained(name)
    z = latents(model, range(5))
    dermagan("export", model, "--out", str(tmp_path / "g.onnx"))
    session = opened(str(tmp_path / "g.onnx"))
    assert len(session.get_inputs()) == (2 if code else 1)
    label = None
    if code:
        classes = json.loads(session.get_modelmeta().custom_metadata_map["classes"])
        label = [classes.index(code)] * 5
    expected = images(dermagan, model, range(5), tmp_path / "images", code)
    assert_near(made(session, z, label), expected)
    assert_near(made(session, z[:1], label and label[:1]), expected[:1])
    if code:
        dermagan("export", model, "--class", code, "--out", str(tmp_path / "fixed.onnx"))
        assert_near(made(opened(str(tmp_path / "fixed.onnx")), z), expected)


def test_floats_are_the_values_before_rounding(dermagan, tmp_path):
    for name, flags in [("bytes", []), ("floats", ["--float"])]:
        dermagan("export", "shipped", "--class", "nv", *flags, "--out", str(tmp_path / f"{name}.onnx"))
    floats = opened(str(tmp_path / "floats.onnx"))
    assert ports(floats.get_outputs()) == [("image", "tensor(float)", ["batch", 3, 64, 64])]
    z = numpy.random.default_rng(1).standard_normal((3, 5540), dtype=numpy.float32)
    values = made(floats, z)
    assert values.dtype == numpy.float32 and numpy.abs(values).max() <= 1
    rounded = ((values + numpy.float32(1)) * numpy.float32(127.5) + numpy.float32(0.5)).astype(numpy.uint8)
    assert_near(made(opened(str(tmp_path / "bytes.onnx")), z), rounded)


def test_a_class_that_cannot_be_made_is_refused(dermagan, trained, tmp_path):  # noqa: F811
    out = str(tmp_path / "g.onnx")
    for model, code, words in [("shipped", "xyz", "akiec, bcc"), (trained("dcgan"), "mel", "no class on demand")]:
        with pytest.raises(Exception, match=words):
            dermagan("export", model, "--class", code, "--out", out)
    assert not (tmp_path / "g.onnx").exists()


# An extractor of features that needs no download: the mean colour of an image.
EXTRACTOR = """
import sys
import numpy, torch, torch_fidelity
from torch_fidelity.feature_extractor_base import FeatureExtractorBase

if "{patch}":
    numpy.int = int

class Means(FeatureExtractorBase):
    def __init__(self, name, features, **kwargs):
        super().__init__(name, features)
    @staticmethod
    def get_provided_features_list():
        return ("means",)
    @staticmethod
    def get_default_feature_layer_for_metric(metric):
        return "means"
    @staticmethod
    def can_be_compiled():
        return False
    @staticmethod
    def get_dummy_input_for_compile():
        return (torch.rand([1, 3, 4, 4]) * 255).to(torch.uint8)
    def forward(self, x):
        assert x.dtype == torch.uint8 and x.shape[1:] == (3, 64, 64)
        return (x.double().mean((2, 3)),)

torch_fidelity.register_feature_extractor("means", Means)
from torch_fidelity.fidelity import main
main()
"""


@pytest.mark.parametrize("conditional", [False, True])
def test_torch_fidelity_scores_the_file(dermagan, tmp_path, conditional):
    pytest.importorskip("torch_fidelity")
    graph, folder = str(tmp_path / "g.onnx"), str(tmp_path / "images")
    dermagan("export", "shipped", *([] if conditional else ["--class", "nv"]), "--out", graph)
    of_class = [] if conditional else ["--class", "nv"]
    dermagan("sample", "shipped", "-n", "60", *of_class, "--device", "cpu", "--out", folder)
    flags = ["--input1-model-z-size", "5540", "--input1-model-z-type", "normal", "--input1-model-num-samples", "60"]
    flags += ["--input1-model-num-classes", "7"] if conditional else []
    # The last of four batches is smaller.
    flags += ["--input2", folder, "--feature-extractor", "means", "--fid", "--json", "--cpu", "--batch-size", "16"]
    # torch-fidelity 0.4.0 draws labels as numpy.int, which NumPy no longer has.
    script = EXTRACTOR.replace("{patch}", "labels" if conditional else "")
    command = [sys.executable, "-c", script, "--input1", graph, *flags]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    distance = json.loads(done.stdout)["frechet_inception_distance"]
    # The scale is that of squared grey levels: black images would be some 60,000 away.
    assert 0 <= distance < 500
