"""The street segmenter as a video model, and networks as files."""

import hashlib
import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from dffcli.categories import CAMVID
from dffcli.core.types import FlowField, Frame, SegmentationMap, Task
from dffcli.core.warp import warp
from dffcli.errors import WeightsError
from dffcli.files import network_file as bundled
from dffcli.files.state_dict import fill
from dffcli.models.nanodet_g import JoinedShape, NanoDetBackbone
from dffcli.models.registry import build_model
from dffcli.models.street.network import StreetSegmenter, StreetShape, normalise
from dffcli.models.street.segmenter_model import (
    StreetSegmentationModel,
    build,
    describe,
    export,
    input_size,
    load_module,
    start_from,
)

SMALL = StreetShape(stem=8, widths=(8, 8, 16, 16), depths=(1, 1, 1, 1))


def small_segmenter() -> StreetSegmenter:
    torch.manual_seed(1)
    module = StreetSegmenter(classes=11, shape=SMALL, width=8, out_width=8)
    torch.nn.init.normal_(module.classifier.weight)
    return module.eval()


def picture(size: tuple[int, int]) -> Frame:
    rng = np.random.default_rng(0)
    return Frame(0, rng.integers(0, 256, (*size, 3), dtype=np.uint8), Fraction(0))


@pytest.mark.parametrize("size", [(360, 480), (720, 1280), (1920, 1080), (176, 144), (100, 1000), (3, 4)])
def test_input_keeps_the_aspect_and_the_number_of_pixels(size: tuple[int, int]) -> None:
    h, w = input_size(size)
    assert h % 8 == 0
    assert w % 8 == 0
    assert h * w == pytest.approx(360 * 480, rel=0.04)
    assert h / w == pytest.approx(size[0] / size[1], rel=0.04)


def test_a_frame_of_the_training_size_is_not_resized() -> None:
    assert input_size((360, 480)) == (360, 480)


def test_features_then_head_is_the_network_upsampled_to_the_frame() -> None:
    frame = picture((64, 96))
    plain = small_segmenter()
    model = StreetSegmentationModel(small_segmenter(), name="x", categories=CAMVID, like=(64, 96))
    prepared = model.prepare(frame)
    features = model.features(prepared)
    found = model.head(features, prepared, is_key=True)
    with torch.inference_mode():
        logits = plain(torch.from_numpy(normalise(frame.image))[None])[0]
        wanted = F.interpolate(logits, (64, 96), mode="bilinear").argmax(1)[0].numpy()
    assert isinstance(found, SegmentationMap)
    assert features[0].shape == (1, len(CAMVID), 16, 24)
    assert (found.category_ids == wanted).mean() > 0.999  # folding the norms rounds differently


def test_carrying_logits_or_features_gives_the_same_answer() -> None:
    frame = picture((64, 96))
    by_logits, by_features = (
        StreetSegmentationModel(small_segmenter(), name="x", categories=CAMVID, like=(64, 96), carries_logits=carries)
        for carries in (True, False)
    )
    field = FlowField(torch.full((1, 2, 16, 24), 0.3))
    prepared = by_logits.prepare(frame)
    found = []
    for model in (by_logits, by_features):
        with torch.inference_mode():
            found.append(model.head(warp(model.features(prepared), field), prepared, is_key=False).category_ids)
    assert (found[0] == found[1]).mean() > 0.999  # sums in another order


def test_answers_have_the_size_of_the_frame() -> None:
    model = StreetSegmentationModel(small_segmenter(), name="x", categories=CAMVID, like=(64, 96))
    for size in [(50, 70), (133, 77), (64, 96)]:
        prepared = model.prepare(picture(size))
        found = model.head(model.features(prepared), prepared, is_key=False)
        assert isinstance(found, SegmentationMap)
        assert found.category_ids.shape == size


def test_an_exported_network_is_built_again_with_its_own_categories(tmp_path: Path) -> None:
    module = small_segmenter()
    categories = tuple(reversed(CAMVID))  # ids are not positions here
    export(tmp_path / "net.safetensors", module, categories=categories, like=(64, 96))
    built = build("street-seg", weights=tmp_path / "net.safetensors")
    assert built.model.categories == categories
    assert not built.is_random
    assert "net.safetensors" in built.weights_description
    prepared = built.model.prepare(picture((64, 96)))
    assert prepared.padded_size == (64, 96)
    direct = StreetSegmentationModel(small_segmenter(), name="x", categories=categories, like=(64, 96))
    found, wanted = (m.head(m.features(prepared), prepared, is_key=True) for m in (built.model, direct))
    assert isinstance(found, SegmentationMap)
    assert isinstance(wanted, SegmentationMap)
    assert (found.category_ids == wanted.category_ids).mean() > 0.99  # weights were kept in half precision


def test_the_file_says_which_backbone_and_older_files_need_not(tmp_path: Path) -> None:
    torch.manual_seed(0)
    shape = JoinedShape(stem=8, widths=(8, 8, 16, 16), depths=(1, 1, 1, 1))
    second = StreetSegmenter(classes=11, shape=shape, width=8, out_width=8)
    export(tmp_path / "second.safetensors", second, categories=CAMVID)
    again = load_module(tmp_path / "second.safetensors")
    assert again.backbone.shape == shape
    first = tmp_path / "first.safetensors"
    old = describe(small_segmenter())
    del old["backbone"]  # as written before there were two
    bundled.save_network(first, small_segmenter(), kind="street-seg", categories=CAMVID, description=old)
    assert load_module(first).backbone.shape == SMALL
    later = {**old, "backbone": "transformer"}
    bundled.save_network(first, small_segmenter(), kind="street-seg", categories=CAMVID, description=later)
    with pytest.raises(WeightsError, match="its backbone is 'transformer', expected residual or nanodet-g"):
        build("street-seg", weights=first)


def test_a_start_from_the_detector_takes_its_backbone(tmp_path: Path) -> None:
    torch.manual_seed(0)
    file = tmp_path / "det.safetensors"
    detector = torch.nn.Module()
    backbone = NanoDetBackbone()
    detector.stem, detector.stages, detector.tower = backbone.stem, backbone.stages, torch.nn.Conv2d(1, 1, 1)
    bundled.save_network(file, detector, kind="coco-det", categories=(), description={})
    module = start_from(file, classes=4)
    assert module.classes == 4
    for name, value in module.backbone.state_dict().items():
        torch.testing.assert_close(value, backbone.state_dict()[name], rtol=1e-3, atol=1e-4)  # kept in half precision
    with pytest.raises(WeightsError, match="expected a network of kind street-seg or coco-det"):
        bundled.save_network(file, detector, kind="light-flow", categories=(), description={})
        start_from(file, classes=4)


def test_random_weights_say_so() -> None:
    built = build_model("street-seg", weights="random", task=Task.SEGMENT)
    assert built.is_random
    assert built.model.name == "street-seg"


def test_what_is_not_our_network_is_refused(tmp_path: Path) -> None:
    def message(path: Path) -> str:
        with pytest.raises(WeightsError) as caught:
            build("street-seg", weights=path)
        return str(caught.value)

    assert "no such file" in message(tmp_path / "none.safetensors")
    (tmp_path / "text.safetensors").write_text("hello")
    assert "not a readable .safetensors" in message(tmp_path / "text.safetensors")
    (tmp_path / "empty.safetensors").write_bytes(b"")
    assert "not a readable .safetensors" in message(tmp_path / "empty.safetensors")
    save_file({"a": torch.zeros(2)}, tmp_path / "other.safetensors")
    assert "exported by `dff train`" in message(tmp_path / "other.safetensors")
    bundled.save_network(
        tmp_path / "det.safetensors", torch.nn.Linear(1, 1), kind="coco-det", categories=(), description={}
    )
    assert "found coco-det" in message(tmp_path / "det.safetensors")


def test_a_mismatch_lists_what_differs() -> None:
    with pytest.raises(WeightsError, match=r"1 extra: c; 1 mis-shaped: weight \[2, 2\] where \[1, 2\]"):
        fill(torch.nn.Linear(2, 1, bias=False), {"weight": torch.zeros(2, 2), "c": torch.zeros(1)}, source="f")


def test_a_changed_bundled_file_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "net.safetensors"
    file.write_bytes(b"weights")
    entry = {"file": file.name, "sha256": hashlib.sha256(b"weights").hexdigest()}
    (tmp_path / "manifest.json").write_text(json.dumps({"networks": {"net": entry}}))
    monkeypatch.setattr(bundled, "bundled_folder", lambda: tmp_path)
    assert bundled.bundled_file("net") == (file, entry["sha256"])
    with pytest.raises(WeightsError, match="no network 'other', only net"):
        bundled.bundled_file("other")
    file.write_bytes(b"changed")
    with pytest.raises(WeightsError, match="expected sha256"):
        bundled.bundled_file("net")
    file.unlink()
    with pytest.raises(WeightsError, match="is missing"):
        bundled.bundled_file("net")
