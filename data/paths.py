"""How files are named to the readers."""

import os
from typing import TypeAlias

FilePath: TypeAlias = str | os.PathLike[str]
"""Text or a path."""
