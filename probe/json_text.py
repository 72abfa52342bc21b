"""JSON that others may have written: strict, of any depth, and with short messages."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any, NoReturn

from probe.errors import quoted

__all__ = ["is_count", "parse_json"]


def parse_json(text: str | bytes) -> Any:
    """The document.

    Raises:
        ValueError: it is not UTF-8 or no JSON (NaN, Infinity and 1e400 are none), nested too deeply, has a key
            twice in an object or a number of thousands of digits; the message is short and one line.
    """
    try:
        return json.loads(
            text.decode("utf-8") if isinstance(text, bytes) else text,
            parse_constant=_refuse,
            parse_float=_finite,
            object_pairs_hook=_object,
        )
    except json.JSONDecodeError as error:
        raise ValueError(f"JSON is expected, found {error.msg} at line {error.lineno}") from None
    except UnicodeDecodeError:
        raise ValueError("JSON in UTF-8 is expected, found other bytes") from None
    except RecursionError:
        raise ValueError("JSON is expected, found brackets nested too deeply") from None
    except _Refused as error:
        raise ValueError(f"JSON is expected, found {error}") from None
    except ValueError:  # int() of thousands of digits
        raise ValueError("JSON is expected, found a number of thousands of digits") from None


def is_count(value: object, *, least: int = 0, most: int | None = None) -> bool:
    """Whether a value is a whole number from ``least`` to ``most``; true and 1.0 are none."""
    return type(value) is int and value >= least and (most is None or value <= most)


class _Refused(ValueError):
    """What json.loads would take; the message says what was found."""


def _refuse(name: str) -> NoReturn:
    raise _Refused(name)


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise _Refused(f"{digits[:20]}, which is beyond a float")
    return value


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _Refused(f"key {quoted(key)} twice in an object")
        found[key] = value
    return found
