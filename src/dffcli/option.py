"""Settings declared once: a dataclass field holds its default, its help, its range, and whether it shapes a result.

The command line's signature and help, the check of a value, and the identity of a run are all made from the fields.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from dataclasses import MISSING, dataclass
from typing import Any

from dffcli.errors import SettingError

_KEY = "option"


@dataclass(frozen=True, slots=True)
class Option:
    """What a field says of itself.

    Attributes:
        help: one or two sentences; a function of the command's task where they are made from what is registered.
        flags: of the command line, where not `--field-name`.
        metavar: what stands for the value in the help.
        panel: heading it is listed under.
        low, high: the least and the greatest value, of the value itself.
        choices: the words it can be, where they are few.
        read: makes the value from the text of the command line, where the type alone does not say how.
        write: the text of a value, where it is not what `str` gives: for the default in the help.
        shapes_result: another value can give another result; a run is resumed only with the same one.
        is_written: the value names what is written; what lies there already says nothing of the run.
        task: the only task it is for.
        is_argument: it stands by its place on the command line.
        is_required: it has to be given.
        is_given: the command itself says it, so there is no option.
        is_off_switch: its flag turns it off.
        exists: a path that has to be there.
        is_folder: a path that is a folder.
        known: gives words it can be, where they are many; a shell completes them.
    """

    help: str | Callable[[str | None], str]
    flags: tuple[str, ...] = ()
    metavar: str | None = None
    panel: str | None = None
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    read: Callable[[str], Any] | None = None
    write: Callable[[Any], str] | None = None
    shapes_result: bool = True
    is_written: bool = False
    task: str | None = None
    is_argument: bool = False
    is_required: bool = False
    is_given: bool = False
    is_off_switch: bool = False
    exists: bool = False
    is_folder: bool = False
    known: Callable[[], Iterable[str]] | None = None

    def text(self, task: str | None) -> str:
        """The help of a command for a task."""
        return self.help if isinstance(self.help, str) else self.help(task)

    @property
    def wanted(self) -> str:
        """The range in words."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        if self.high is None:
            return f"at least {self.low:g}"
        return f"at most {self.high:g}" if self.low is None else f"{self.low:g} to {self.high:g}"

    def allows(self, value: Any) -> bool:
        """Whether a value lies in the range; None, nothing said, always does."""
        if value is None:
            return True
        if self.choices and value not in self.choices:
            return False
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


def option(default: Any = MISSING, declared: Option | None = None, **facts: Any) -> Any:
    """A dataclass field that is a setting.

    Args:
        default: its value where none is given; a class stands for a fresh one of its values.
        declared: what it says of itself, where several groups share it.
        **facts: of `Option`, instead or in place of some of those declared.
    """
    about = Option(**facts) if declared is None else dataclasses.replace(declared, **facts)
    metadata = {_KEY: about}
    if isinstance(default, type):
        return dataclasses.field(default_factory=default, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class Setting:
    """A field of a group of settings, with its value.

    Attributes:
        name: of the field.
        value: of it.
        option: what the field says of itself.
        group: names of the fields that lead to the group it is in; empty where that is the value itself.
    """

    name: str
    value: Any
    option: Option | None
    group: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """The name as people read it."""
        return " ".join((*self.group, self.name)).replace("_", " ")


def settings_of(group: Any, *, within: tuple[str, ...] = ()) -> Iterator[Setting]:
    """Every setting of a dataclass value, those of the groups in it included.

    Args:
        group: the value.
        within: names of the fields that lead to it.
    """
    for field in dataclasses.fields(group):
        value = getattr(group, field.name)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            yield from settings_of(value, within=(*within, field.name))
        else:
            yield Setting(field.name, value, field.metadata.get(_KEY), within)


def option_of(field: dataclasses.Field[Any]) -> Option | None:
    """What a field says of itself; None where it says nothing."""
    found: Option | None = field.metadata.get(_KEY)
    return found


def check_settings(group: Any) -> None:
    """Hold every setting of a dataclass value to its range.

    Raises:
        SettingError: one lies outside.
    """
    for setting in settings_of(group):
        if setting.option is None:
            continue
        try:
            is_allowed = setting.option.allows(setting.value)
        except TypeError:
            is_allowed = False
        if not is_allowed:
            raise SettingError(f"{setting.words}: expected {setting.option.wanted}, got {setting.value!r}")
