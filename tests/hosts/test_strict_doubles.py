"""Every adapter, and the product itself, keeps the host laws: with parts that promise nothing but their contract too.

Beside the laws: real solar cells with a strict search in each of them, and anomalib's Engine with strict parts.
"""

from __future__ import annotations

import pickle

import host_matrix
import numpy as np
import pytest
import torch
from anomalib_cells import HOST_WARNINGS, PluginPatchcore, engine, folder, model, photographs, picture_folder
from pyod.utils.persistence import load, save

from patchcore_conformance import strict
from patchcore_conformance.host_laws import HOST_LAWS, HostUnderTest, check_host
from patchcore_conformance.plugin_doubles import PLAIN, STRICT, doubles
from patchcore_plugin import PatchCore
from patchcore_plugin.hosts.pyod_detector import MemoryBankOD, PatchCoreOD
from patchcore_plugin.hosts.sklearn_estimator import MemoryBankDetector
from patchcore_plugin.hosts.sklearn_images import PatchCoreDetector

pytestmark = pytest.mark.filterwarnings(*HOST_WARNINGS)

KINDS = ("extractor", "aggregator", "sampler", "neighbors")
PROBE = [32, 48]  # as large as the kit's images
WITHIN = 1e-4


def fit(detector, samples):
    return detector.fit(samples)


def named(parts):
    """Parts as the estimators of both tabular hosts take them: a name and a dict of options each."""
    found = {}
    for kind, part in parts.items():
        options = dict(part)
        found |= {kind: options.pop("name"), f"{kind}_options": options}
    return found


def around_images(parts):
    """The two that the estimators name themselves; the others by settings."""
    own = {kind: parts[kind] for kind in ("sampler", "neighbors")}
    return {"settings": {kind: parts[kind] for kind in ("extractor", "aggregator")}, "image_size": PROBE, **named(own)}


def product(parts, seed):
    parts = {**parts, "sampler": {**parts["sampler"], "seed": seed}}
    return PatchCore.from_config({**parts, "images": {"size": PROBE}, "calibration": {"holdout": 0.3}})


def product_answers(detector, images):
    scores = detector.score(images)
    return {
        "score": scores.image, "patch": scores.patch, "map": scores.maps, "p-value": scores.p_value,
        "label": scores.label,
    }  # fmt: skip


def product_again(detector, to):
    detector.save(to / "parts.safetensors")
    return PatchCore.load(to / "parts.safetensors")


def pyod_answers(detector, samples):
    probabilities, confidence = detector.predict_proba(samples, method="unify", return_confidence=True)
    answers = {"score": detector.decision_function(samples), "label": detector.predict(samples)}
    maps = {"map": detector.anomaly_map(samples)} if hasattr(detector, "anomaly_map") else {}
    return {**answers, **maps, "probability": probabilities, "confidence": confidence}


def pyod_told(detector):
    return {"threshold": detector.threshold_, "labels": detector.labels_, "scores": detector.decision_scores_}


def pyod_again(detector, to):
    save(detector, to / "detector.joblib")
    return load(to / "detector.joblib", trusted=True)


def sklearn_answers(detector, samples):
    answers = {"score": detector.score_samples(samples), "label": detector.predict(samples)}
    return {**answers, "map": detector.anomaly_map(samples)} if hasattr(detector, "anomaly_map") else answers


def sklearn_again(detector, to):
    (to / "detector.pickle").write_bytes(pickle.dumps(detector))
    return pickle.loads((to / "detector.pickle").read_bytes())  # noqa: S301 - its own


def inside_anomalib(parts, seed):
    return PluginPatchcore(**parts, seed=seed, pre_processor=False, visualizer=False)


def anomalib_fit(adapter, pixels):
    """Go the way of Lightning's loop: the start, a step a batch, the end without validation data."""
    from anomalib.data import ImageBatch

    adapter.train()
    adapter.on_train_start()
    with torch.no_grad():
        for start in range(0, len(pixels), 4):
            adapter.training_step(ImageBatch(image=tensor(pixels[start : start + 4])))
        adapter.on_train_epoch_end()


def tensor(pixels):
    return torch.from_numpy(np.array(pixels))


def anomalib_answers(adapter, pixels):
    raw = adapter.eval().model(tensor(pixels))
    found = adapter(tensor(pixels))
    return {
        "score": raw.pred_score, "map": raw.anomaly_map, "scaled": found.pred_score, "scaled map": found.anomaly_map,
        "label": found.pred_label,
    }  # fmt: skip


def anomalib_told(adapter):
    judge = adapter.post_processor
    return {"threshold": judge.image_threshold, "pixel threshold": judge.pixel_threshold}


def anomalib_again(adapter, to):
    import lightning

    state = {"state_dict": adapter.state_dict(), "hyper_parameters": dict(adapter.hparams)}
    adapter.on_save_checkpoint(state)
    torch.save({**state, "pytorch-lightning_version": lightning.__version__}, to / "model.ckpt")
    return PluginPatchcore.load_from_checkpoint(to / "model.ckpt")


HOSTS = {
    "PatchCore": HostUnderTest(
        form="images", kinds=KINDS, make=product, fit=fit, ask=product_answers, again=product_again,
        told=lambda one: {"held out": one.bank.held_out_scores},
    ),
    "anomalib, PluginPatchcore": HostUnderTest(
        form="pixels", kinds=KINDS, make=inside_anomalib, fit=anomalib_fit, ask=anomalib_answers, again=anomalib_again,
        told=anomalib_told,
    ),
    "PyOD, PatchCoreOD": HostUnderTest(
        form="images", kinds=KINDS, make=lambda parts, seed: PatchCoreOD(**around_images(parts), random_state=seed),
        fit=fit, ask=pyod_answers, again=pyod_again, told=pyod_told,
    ),
    "PyOD, MemoryBankOD": HostUnderTest(
        form="rows", kinds=KINDS[2:], make=lambda parts, seed: MemoryBankOD(**named(parts), random_state=seed),
        fit=fit, ask=pyod_answers, again=pyod_again, told=pyod_told,
    ),
    **{
        f"scikit-learn, MemoryBankDetector, {calibration}": HostUnderTest(
            form="rows", kinds=KINDS[2:], fit=fit, ask=sklearn_answers, again=sklearn_again,
            make=lambda parts, seed, how=calibration: MemoryBankDetector(
                **named(parts), random_state=seed, calibration=how
            ),
            told=lambda one: {"offset": one.offset_},
        )
        for calibration in ("train", "loo", "holdout")
    },
    **{
        f"scikit-learn, PatchCoreDetector, {calibration}": HostUnderTest(
            form="images", kinds=KINDS, fit=fit, ask=sklearn_answers, again=sklearn_again,
            make=lambda parts, seed, how=calibration: PatchCoreDetector(
                **around_images(parts), random_state=seed, calibration=how
            ),
            told=lambda one: {"offset": one.offset_},
        )
        for calibration in ("train", "loo", "holdout")
    },
}  # fmt: skip


ONE_OF_EACH = {name: host for name, host in HOSTS.items() if not name.endswith(("train", "holdout"))}

# What strict parts answer, so spoilt that scores must change.
SPOILT = {
    "extractor": (strict.Extractor, lambda maps: tuple(1.5 * one for one in maps)),
    "aggregator": (strict.Aggregator, lambda grid: 1.5 * grid),
    "sampler": (strict.Sampler, lambda rows: rows[: len(rows) // 8]),
    "neighbors": (strict.Neighbors, lambda found: (1.1 * found[0], found[1])),
}


@pytest.mark.parametrize("law", HOST_LAWS, ids=str)
@pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS)
def test_every_adapter_keeps_the_host_laws(host, law):
    complaints = check_host(host, [law])
    assert not complaints, str(complaints[0])


@pytest.mark.parametrize(
    ("host", "kind"),
    [pytest.param(host, kind, id=f"{name}, {kind}") for name, host in ONE_OF_EACH.items() for kind in host.kinds],
)
def test_a_strict_part_that_were_wrong_would_show_in_every_adapter(host, kind, monkeypatch):
    """Otherwise the adapter might not use the part it was told, and the laws would say nothing about it."""
    part, spoil = SPOILT[kind]
    right = part.answer
    monkeypatch.setattr(part, "answer", lambda self, *found: spoil(right(self, *found)))
    (complaint,) = check_host(host, ["H02"])
    assert f"strict {kind}" in complaint.found or "and" in complaint.found


@pytest.mark.parametrize("host", host_matrix.HOSTS)
def test_real_images_score_with_a_strict_search_as_with_the_plain_one(host):
    with doubles():
        assert host_matrix.difference(host, STRICT) <= host_matrix.BOUND


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return picture_folder(tmp_path_factory.mktemp("pictures") / "cells", good=8, bad=4)


def test_anomalibs_engine_fits_tests_and_reloads_with_strict_parts_as_with_plain_ones(pictures, tmp_path):
    found = {}
    with doubles():
        for name in (PLAIN, STRICT):
            parts = {**dict.fromkeys(KINDS, name), "sampler": {"name": name, "keep": 0.05}}
            made, data = model(backbone=None, layers=None, weights=None, **parts), folder(pictures, mask_dir="masks")
            engine(tmp_path / name).fit(made, datamodule=data)
            (file,) = (tmp_path / name).rglob("model.ckpt")
            again = PluginPatchcore.load_from_checkpoint(file)
            assert type(again.model.parts.neighbors) is type(made.model.parts.neighbors)
            pixels = made.pre_processor(photographs(1.0, 7)[4:]).numpy()  # none that gave a threshold
            found[name] = [anomalib_answers(one, pixels) | anomalib_told(one) for one in (made, again)]
            found[name].append(engine(tmp_path / name).test(again, datamodule=data)[0])
    for plain, strict_one in zip(found[PLAIN], found[STRICT], strict=True):
        for name, value in plain.items():
            np.testing.assert_allclose(strict_one[name], value, rtol=WITHIN, atol=WITHIN, err_msg=name)
