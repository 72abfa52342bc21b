"""The one reader of JSON: strict, of any depth, and with short messages."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from data.errors import DataError
from data.messages import listed, quoted
from data.text import number_lines, read_lines

__all__ = ["json_records", "object_text", "parse_json", "read_json"]

# json.loads refuses these characters where they stand as they are, and takes them as escapes.
_ESCAPED = re.compile(r"\\u(?:00(?:00|1[bB])|[dD][89a-fA-F])")
_REFUSED = re.compile("[\0\x1b\ud800-\udfff]")


def parse_json(text: str, *, where: str, of_file: bool = False) -> Any:
    """Parse a JSON document.

    Args:
        text: The document.
        where: Where it stands, for messages.
        of_file: It is a whole file, so that its lines are the file's.

    Raises:
        DataError: It is no JSON (NaN and Infinity are none), nested too deeply, has a key twice in an object or
            a number of thousands of digits; or a string has a NUL, an escape character or half a surrogate pair.
    """
    try:
        found = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        line = f":{error.lineno}" if of_file else ""
        raise DataError(
            f"{where}{line}: JSON is expected, found {error.msg} at column {error.colno}"
        ) from None
    except RecursionError:
        raise DataError(f"{where}: JSON is expected, found brackets nested too deeply") from None
    except ValueError as error:  # ours, and int() of thousands of digits
        found = str(error) if isinstance(error, _Refused) else "a number of thousands of digits"
        raise DataError(f"{where}: JSON is expected, found {found}") from None
    if _ESCAPED.search(text):
        _check_strings(found, where=where)
    return found


def read_json(path: Path) -> Any:
    """Read a file that is one JSON document.

    Raises:
        DataError: As `parse_json`, or the file is not UTF-8.
    """
    lines = (line for _, line in number_lines(read_lines(path), name=str(path)))
    return parse_json("\n".join(lines), where=str(path), of_file=True)


def json_records(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the objects of a file of one JSON object a line, each with ``file:line``; empty lines are passed over.

    Raises:
        DataError: A line is no JSON object; see `parse_json`.
    """
    for number, line in number_lines(read_lines(path), name=str(path)):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        record = parse_json(line, where=where)
        if not isinstance(record, dict):
            raise DataError(f"{where}: a JSON object is expected, found {type(record).__name__}")
        yield where, record


def object_text(record: dict[str, Any], key: str, *, where: str) -> str:
    """Return the text under a key of an object.

    Raises:
        DataError: The key is missing, or its value is no string with a visible character.
    """
    if key not in record:
        raise DataError(f"{where}: key {key!r} is expected, found {listed(record)}")
    value = record[key]
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{where}: a text that is not empty is expected as {key!r}, found {quoted(value)}")
    return value


class _Refused(ValueError):
    """What json.loads would take; the message says what was found."""


def _refuse_constant(name: str) -> NoReturn:
    raise _Refused(name)


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _Refused(f"key {quoted(twice)} twice in an object")
    return found


def _check_strings(found: Any, *, where: str) -> None:
    remaining = [found]
    while remaining:
        value = remaining.pop()
        if isinstance(value, str):
            if bad := _REFUSED.search(value):
                name = "half a surrogate pair" if bad.group() >= "\ud800" else f"U+{ord(bad.group()):04X}"
                raise DataError(f"{where}: Unicode text is expected, found {name} in {quoted(value)}")
        elif isinstance(value, dict):
            remaining += [*value, *value.values()]
        elif isinstance(value, list):
            remaining += value
