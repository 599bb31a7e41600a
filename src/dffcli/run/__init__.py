"""One run: plan, engine, journal, post-processing, report.

The package can be called: `dffcli.run(source, model=...)` is `dffcli.run.door.run`.
"""

import sys
from types import ModuleType
from typing import Any


class _Door(ModuleType):
    """A package that is also the function which the package is for."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """As `dffcli.run.door.run`."""
        from dffcli.run.door import run

        return run(*arguments, **options)

    @property
    def __signature__(self) -> Any:
        from inspect import signature

        from dffcli.run.door import run

        return signature(run)


sys.modules[__name__].__class__ = _Door
