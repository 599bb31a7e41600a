"""What the outputs of a run are opened with."""

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from dffcli.categories import CAMVID, PALETTES
from dffcli.core.types import Frame, FrameResult, KeyReason, SegmentationMap, SourceInfo, Task
from dffcli.formats.sink import OutputOptions, RunFacts
from dffcli.run.plan import PlannedOutput
from dffcli.run.sinks import open_sink


@pytest.mark.parametrize("palette", ["own", "camvid"])
def test_masks_are_painted_in_the_colours_of_the_palette(tmp_path: Path, palette: str) -> None:
    size = (32, 48)
    info = SourceInfo("clip", size=size, time_base=Fraction(1, 25))
    sink = open_sink(
        PlannedOutput(str(tmp_path / "masks"), "masks"),
        info=info,
        task=Task.SEGMENT,
        categories=CAMVID,
        run=RunFacts("street-seg", "none"),
        options=OutputOptions(format="masks", palette=palette),
    )
    frame = Frame(0, np.zeros((*size, 3), np.uint8), Fraction(0))
    with sink:
        sink.write(FrameResult(frame, SegmentationMap(np.full(size, 8, np.uint8)), KeyReason.FIRST))
    (mask,) = (tmp_path / "masks").rglob("*.png")
    color = cv2.imread(str(mask), cv2.IMREAD_COLOR)[0, 0, ::-1]  # OpenCV reads BGR
    wanted = PALETTES["camvid"]["car"] if palette == "camvid" else CAMVID[8].color
    assert tuple(color) == wanted
