"""The packages that come with this one, told from others of the same names.

``analyses``, ``data`` and ``parsers`` are common names: a folder with a ``data.py`` of its own must neither
break a command that is started there nor be read in place of ours.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

SIBLINGS = ("analyses", "data", "parsers")
HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
"""The folder that holds this package and its siblings."""


class ClashError(ImportError):
    """Another package or module stands where one of this project's is expected."""

    exit_code: ClassVar[int] = 2


class _Siblings:
    """A finder that has the siblings come from ``HOME``, whatever comes first on the path."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return PathFinder.find_spec(name, [HOME]) if name in SIBLINGS else None


def use_own() -> None:
    """Import the siblings from beside this package from now on: for commands, whose process is ours.

    Raises:
        ClashError: another module of such a name was imported already.
    """
    if _Siblings not in sys.meta_path:
        sys.meta_path.insert(0, _Siblings)
    for name in SIBLINGS:
        if name in sys.modules:
            _check(name, sys.modules[name].__spec__)


def check_own() -> None:
    """See that an import of a sibling gives ours: for programs, whose path is theirs.

    Raises:
        ClashError: it gives another one; names its file.
    """
    for name in SIBLINGS:
        _check(name, sys.modules[name].__spec__ if name in sys.modules else find_spec(name))


def _check(name: str, spec: ModuleSpec | None) -> None:
    origin = None if spec is None else spec.origin
    if origin is not None and _real_folder(os.path.dirname(origin)) == os.path.realpath(HOME):
        return
    if spec is None or not (places := [origin] if origin else list(spec.submodule_search_locations or ())):
        raise ClashError(
            f"{os.path.join(HOME, name)}: this package of perturbed-probe is expected, there is none"
        )
    raise ClashError(
        f"{places[0]}: stands in the way of perturbed-probe's own {name}: rename it, or start Python elsewhere "
        "(the commands, such as probe parse, work beside it)"
    )


def _real_folder(package: str) -> str:
    # The files themselves may be links, as in an editable installation.
    return os.path.realpath(os.path.dirname(os.path.abspath(package)))
