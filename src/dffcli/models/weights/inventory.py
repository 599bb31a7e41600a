"""Which weights are on this machine, and whether they are what they should be."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from dffcli.errors import ModelError, WeightsError
from dffcli.files.bundled import MANIFEST, bundled_folder
from dffcli.models.registry import ModelEntry, find_entry, model_entries
from dffcli.models.weights.downloads import cached_file, expected_digest, file_digest

DIGEST_LENGTH = 64  # hexadecimal digits of a SHA-256


@dataclass(frozen=True, slots=True)
class WeightsItem:
    """The default weights of one model.

    Attributes:
        model: whose they are.
        path: where they are, or would be.
        source: where they come from, in words.
        url: where they can be fetched; None where they cannot.
        is_bundled: they came with dff.
        expected: the SHA-256 they must have, or its beginning; empty where nothing says.
    """

    model: str
    path: Path
    source: str
    url: str | None
    is_bundled: bool
    expected: str

    @property
    def size(self) -> int | None:
        """Bytes of the file; None where it is not here."""
        return self.path.stat().st_size if self.path.is_file() else None


def inventory() -> list[WeightsItem]:
    """The default weights of every model that has some, here or not."""
    items = (item_of(entry) for entry in model_entries().values())
    return [item for item in items if item is not None]


def find_item(name: str) -> WeightsItem:
    """The default weights of one model.

    Raises:
        ModelError: there is no such model, or nobody published weights for it.
    """
    item = item_of(find_entry(name))
    if item is None:
        raise ModelError(f"{name}: has no weights of its own")
    return item


def item_of(entry: ModelEntry) -> WeightsItem | None:
    """The default weights of an entry of the registry."""
    if entry.weights_file is None:
        return None
    if entry.is_bundled:
        path, digest = _bundled(entry)
    else:
        path = cached_file(entry.weights_url or entry.weights_file)
        digest = expected_digest(path)
    return WeightsItem(entry.name, path, entry.weights_source, entry.weights_url, entry.is_bundled, digest)


def _bundled(entry: ModelEntry) -> tuple[Path, str]:
    folder = bundled_folder()
    listed = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["networks"].get(entry.name, {})
    return folder / str(listed.get("file", entry.weights_file)), str(listed.get("sha256", ""))


@dataclass(frozen=True, slots=True)
class Verified:
    """A file that is what it should be: its SHA-256, and what that was held against (nothing: only read through)."""

    digest: str
    against: str


def verify_file(path: Path, *, expected: str = "") -> Verified:
    """Read a file of weights through, and hold its SHA-256 against what is known of it.

    Args:
        path: any kind of checkpoint that dff reads.
        expected: the SHA-256 or its beginning; taken from the file's name if that carries one.

    Raises:
        WeightsError: it is absent, another file, damaged, or holds values that are not finite.
    """
    from dffcli.files.state_dict import check_finite
    from dffcli.models.paper.checkpoints import read_parameters

    if not path.is_file():
        raise WeightsError(f"{path}: no such file")
    expected = expected or expected_digest(path)
    digest = file_digest(path)
    if not digest.startswith(expected):
        raise WeightsError(f"{path}: expected sha256 {expected[:12]}..., found {digest[:12]}...")
    check_finite(read_parameters(path), source=str(path))
    if not expected:
        return Verified(digest, "")
    return Verified(digest, "manifest" if len(expected) == DIGEST_LENGTH else "file name")
