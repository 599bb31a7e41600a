"""Give a file its final name only once it is complete."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from dffcli.errors import OutputError
from dffcli.files.claim import Claim
from dffcli.files.places import final_place, writing

__all__ = ["atomic_folder", "atomic_path", "claimed", "writing"]

_held: ContextVar[dict[Path, Claim]] = ContextVar("held")


@contextmanager
def claimed(
    *,
    files: Iterable[Path | str] = (),
    folders: Iterable[Path | str] = (),
    overwrite: bool = False,
    ours: Iterable[Path] = (),
) -> Iterator[tuple[Claim, ...]]:
    """Hold the names of outputs from before the work begins; `atomic_path` and `atomic_folder` within use what is held.

    So a second run with the same output is refused before it has done anything. All outputs get their names together,
    when the block has ended well; after an error none does. What appears under a name meanwhile is kept: the result
    goes beside it, and the error comes at the end.

    Args:
        files: final names of files.
        folders: final names of folders.
        overwrite: what has those names may be replaced.
        ours: final places that may be replaced in any case.

    Yields:
        The claims, in the order of files and folders; a name that is held already has the one that it has.

    Raises:
        OutputError: somebody else has one, one is taken, a place cannot be written; or, at the end, a result had to go
            beside its name.
    """
    held, mine, wanted = _still_held(), list[Claim](), list[Claim]()
    replaceable = set(ours)
    try:
        for path, is_folder in [*((path, False) for path in files), *((path, True) for path in folders)]:
            place = final_place(path)
            if place not in held:
                claim = Claim(path, is_folder=is_folder, overwrite=overwrite or place in replaceable)
                held[place] = claim
                mine.append(claim)
            wanted.append(held[place])
        token = _held.set(held)
        try:
            yield tuple(wanted)
        finally:
            with suppress(ValueError):  # a generator left half way is ended anywhere: what it held, nobody holds then
                _held.reset(token)
        for claim in mine:
            if claim.is_finished:
                claim.publish()
        for claim in mine:
            claim.on_end(None)
    except BaseException as error:
        for claim in mine:
            claim.on_end(error)
        raise
    finally:
        for claim in mine:
            claim.discard()
    moved = [claim.was_moved for claim in mine if claim.was_moved]
    if moved:
        raise OutputError("; ".join(moved))


def _still_held() -> dict[Path, Claim]:
    return {place: claim for place, claim in _held.get({}).items() if claim.is_held}


@contextmanager
def atomic_path(path: Path | str, *, overwrite: bool = False) -> Iterator[Path]:
    """Write a file beside its target; it takes the target's name and place when the block ends well.

    On any exception the unfinished file is removed and whatever stood under the final name is untouched. A link is
    followed: its target is replaced, not the link. What is replaced hands on its permissions.

    Args:
        path: the final name. Its folder is made if it is missing.
        overwrite: what has that name now may be replaced. A name that is held (`claimed`) was asked for that then.

    Yields:
        The unfinished file's path: it exists, is empty and has the target's suffix.

    Raises:
        OutputError: the name is taken or the place cannot be written. Errors of the block itself pass as they are: see
            `writing`.
    """
    with _publishing(path, is_folder=False, overwrite=overwrite) as part:
        yield part


@contextmanager
def atomic_folder(path: Path | str, *, overwrite: bool = False) -> Iterator[Path]:
    """Fill a folder beside its target; it takes the target's name when the block ends well.

    Of what stood under the final name, only what dff wrote goes; files of others stay in the folder.

    Args:
        path: the final name. Folders above it are made if they are missing.
        overwrite: a folder that dff wrote may be replaced.

    Yields:
        The unfinished folder's path: it exists and is empty.

    Raises:
        OutputError: as `atomic_path`.
    """
    with _publishing(path, is_folder=True, overwrite=overwrite) as part:
        yield part


@contextmanager
def _publishing(path: Path | str, *, is_folder: bool, overwrite: bool) -> Iterator[Path]:
    claim = _still_held().get(final_place(path))
    if claim is not None:
        yield claim.part  # who holds it publishes or discards it
        claim.finish()
        return
    claim = Claim(path, is_folder=is_folder, overwrite=overwrite)
    try:
        yield claim.part
        claim.finish()
        claim.publish()
    finally:
        claim.discard()
    if claim.was_moved:
        raise OutputError(claim.was_moved)
