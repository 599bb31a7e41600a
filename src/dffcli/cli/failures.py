"""What it means in one line when the system itself says no: memory, threads, files, libraries."""

from __future__ import annotations

import sys

NO_MEMORY = "there is too little memory"
NO_THREADS = "the system allows no further thread"

LEAST_MEMORY = 512 << 20  # bytes of address space; torch wants some seven times as much, and says so itself

_OF_LIBRARIES = (
    ("can't allocate memory", NO_MEMORY),  # torch
    ("out of memory", NO_MEMORY),  # torch, on a GPU
    ("Insufficient memory", NO_MEMORY),  # OpenCV
    ("std::bad_alloc", NO_MEMORY),
    ("Cannot allocate memory", NO_MEMORY),
    ("can't start new thread", NO_THREADS),
)
"""Parts of messages by which libraries that have no error of their own for it say so."""


def reason_of_system(error: BaseException) -> str | None:
    """The line for the user; empty where nobody is left to read it, None for what is no fault of the system's."""
    if isinstance(error, BrokenPipeError):
        return ""
    if isinstance(error, MemoryError):
        return NO_MEMORY
    if isinstance(error, ImportError):
        first = _beginning(error)
        if first is not error and (reason := reason_of_system(first)):
            return reason
        line = str(first).strip().splitlines()
        said = line[0] if line else type(first).__name__
        hint = f" ({NO_MEMORY})" if "failed to map segment" in said else ""
        return f"a library cannot be loaded: {said}{hint}"
    said = str(error)
    if isinstance(error, RuntimeError | OSError) or type(error).__module__.partition(".")[0] == "cv2":
        for part, reason in _OF_LIBRARIES:
            if part in said:
                return reason
    if isinstance(error, OSError):
        reason = error.strerror or said or type(error).__name__
        place = f"{error.filename}: " if error.filename is not None else ""
        return f"{place}{reason[:1].lower()}{reason[1:]}"
    return None


def check_memory_limit() -> None:
    """Refuse a limit under which the libraries that decode video do not fail but crash.

    Raises:
        MemoryError: it is too low.
    """
    if sys.platform == "win32":
        return
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < LEAST_MEMORY:
        raise MemoryError


def _beginning(error: BaseException) -> BaseException:
    """Where a chain of errors began: a library that fails to load is often told of in a page of advice."""
    while (before := error.__cause__ or error.__context__) is not None:
        error = before
    return error
