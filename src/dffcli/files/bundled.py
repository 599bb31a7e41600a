"""Where the bundled networks are kept."""

from __future__ import annotations

from pathlib import Path

from dffcli.errors import WeightsError

MANIFEST = "manifest.json"


def bundled_folder() -> Path:
    """The folder of the bundled networks: inside an installed package, or beside `src` in a source tree.

    Raises:
        WeightsError: neither is there.
    """
    package = Path(__file__).parents[1]
    for folder in (package / "weights", package.parents[1] / "weights"):
        if (folder / MANIFEST).is_file():
            return folder
    raise WeightsError(f"the bundled networks are missing: no {MANIFEST} in {package / 'weights'}: install dff again")
