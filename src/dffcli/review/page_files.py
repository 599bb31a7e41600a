"""The page's files, as the server hands them out or all in one."""

from __future__ import annotations

import base64
import json
from html import escape
from pathlib import Path

PAGE_FOLDER = Path(__file__).parent / "page"
SCRIPTS = ("app.js", "columns.js", "corrections.js", "panels.js", "player.js", "rle.js", "timeline.js")
"""Modules; each imports the others by the bare name `dff/NAME.js`, which an import map leads to its place."""

LINKS = '<link rel="stylesheet" href="style.css">'
MODULES = "<!-- modules -->"


def html(*, nonce: str) -> str:
    """The page as it is served: modules and style are files of their own."""
    places = {f"dff/{name}": f"./{name}" for name in SCRIPTS}
    return _template().replace(MODULES, _scripts(places, nonce=nonce))


def one_file(data: bytes, *, video: tuple[str, bytes] | None = None) -> str:
    """The page with everything in it, to be opened from disk.

    Args:
        data: the packed columns.
        video: media type and content of a video to be embedded.
    """
    places = {f"dff/{name}": _data_url("text/javascript", (PAGE_FOLDER / name).read_bytes()) for name in SCRIPTS}
    embedded = f'<script type="application/octet-stream" id="data">{base64.b64encode(data).decode()}</script>\n'
    if video is not None:
        kind, content = video
        embedded += (
            f'<script type="application/octet-stream" id="video-data" data-kind="{escape(kind)}">'
            f"{base64.b64encode(content).decode()}</script>\n"
        )
    style = f"<style>{(PAGE_FOLDER / 'style.css').read_text(encoding='utf-8')}</style>"
    return _template().replace(LINKS, style).replace(MODULES, embedded + _scripts(places))


def _scripts(places: dict[str, str], *, nonce: str | None = None) -> str:
    mark = "" if nonce is None else f' nonce="{nonce}"'
    imports = json.dumps({"imports": places})
    return (
        f'<script type="importmap"{mark}>{imports}</script>\n'
        f'<script type="module"{mark}>import {{ start }} from "dff/app.js"; start();</script>'
    )


def _data_url(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _template() -> str:
    return (PAGE_FOLDER / "index.html").read_text(encoding="utf-8")
