"""Commands made from dataclasses whose fields are settings: signature, help and checks all come from the fields."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import typer

from dffcli.cli.failures import check_memory_limit
from dffcli.core.task import Task
from dffcli.errors import SettingError
from dffcli.option import Option, option_of


def declare(
    app: typer.Typer,
    function: Callable[..., None],
    *,
    name: str | None = None,
    panel: str | None = None,
    task: Task | None = None,
    held: Callable[..., AbstractContextManager[None]] = lambda **_groups: nullcontext(),
) -> None:
    """Add a command whose arguments are dataclasses; each of their fields becomes an option.

    Args:
        app: where to.
        function: takes the filled dataclasses; its docstring is the help.
        name: of the command, where it is not the function's.
        panel: heading it is listed under.
        task: what the command is for: fills fields that ask for it, and options of other tasks are left out.
        held: given the same dataclasses: what is checked before the command runs, and held until it has.
    """
    hints: dict[str, Any] = get_type_hints(function)
    groups: dict[str, Any] = {key: kind for key, kind in hints.items() if dataclasses.is_dataclass(kind)}

    def command(**values: Any) -> None:
        check_memory_limit()
        filled = {key: _filled(kind, values, task=task) for key, kind in groups.items()}
        with held(**filled):
            function(**filled)

    parameters = [parameter for kind in groups.values() for parameter in _parameters(kind, task=task)]
    parameters.sort(key=lambda parameter: parameter.default is not parameter.empty)
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    command.__doc__ = function.__doc__
    app.command(name or function.__name__, rich_help_panel=panel)(command)


def _own_fields(kind: type, *, task: Task | None) -> Iterator[tuple[dataclasses.Field[Any], Option, Any]]:
    """The fields of a group that the command line sets, with what they say of themselves and their type."""
    hints = get_type_hints(kind)
    for field in dataclasses.fields(kind):
        found = option_of(field)
        if found is not None and not found.is_given and found.task in (None, task):
            yield field, found, hints[field.name]


def _parameters(kind: type, *, task: Task | None) -> Iterator[inspect.Parameter]:
    for field, option, hint in _own_fields(kind, task=task):
        if dataclasses.is_dataclass(hint):
            yield from _parameters(hint, task=task)  # type: ignore[arg-type]  # a class, not a value
            continue
        default, annotation = _on_the_command_line(field, option, hint)
        facts: dict[str, Any] = {"help": option.text(task), "metavar": option.metavar}
        facts |= {"min": option.low, "max": option.high} if option.read is None and not option.choices else {}
        facts |= {"exists": True} if option.exists else {}
        facts |= {"file_okay": False} if option.is_folder else {}
        if option.known is not None:
            facts["autocompletion"] = _completing(option.known)
        if option.is_argument:
            said: Any = typer.Argument(**facts)
        else:
            flags = option.flags or (f"--{field.name.replace('_', '-')}",)
            if option.read is not None:
                facts["show_default"] = _as_text(field.default, option)
            said = typer.Option(*flags, rich_help_panel=option.panel, **facts)
        yield inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[annotation, said]
        )


def _completing(known: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """What a shell offers for what was typed so far; of names between commas, for the last one."""

    def complete(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        return [f"{before}{comma}{word}" for word in known() if word.startswith(last)]

    return complete


def _on_the_command_line(field: dataclasses.Field[Any], option: Option, hint: Any) -> tuple[Any, Any]:
    """Default and type as Typer takes them."""
    default = inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default
    if option.is_off_switch:
        return not default, bool
    if option.read is not None:
        is_required = default is inspect.Parameter.empty
        return (default, str) if is_required else (None, str | None)  # what is not typed is not read
    if option.choices:
        make: Any = StrEnum  # not as a type: its members are known only here
        choice = make("Choice", {word: word for word in option.choices})
        return (None, choice | None) if default is None else (choice(default), choice)
    if get_origin(hint) is tuple:
        of: Any = list.__class_getitem__(get_args(hint)[0])
        return (inspect.Parameter.empty, of) if option.is_required else (None, of | None)
    return default, hint


def _as_text(default: Any, option: Option) -> str | bool:
    """A default as the help shows it; False where there is nothing to show."""
    if default is None or default is dataclasses.MISSING or default == ():
        return False
    if option.write is not None:
        return option.write(default)
    return ",".join(map(str, default)) if isinstance(default, tuple) else str(default)


def _filled(kind: type, values: dict[str, Any], *, task: Task | None) -> Any:
    """A group with its values from the command line.

    Raises:
        typer.BadParameter: a text cannot be read.
    """
    known: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        option = option_of(field)
        if option is not None and option.is_given:
            known[field.name] = task
    for field, option, hint in _own_fields(kind, task=task):
        if dataclasses.is_dataclass(hint):
            known[field.name] = _filled(hint, values, task=task)  # type: ignore[arg-type]  # a class, not a value
            continue
        value = values[field.name]
        if option.is_off_switch:
            value = not value
        elif option.read is not None and value is not None:
            try:
                value = option.read(value)
            except SettingError as error:
                flag = (option.flags or (f"--{field.name.replace('_', '-')}",))[0]
                raise typer.BadParameter(str(error), param_hint=field.name if option.is_argument else flag) from error
        elif isinstance(value, StrEnum) and option.choices:
            value = value.value
        elif option.read is None and get_origin(hint) is tuple:
            value = tuple(value or ())
        if value is not None or (option.read is None and _takes_none(hint)):
            known[field.name] = value
    return kind(**known)


def _takes_none(hint: Any) -> bool:
    return get_origin(hint) in (Union, UnionType) and NoneType in get_args(hint)
