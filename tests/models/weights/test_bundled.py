"""The bundled networks are whole, small, and as good as their manifest says."""

import hashlib
import json

import pytest

from dffcli.categories import CAMVID, COCO
from dffcli.evaluation.segment_eval import score_stills
from dffcli.evaluation.segment_source import parse_source
from dffcli.files.network_file import bundled_folder
from dffcli.models.registry import build_model, find_entry
from tests.shared import DATA, needs_shared

CAMVID_DATA = DATA / "camvid"
MOST_BYTES = 20_000_000  # of all bundled networks together


def test_files_are_those_of_the_manifest_and_small() -> None:
    folder = bundled_folder()
    networks = json.loads((folder / "manifest.json").read_text())["networks"]
    assert {path.name for path in folder.glob("*.safetensors")} == {entry["file"] for entry in networks.values()}
    for entry in networks.values():
        content = (folder / entry["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry["sha256"]
        assert len(content) == entry["bytes"]
        assert entry["training_command"]
    assert sum(entry["bytes"] for entry in networks.values()) < MOST_BYTES


def test_the_bundled_segmenter_names_camvids_classes() -> None:
    built = build_model("street-seg")
    assert built.model.categories == CAMVID
    assert "sha256" in built.weights_description
    entry = find_entry("street-seg")
    assert entry.weights_file is not None
    assert (bundled_folder() / entry.weights_file).stat().st_size == entry.weights_bytes


def test_the_bundled_detector_names_cocos_classes_and_brings_its_licence() -> None:
    built = build_model("coco-det")
    assert built.model.categories == COCO
    entry = find_entry("coco-det")
    assert entry.weights_file is not None
    assert (bundled_folder() / entry.weights_file).stat().st_size == entry.weights_bytes <= 8_000_000
    licence = (bundled_folder() / "licenses" / "nanodet-g.txt").read_text()
    for part in ("Copyright 2020-2021 RangiLyu", "What was changed", "Apache License", "END OF TERMS AND CONDITIONS"):
        assert part in licence


@pytest.mark.slow
@needs_shared
def test_the_bundled_segmenter_is_as_good_as_it_says() -> None:
    pictures = parse_source(f"camvid:{CAMVID_DATA},split=val,every=12").pictures()
    score = score_stills(build_model("street-seg").model, pictures)
    assert score.mean_iou > 60  # on 9 of the 101 frames that the manifest's number is of
