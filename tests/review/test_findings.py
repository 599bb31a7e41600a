"""Where a result needs a look."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dffcli.review.findings import Finding, findings
from dffcli.review.result import open_result
from tests.review.results import coco, write_result


def found_in(folder: Path, change: Any = None) -> dict[str, list[Finding]]:
    result, _ = write_result(folder)
    if change is not None:
        value = coco()
        change(value)
        result.write_text(json.dumps(value))
    kinds: dict[str, list[Finding]] = {}
    for finding in findings(open_result(result).columns):
        kinds.setdefault(finding.kind, []).append(finding)
    return kinds


def test_a_track_of_one_frame_and_one_born_in_the_middle_are_found(tmp_path: Path) -> None:
    kinds = found_in(tmp_path)
    assert [(item.track, item.first, item.last) for item in kinds["short-track"]] == [(7, 20, 20)]
    assert sorted(item.track for item in kinds["sudden-birth"]) == [2, 7]  # 1 and 5 were there from the start


def test_an_object_that_misses_one_frame_flickers(tmp_path: Path) -> None:
    def lose(value: dict[str, Any]) -> None:
        value["annotations"] = [a for a in value["annotations"] if not (a["image_id"] == 8 and a["track_id"] == 5)]

    kinds = found_in(tmp_path, lose)
    assert [item.first for item in kinds["flicker"]] == [7]
    assert kinds["flicker"][0].weight == 0.5
    assert "flicker" not in found_in(tmp_path)


def test_a_key_frame_that_disagrees_with_what_was_carried_is_a_jump(tmp_path: Path) -> None:
    def vanish(value: dict[str, Any]) -> None:
        value["annotations"] = [a for a in value["annotations"] if not (a["image_id"] >= 11 and a["track_id"] == 5)]

    jumps = found_in(tmp_path, vanish)["jump"]
    assert [(jump.first, jump.last) for jump in jumps] == [(0, 10), (10, 20)]  # track 7 is born on the last one
    assert jumps[0].weight == pytest.approx(1 - 2 * 1 / 3)
    assert [(jump.first, jump.last) for jump in found_in(tmp_path)["jump"]] == [(10, 20)]


def test_a_birth_at_the_edge_or_at_a_cut_is_none(tmp_path: Path) -> None:
    def from_the_edge(value: dict[str, Any]) -> None:
        for annotation in value["annotations"]:
            if annotation["track_id"] == 2:
                annotation["bbox"] = [0, 20, 30, 30]

    assert [item.track for item in found_in(tmp_path, from_the_edge)["sudden-birth"]] == [7]
