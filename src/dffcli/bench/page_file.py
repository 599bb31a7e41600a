"""A comparison as one page: curves with what lies behind each point, and the worst frames side by side."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from dffcli.bench.result import BenchResult, VariantResult
from dffcli.bench.verdict import MEASURES, verdicts

PAGE_FOLDER = Path(__file__).parent / "page"
PLACES = {"/* style */": "style.css", "/* script */": "bench.js"}
DATA = "/* data */"


def to_page(result: BenchResult) -> str:
    """The page, with everything in it: it opens from disk and asks for nothing else."""
    text = (PAGE_FOLDER / "index.html").read_text(encoding="utf-8")
    for place, name in PLACES.items():
        text = text.replace(place, (PAGE_FOLDER / name).read_text(encoding="utf-8"))
    data = json.dumps(page_data(result)).replace("<", "\\u003c")  # nothing in it can end the element it stands in
    return text.replace(DATA, data)


def page_data(result: BenchResult) -> dict[str, Any]:
    """What the page shows."""
    facts = result.to_json()
    facts["variants"] = [_variant(one) for one in result.variants]
    return facts | {"verdicts": verdicts(result), "measures": MEASURES}


def _variant(result: VariantResult) -> dict[str, Any]:
    return result.to_json() | {
        "label": result.variant.label,
        "curve": result.variant.curve,
        "worst": [
            {
                "frame": worst.index,
                "seconds": worst.seconds,
                "disagreement": worst.disagreement,
                "propagated": _url(worst.propagated),
                "full": _url(worst.full),
            }
            for worst in result.worst
        ],
    }


def _url(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
