"""The HTML of tables and pages is made by templates that escape all text."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any
from unicodedata import category

if TYPE_CHECKING:
    from jinja2 import Environment


def render_template(name: str, *, package: str = "analyses.tables", **values: Any) -> str:
    """Render a template of a package's folder ``templates``.

    Args:
        name: of the file.
        package: that has it, by its dotted name; templates may include those of ``analyses.tables``.
        values: what the template names; text is escaped, unless it is a ``markupsafe.Markup``.
    """
    return str(_environment(package).get_template(name).render(**values))


def stream_template(name: str, *, package: str, **values: Any) -> Iterator[str]:
    """As :func:`render_template`, piece by piece: a page of a large corpus is never whole in memory."""
    return _environment(package).get_template(name).generate(**values)


@cache
def _environment(package: str) -> Environment:
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    packages = dict.fromkeys((package, "analyses.tables"))
    loader = ChoiceLoader([PackageLoader(each) for each in packages])
    return Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printable,
    )


def _printable(value: Any) -> Any:
    """Text without what HTML cannot hold: control characters become U+FFFD; line ends stay."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    bad = ("Cc", "Cs")
    return "".join("\ufffd" if category(c) in bad and c not in "\n\t" else c for c in value)
