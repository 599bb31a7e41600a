"""The page of a comparison, in a real browser."""

from __future__ import annotations

import io
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import sync_playwright

from dffcli.bench.page_file import to_page
from dffcli.bench.plan import BenchPlan
from dffcli.bench.result import BenchResult
from dffcli.bench.run import bench
from dffcli.bench.verdict import verdicts
from dffcli.bench.worst import LONG_SIDE, Worst
from dffcli.categories import CAMVID
from dffcli.core.types import Frame, FrameResult, SegmentationMap
from tests.bench.test_run import FRAMES, SlowModel, build
from tests.make_clip import make_clip
from tests.review.test_page import BROWSER, pytestmark  # noqa: F401  # skipped, and said so, without a browser

HOSTILE = "</script><img src=x onerror=\"document.title='owned'\">.mp4"


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> BenchResult:
    clip = tmp_path_factory.mktemp("clip") / "clip.mp4"
    make_clip(str(clip), frames=FRAMES + 1, size=(64, 64))
    plan = BenchPlan(str(clip), ("fake",), intervals=(1, 2, 4), frames=FRAMES, memory=False, end_to_end=False)
    return bench(plan, build=build(SlowModel()), worst=2)


def test_the_page_says_and_shows_what_was_measured(result: BenchResult, tmp_path: Path) -> None:
    path = tmp_path / "bench.html"
    path.write_text(to_page(replace(result, source=HOSTILE)), encoding="utf-8")
    errors: list[str] = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        page: Any = browser.new_page(viewport={"width": 1100, "height": 900})
        page.on("pageerror", lambda error: errors.append(str(error)))
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri())
        page.wait_for_selector("body[data-ready=yes]", timeout=30_000)
        assert page.inner_text("#verdicts").strip() == "\n\n".join(verdicts(result)).strip()
        assert page.inner_text("#title") == HOSTILE
        assert page.title().startswith("</script>")
        points = page.locator("svg circle")
        assert points.count() == len(result.variants)
        points.last.hover()
        tip = page.inner_text("#tip")
        assert "fps" in tip
        assert "key frames" in tip
        rows = page.locator("tbody tr")
        assert rows.count() == len(result.variants)
        assert f"{result.variants[1].network.fps.median:.1f}" in rows.nth(1).inner_text()
        loaded = "Array.from(document.images).every((image) => image.complete && image.naturalWidth > 0)"
        worst = [one for one in result.variants if one.worst]
        if worst:
            assert page.locator(".pair img").count() == 2 * len(worst[0].worst)
            assert page.evaluate(loaded)
        browser.close()
    assert errors == []
    assert all(url.startswith(("file:", "data:")) for url in asked)


def answer(value: int, index: int, *, wrong: int = 0) -> FrameResult:
    labels = np.full((40, 1000), value, np.uint8)
    labels.reshape(-1)[:wrong] = 8
    image = np.full((40, 1000, 3), 10 * index, np.uint8)
    return FrameResult(Frame(index, image, Fraction(index, 25)), SegmentationMap(labels), None, ())


def test_the_worst_frames_are_kept_worst_first_and_equal_ones_never() -> None:
    worst = Worst(CAMVID, 3)
    for index, wrong in enumerate((0, 400, 4000, 40, 20_000, 4000)):
        worst.see(answer(3, index, wrong=wrong), answer(3, index).prediction)
    kept = worst.frames()
    assert [(one.index, one.disagreement) for one in kept] == [(4, 0.5), (2, 0.1), (5, 0.1)]
    picture = np.asarray(Image.open(io.BytesIO(kept[0].full)))
    assert picture.shape[1] == LONG_SIDE
    assert np.abs(picture.astype(int) - np.asarray(Image.open(io.BytesIO(kept[0].propagated)))).max() > 20
    none = Worst(CAMVID, 0)
    none.see(answer(3, 0, wrong=9), answer(3, 0).prediction)
    assert none.frames() == ()
