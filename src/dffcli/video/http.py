"""The body of an answer to a GET, read as a file: it knows whether it came to its end."""

from __future__ import annotations

import base64
import http.client
import io
import socket
import ssl
import threading
from contextlib import suppress
from urllib.parse import SplitResult, unquote, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from dffcli._version import __version__

TIMEOUT = 10.0  # seconds without a byte
MAX_REDIRECTS = 5
PLAYLIST_TYPES = ("mpegurl", "dash+xml", "x-scpls")
PLAYLIST_SUFFIXES = (".m3u8", ".m3u", ".mpd", ".pls")


class LostError(OSError):
    """The connection ended before its answer did, or gave nothing for too long."""


def is_for_us(address: str) -> bool:
    """Whether an address is read here; playlists and proxies are left to libav."""
    parts = urlsplit(address)
    if parts.scheme.lower() not in ("http", "https") or parts.path.lower().endswith(PLAYLIST_SUFFIXES):
        return False
    return parts.scheme.lower() not in getproxies() or bool(proxy_bypass(parts.hostname or ""))


class HttpBody(io.RawIOBase):
    """What a server answers, as a file: searchable where the server can send parts.

    Attributes:
        name: the address.
        length: bytes in all; None where the server does not say: it is endless, as far as anybody knows.
        is_playlist: it names other things to read, so it is none for us.
        ends_anywhere: its end is that of the connection: nobody can tell whether it is the right one.
        lost: why its end came too early, if it did.
    """

    def __init__(self, address: str) -> None:
        """Ask for it.

        Raises:
            OSError: nobody answers, or with a refusal.
        """
        super().__init__()
        self.name = address
        self._address = address
        self._place = 0
        self._is_cancelled = False
        self._lock = threading.Lock()
        self._connection: http.client.HTTPConnection | None = None
        self._socket: socket.socket | None = None
        self._response = self._ask(0)
        kind = (self._response.headers.get("Content-Type") or "").lower()
        self.is_playlist = any(playlist in kind for playlist in PLAYLIST_TYPES)
        self.length = self._response.length  # None for chunks and for what ends with its connection
        self.ends_anywhere = self.length is None and not self._response.chunked
        self.lost: LostError | None = None
        self._takes_parts = self._response.headers.get("Accept-Ranges", "").lower() == "bytes"

    def readable(self) -> bool:
        """Always."""
        return True

    def writable(self) -> bool:
        """Never."""
        return False

    def seekable(self) -> bool:
        """Only where the server sends parts of what has a length."""
        return self._takes_parts and self.length is not None

    def tell(self) -> int:
        """Bytes read or skipped."""
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go somewhere else; asks anew with the next read.

        Raises:
            OSError: the server does not send parts.
        """
        if not self.seekable() or self.length is None:
            raise io.UnsupportedOperation("not searchable")
        place = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self.length}[whence] + offset
        if place != self._place:
            self._place = place
            self._hang_up()
        return place

    def read(self, size: int = -1) -> bytes:
        """The next bytes, at most `size`; none at the end, and where it was lost: libav then gives what it has."""
        if self.length is not None and self._place >= self.length:
            return b""
        data = self._read_or_lose(size)
        if not data and self.length is not None and self.seekable():
            self._hang_up()
            data = self._read_or_lose(size)  # once more from here
        if not data and self.length is not None:
            self.lost = self.lost or LostError(f"it was closed after {self._place} of {self.length} bytes")
        self._place += len(data)
        return data

    def _read_or_lose(self, size: int) -> bytes:
        for is_last in (not self.seekable(), True):
            try:
                return self._read(size)
            except (OSError, ValueError, AttributeError, http.client.HTTPException) as error:
                if is_last or self._is_cancelled:
                    self.lost = LostError(_reason(error))
                    return b""
                self._hang_up()
        return b""

    def cancel(self) -> None:
        """Let a read that waits for bytes end with an error, from any thread."""
        self._is_cancelled = True
        self._hang_up()

    def close(self) -> None:
        """Hang up."""
        self._hang_up()
        super().close()

    def _read(self, size: int) -> bytes:
        if self._connection is None:
            if self._is_cancelled:
                raise LostError("cancelled")
            self._response = self._ask(self._place)
        return self._response.read1(size)

    def _hang_up(self) -> None:
        with self._lock:
            connection, self._connection = self._connection, None
            if self._socket is not None:
                with suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)
            if connection is not None:
                connection.close()

    def _ask(self, place: int) -> http.client.HTTPResponse:
        address = self._address
        for _ in range(MAX_REDIRECTS):
            parts = urlsplit(address)
            connection = _connection(parts)
            connection.connect()
            self._connection, self._socket = connection, connection.sock
            headers = _headers(parts) | ({"Range": f"bytes={place}-"} if place else {})
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            if response.status in (301, 302, 303, 307, 308) and (target := response.headers.get("Location")):
                connection.close()
                address = urljoin(address, target)
                if urlsplit(address).scheme not in ("http", "https"):
                    raise OSError("the server sends elsewhere, to what is no web address")
                continue
            if response.status not in (200, 206) or (place and response.status != 206):
                connection.close()
                raise OSError(f"the server says {response.status} {response.reason}".strip())
            return response
        raise OSError("the server sends in a circle")


def _connection(parts: SplitResult) -> http.client.HTTPConnection:
    host = parts.hostname or ""
    if parts.scheme.lower() == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(host, parts.port, timeout=TIMEOUT, context=context)
    return http.client.HTTPConnection(host, parts.port, timeout=TIMEOUT)


def _headers(parts: SplitResult) -> dict[str, str]:
    headers = {"User-Agent": f"dff/{__version__}", "Accept": "*/*"}
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    return headers


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"nothing came for {TIMEOUT:g} seconds"
    if isinstance(error, http.client.IncompleteRead):
        return "the connection was closed in the middle of a piece"
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()
