"""The page in a real browser: what is drawn is what the result says, and what is put right is kept."""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import sync_playwright
from pycocotools.coco import COCO

from dffcli.cli import main
from dffcli.formats.rle import encode_mask
from dffcli.review.bundle import write_page
from dffcli.review.result import open_result
from dffcli.review.server import HOST, ReviewServer, leading_file
from tests.review.results import HOSTILE, SIZE, box_of, coco, write_result
from tests.review.test_server import TOKEN, Running

BROWSER = os.environ.get("DFF_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(
    BROWSER is None, reason="NO BROWSER: the review page is NOT tested; install chromium or set DFF_CHROMIUM"
)
VIEW = {"width": 1100, "height": 800}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield found
        found.close()


class Page:
    """An open page, and what went wrong in it."""

    def __init__(self, browser: Any, address: str, **context: Any) -> None:
        self.context = browser.new_context(viewport=VIEW, **context)
        self.page = self.context.new_page()
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda said: said.type == "error" and self.errors.append(said.text))
        self.open(address)

    def open(self, address: str) -> None:
        self.page.goto(address)
        self.page.wait_for_selector("body[data-ready=yes]", timeout=30_000)

    def seek(self, frame: int) -> None:
        self.page.evaluate(f"dff.player.seek({frame})")
        self.settle()

    def settle(self) -> None:
        self.wait("dff.player.isSettled")
        self.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def wait(self, script: str) -> None:
        """Until it is true; the page's own policy forbids what Playwright's `wait_for_function` does."""
        for _ in range(1500):
            if self.page.evaluate(script):
                return
            self.page.wait_for_timeout(20)
        raise AssertionError(f"never true: {script}")

    def picture(self) -> np.ndarray[Any, Any]:
        """The stage as the screen shows it, `[H, W, 3]`."""
        data = self.page.locator("#stage").screenshot()
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)

    def value(self, script: str) -> Any:
        return self.page.evaluate(script)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_result(tmp_path)
    return tmp_path


@pytest.fixture
def running(folder: Path) -> Iterator[Running]:
    server = Running(ReviewServer(open_result(folder / "boxes.json"), token=TOKEN).app)
    yield server
    server.stop()


@pytest.fixture
def opened(browser: Any, running: Running) -> Iterator[Page]:
    page = Page(browser, f"http://{HOST}:{running.port}/{TOKEN}/")
    yield page
    errors = page.errors
    page.context.close()
    assert errors == []


def edge_of(page: Page, frame: int) -> tuple[np.ndarray[Any, Any], tuple[float, float, float, float]]:
    """The screen, and where the first box of a frame should lie on it."""
    x, y, width, height = box_of(1, frame)
    scale, (left, top) = page.value("dff.player.scale"), page.value("dff.player.origin")
    corners = (left + x * scale, top + y * scale, left + (x + width) * scale, top + (y + height) * scale)
    return page.picture(), corners


CAR = np.array((70, 150, 240))


def is_car_colored(picture: np.ndarray[Any, Any], x: float, y: float) -> bool:
    """A line of the car's colour runs within a pixel of the place."""
    patch = picture[round(y) - 1 : round(y) + 2, round(x) - 1 : round(x) + 2].reshape(-1, 3)
    return bool((np.abs(patch - CAR).max(1) <= 12).any())


@pytest.mark.parametrize("steps", [0, 2])
def test_the_box_of_a_key_frame_is_drawn_where_the_result_says(opened: Page, steps: int) -> None:
    for _ in range(steps):
        opened.page.keyboard.press("Shift+ArrowRight")
        opened.settle()
    frame = opened.value("dff.player.shown")
    assert frame == 10 * steps
    assert "key frame" in opened.page.inner_text("#where")
    picture, (x1, y1, x2, y2) = edge_of(opened, frame)
    for x, y in ((x1, (y1 + y2) / 2), (x2, (y1 + y2) / 2), ((x1 + x2) / 2, y2)):
        assert is_car_colored(picture, x, y)
        assert not is_car_colored(picture, x + 8, y - 8)
    assert not is_car_colored(picture, (x1 + x2) / 2, (y1 + y2) / 2)


def test_every_frame_shown_is_the_frame_asked_for(opened: Page) -> None:
    """The clip brightens by five grey levels a frame: the right half of the picture tells which one is shown."""
    assert opened.value("dff.player.hasVideo")
    for frame in (0, 1, 7, 8, 23, 11, 29):
        opened.seek(frame)
        assert opened.value("dff.player.shown") == frame
        scale, (left, top) = opened.value("dff.player.scale"), opened.value("dff.player.origin")
        grey = opened.picture()[int(top + 6 * scale), int(left + 140 * scale)].mean()
        assert abs(grey - (40 + 5 * (frame % 40))) < 3


def test_a_class_switched_off_is_not_drawn_and_scores_are_cut_at_once(opened: Page) -> None:
    opened.seek(4)
    _, (x1, y1, x2, _) = edge_of(opened, 4)
    assert not is_car_colored(opened.picture(), (x1 + x2) / 2, y1 + 60)
    opened.page.locator("#classes label", has_text="car").locator("input").uncheck()
    opened.settle()
    assert not is_car_colored(opened.picture(), x1, y1 + 20)
    opened.page.locator("#classes label", has_text="car").locator("input").check()
    opened.page.locator("#score").fill("0.95")
    opened.settle()
    assert not is_car_colored(opened.picture(), x1, y1 + 20)
    opened.page.locator("#score").fill("0.5")
    opened.settle()
    assert is_car_colored(opened.picture(), x1, y1 + 20)


def test_tracks_are_merged_undone_saved_reloaded_and_converted(opened: Page, running: Running, folder: Path) -> None:
    page = opened.page
    assert opened.value("dff.result.tracks.map((t) => t.track)") == [1, 5, 2, 7]
    page.locator("#tracks button", has_text="1 car").click()
    page.locator("#tracks button", has_text="2 car").click(modifiers=["Shift"])
    page.keyboard.press("m")
    assert opened.value("dff.result.tracks.map((t) => t.track)") == [1, 5, 7]
    page.keyboard.press("z")
    assert opened.value("dff.result.tracks.map((t) => t.track)") == [1, 5, 2, 7]
    page.keyboard.press("Shift+Z")
    page.locator("#tracks button", has_text="7 ").click()
    page.keyboard.press("Delete")
    page.locator("#tracks button", has_text="5 person").click()
    opened.seek(12)
    page.keyboard.press("s")
    page.keyboard.press("w")
    opened.wait("document.getElementById('status').textContent.startsWith('saved')")
    before = opened.value("dff.result.tracks.map((t) => [t.track, t.first, t.last])")
    assert before == [[1, 0, 29], [5, 0, 11], [8, 12, 29]]

    opened.open(f"http://{HOST}:{running.port}/{TOKEN}/")  # loaded again, by the same server: nothing is lost
    assert opened.value("dff.result.tracks.map((t) => [t.track, t.first, t.last])") == before
    running.stop()
    again = Running(ReviewServer(open_result(folder / "boxes.json"), token=TOKEN).app)
    opened.open(f"http://{HOST}:{again.port}/{TOKEN}/")
    assert opened.value("dff.result.tracks.map((t) => [t.track, t.first, t.last])") == before
    again.stop()

    target = folder / "right.json"
    corrections = str(folder / "boxes.json.corrections.json")
    assert main(["convert", str(folder / "boxes.json"), str(target), "--corrections", corrections, "-q"]) == 0
    coco = COCO(str(target))
    lives: dict[int, list[int]] = {}
    for annotation in coco.loadAnns(coco.getAnnIds()):
        lives.setdefault(annotation["track_id"], []).append(annotation["image_id"] - 1)
    assert [[track, min(frames), max(frames)] for track, frames in sorted(lives.items())] == before
    assert sum(map(len, lives.values())) == 60


def test_a_hostile_class_name_is_text(opened: Page) -> None:
    opened.seek(20)
    assert HOSTILE in opened.page.inner_text("#classes")
    opened.page.locator("#tracks button", has_text="7 ").click()
    opened.page.keyboard.press("c")
    assert opened.page.locator("aside img").count() == 0
    assert "owned" not in opened.page.title()


def test_nothing_is_loaded_from_elsewhere(browser: Any, running: Running) -> None:
    asked: list[str] = []
    context = browser.new_context()
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"http://{HOST}:{running.port}/{TOKEN}/")
    page.wait_for_selector("body[data-ready=yes]", timeout=30_000)
    context.close()
    assert asked
    assert all(url.startswith((f"http://{HOST}:{running.port}/{TOKEN}/", "data:", "blob:")) for url in asked)


def test_a_mask_is_painted_where_its_run_lengths_say(browser: Any, folder: Path) -> None:
    mask = np.zeros(SIZE, np.bool_)
    mask[40:90, 60:63] = True  # longer runs than one letter holds, and a shape that mirroring or turning would move
    mask[88:90, 60:130] = True
    value = coco()
    value["annotations"] = value["annotations"][:1]
    rle = encode_mask(mask)
    value["annotations"][0] |= {"segmentation": rle, "bbox": [60, 40, 70, 50]}
    (folder / "boxes.json").write_text(json.dumps(value))
    server = Running(ReviewServer(open_result(folder / "boxes.json"), token=TOKEN).app)
    page = Page(browser, f"http://{HOST}:{server.port}/{TOKEN}/")
    page.settle()
    painted = page.value(
        "(() => { const c = dff.player.maskCanvas; const p = c.getContext('2d').getImageData(0, 0, c.width, c.height);"
        " return Array.from(p.data).filter((_v, i) => i % 4 === 3).map((v) => v > 0); })()"
    )
    assert np.array_equal(np.reshape(painted, SIZE), mask)
    assert page.errors == []
    page.context.close()
    server.stop()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1100])
def test_the_page_fits_a_phone_and_a_desk(browser: Any, running: Running, width: int, scheme: str) -> None:
    page = Page(browser, f"http://{HOST}:{running.port}/{TOKEN}/", color_scheme=scheme)
    page.page.set_viewport_size({"width": width, "height": 800})
    page.settle()
    assert page.value("document.documentElement.scrollWidth") <= width
    background = page.value("getComputedStyle(document.body).backgroundColor")
    assert (int(background[4:].split(",")[0]) < 100) == (scheme == "dark")
    page.context.close()


def test_one_file_opens_from_disk_and_offers_its_corrections(browser: Any, folder: Path) -> None:
    target = folder / "page.html"
    assert write_page(target, open_result(folder / "boxes.json"))[0].endswith("the video is in it")
    (folder / "clip.mp4").unlink()
    page = Page(browser, target.as_uri())
    page.seek(13)
    picture, (x1, y1, _, y2) = edge_of(page, 13)
    assert is_car_colored(picture, x1, (y1 + y2) / 2)
    page.page.locator("#tracks button", has_text="5 person").click()
    page.page.keyboard.press("Delete")
    with page.page.expect_download() as download:
        page.page.keyboard.press("w")
    saved = json.loads(Path(download.value.path()).read_text())
    assert saved["operations"] == [{"op": "delete", "track": 5}]
    assert page.errors == []
    page.context.close()


def test_a_file_that_leads_to_the_page_opens_it(browser: Any, running: Running) -> None:
    with leading_file(f"http://{HOST}:{running.port}/{TOKEN}/") as leading:
        page = Page(browser, leading.as_uri())
        page.settle()
        assert page.value("dff.result.frames") == 30
        assert page.errors == []
        page.context.close()
