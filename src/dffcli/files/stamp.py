"""What tells one file from another, and a file from itself after a change."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from pathlib import Path
from typing import NamedTuple

LONGEST_NAME = 160  # bytes kept of a name: with what is added it stays below the 255 that systems allow


class Stamp(NamedTuple):
    """A file or folder as it stood at one moment.

    Attributes:
        device, inode: which one it is, by whatever name.
        size, time: change with its content; 0 for a folder.
    """

    device: int
    inode: int
    size: int
    time: int

    @classmethod
    def of(cls, path: Path | str, *, follow: bool = True) -> Stamp | None:
        """That of what has this name now, or of what it links to; None where there is nothing."""
        try:
            about = os.stat(path, follow_symlinks=follow)
        except OSError:
            return None
        is_folder = stat.S_ISDIR(about.st_mode)
        return cls(about.st_dev, about.st_ino, 0 if is_folder else about.st_size, 0 if is_folder else about.st_mtime_ns)

    def is_same_file(self, other: Stamp) -> bool:
        """Whether both are one file, changed or not."""
        return (self.device, self.inode) == (other.device, other.inode)


def hidden_beside(target: Path, ending: str) -> Path:
    """The hidden name beside a target that belongs to it alone: no other target's hidden name can be the same.

    Args:
        target: a final place, links followed.
        ending: what is appended to the name.
    """
    name = target.name
    if len(os.fsencode(name)) > LONGEST_NAME:
        digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
        short = re.sub(r"[^\x20-\x7e]", "_", name)[:100]
        name = f"{short}~{digest}"
    return target.with_name(f".{name}{ending}")
