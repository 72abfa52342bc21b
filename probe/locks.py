"""Run directories are made and filled by one process at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from probe.files import no_empty_folder
from probe.manifest import MANIFEST, StoreError

_LOCK = ".lock"


@contextmanager
def begun(folder: Path) -> Iterator[None]:
    """Make the directory and lock it; refuses one with other things in it."""
    try:
        others = not (folder / MANIFEST).exists() and any(
            not path.name.startswith(".") for path in (folder.iterdir() if folder.exists() else ())
        )
    except OSError as error:
        raise StoreError(f"{folder}: cannot be made a run directory ({error.strerror})") from error
    if others:
        raise StoreError(f"{folder}: neither empty nor a run directory: it has no {MANIFEST}")
    with locked(folder):
        yield


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make a directory and lock it against other processes; the lock of a dead process does not last.

    If the block fails, a directory that was made for it goes, unless something was written there.

    Raises:
        StoreError: another process holds the lock, or the directory cannot be made or written to.
    """
    from filelock import FileLock, Timeout

    is_new = not folder.exists()
    with no_empty_folder(folder):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(folder / _LOCK, blocking=False)
            lock.acquire()
        except Timeout:
            raise StoreError(f"{folder}: another process is filling this directory") from None
        except OSError as error:
            raise StoreError(f"{folder}: cannot be made a run directory ({error.strerror})") from error
        try:
            yield
        except BaseException:
            if is_new:
                _remove_lock_alone(folder)
            raise
        finally:
            lock.release()


def _remove_lock_alone(folder: Path) -> None:
    """Remove the lock of a directory that holds nothing else."""
    with suppress(OSError):  # Windows removes no file that is open
        if [path.name for path in folder.iterdir()] == [_LOCK]:
            (folder / _LOCK).unlink()
