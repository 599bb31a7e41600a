"""The page's server: on this machine alone, behind a token, for one result."""

from __future__ import annotations

import hmac
import json
import secrets
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from dffcli.errors import DataError, DFFError
from dffcli.files.atomic import atomic_path, writing
from dffcli.formats.corrections import Corrections, parse_corrections
from dffcli.review.page_files import PAGE_FOLDER, SCRIPTS, html
from dffcli.review.pictures import Pictures
from dffcli.review.result import PLAYABLE, Reviewed

HOST = "127.0.0.1"
MOST_BYTES = 50_000_000  # of corrections
POLICY = (
    "default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Nothing from elsewhere is loaded, and nobody else may show the page."""

TYPES = {".js": "text/javascript", ".css": "text/css"}


class ReviewServer:
    """What the page is served by.

    Attributes:
        token: the secret part of the address.
        app: the ASGI application.
    """

    def __init__(self, reviewed: Reviewed, *, token: str | None = None) -> None:
        self.token = token or secrets.token_urlsafe(24)
        self._reviewed = reviewed
        self._pictures = None if reviewed.video is None else Pictures(reviewed.video)
        routes = [
            Route("/{token}/", self._page),
            Route("/{token}/data", self._data),
            Route("/{token}/media", self._media),
            Route("/{token}/frame/{index:int}.jpg", self._frame),
            Route("/{token}/corrections", self._save, methods=["PUT"]),
            Route("/{token}/{name}", self._file),
        ]
        self.app = Starlette(routes=routes)
        self.app.add_middleware(_Guard, token=self.token)

    async def _page(self, _request: Request) -> Response:
        nonce = secrets.token_urlsafe(16)
        return Response(
            html(nonce=nonce),
            media_type="text/html; charset=utf-8",
            headers={"Content-Security-Policy": POLICY.format(nonce=nonce)},
        )

    async def _file(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in (*SCRIPTS, "style.css"):
            return PlainTextResponse("no such file", 404)
        return FileResponse(PAGE_FOLDER / name, media_type=TYPES[Path(name).suffix])

    async def _data(self, _request: Request) -> Response:
        packed = await run_in_threadpool(self._reviewed.packed, media=self._described_media())
        return Response(packed, media_type="application/octet-stream")

    def _described_media(self) -> dict[str, Any] | None:
        video = self._reviewed.video
        if video is None:
            return None
        frames = {"frames": "frame/"}
        if video.suffix.lower() not in PLAYABLE or not video.is_file():
            return frames
        return {**frames, "video": "media", "zero": float(self._reviewed.clock_zero_seconds)}

    async def _media(self, _request: Request) -> Response:
        video = self._reviewed.video
        if video is None or not video.is_file():
            return PlainTextResponse("no video", 404)
        return FileResponse(video, media_type=PLAYABLE.get(video.suffix.lower(), "application/octet-stream"))

    async def _frame(self, request: Request) -> Response:
        if self._pictures is None:
            return PlainTextResponse("no video", 404)
        try:
            data = await run_in_threadpool(self._pictures.jpeg, request.path_params["index"])
        except DFFError as error:
            return PlainTextResponse(str(error), 404)
        return Response(data, media_type="image/jpeg")

    async def _save(self, request: Request) -> Response:
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > MOST_BYTES:
                return JSONResponse({"error": f"expected at most {MOST_BYTES} bytes of corrections"}, 413)
        try:
            made = parse_corrections(json.loads(bytes(body)), source="the page")
        except (DataError, ValueError, RecursionError) as error:
            return JSONResponse({"error": str(error)[:300]}, 400)
        reviewed = self._reviewed
        kept = Corrections(reviewed.path.name, reviewed.corrections.digest, made.operations)
        try:
            await run_in_threadpool(save_corrections, reviewed.corrections_path, kept)
        except DFFError as error:
            return JSONResponse({"error": str(error)}, 500)
        self._reviewed = replace(reviewed, corrections=kept)  # what a page that is loaded again begins with
        return JSONResponse({"saved": len(kept.operations), "file": reviewed.corrections_path.name})


def save_corrections(path: Path, corrections: Corrections) -> None:
    """Write corrections over those made before; the file is the old one or the new one, never half of either.

    Raises:
        OutputError: it cannot be written.
    """
    with atomic_path(path, overwrite=True) as part, writing(path):
        part.write_text(json.dumps(corrections.to_json(), indent=1) + "\n", encoding="utf-8")


class _Guard:
    """Lets in who knows the token and speaks to this machine's own name; tells everyone else nothing."""

    def __init__(self, app: Callable[..., Awaitable[None]], *, token: str) -> None:
        self._app, self._token = app, token

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get("host", "").rpartition(":")[0]
        origin, place = headers.get("origin"), f"http://{headers.get('host', '')}"
        site = headers.get("sec-fetch-site", "none")
        given, _, rest = scope["path"][1:].partition("/")
        is_opened = (
            not rest and headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
        )
        allowed = (
            host in (HOST, "localhost")
            and origin in (None, place)
            and (site in ("none", "same-origin") or is_opened)  # from a file that leads here; it holds no data yet
            and hmac.compare_digest(given.encode(), self._token.encode())
        )
        if not allowed:
            await PlainTextResponse("not here", 404)(scope, receive, send)
            return

        async def send_guarded(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message["headers"],
                    (b"x-content-type-options", b"nosniff"),
                    (b"referrer-policy", b"no-referrer"),
                    (b"cross-origin-resource-policy", b"same-origin"),
                    (b"cross-origin-opener-policy", b"same-origin"),
                    (b"cache-control", b"no-store"),
                ]
            await send(message)

        await self._app(scope, receive, send_guarded)


@contextmanager
def leading_file(address: str) -> Iterator[Path]:
    """A page for this user's eyes alone that leads to an address.

    A browser is started with it rather than with the address itself: what programs are started with, every user of a
    machine can see.
    """
    with TemporaryDirectory() as folder:  # readable by its owner alone
        page = Path(folder) / "review.html"
        page.write_text(f'<!doctype html><meta http-equiv="refresh" content="0; url={address}">', encoding="utf-8")
        yield page


def serve(server: ReviewServer, *, port: int = 0, ready: Callable[[str], None] = lambda _address: None) -> None:
    """Serve until interrupted.

    Args:
        server: what is served.
        port: where; a free one if 0.
        ready: told the address once it answers.

    Raises:
        DataError: the port is taken.
    """
    import uvicorn

    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        try:
            listener.bind((HOST, port))
        except OSError as error:
            raise DataError(
                f"port {port}: {(error.strerror or str(error)).lower()}; leave --port out for a free one"
            ) from error
        address = f"http://{HOST}:{listener.getsockname()[1]}/{server.token}/"
        config = uvicorn.Config(server.app, log_level="critical", access_log=False, lifespan="off", ws="none")
        running = uvicorn.Server(config)
        ready(address)
        running.run(sockets=[listener])
