"""Files are written whole or not at all, and a folder carries the sha256 of each of its files.

The recipe: write beside the target under a temporary name, flush and fsync each file, write the manifest last, fsync
the folder, give the modes that the umask allows, rename, fsync the parent.

Replacing a *folder* takes two renames (POSIX has no one step for it): for an instant the old one is called `.old-…`.
Whoever dies in that instant loses nothing: `remove_leftovers` gives the old folder its name back.
"""

import errno
import hashlib
import json
import os
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from regard.core.errors import BadInput, Failure

MANIFEST = "manifest.json"

_LIFE = secrets.token_hex(4)
"""This process among all that ever had its id: a container's first process always has the same one."""


def write_whole(path: Path | str, data: bytes | Callable[[Path], object]) -> None:
    """Write `data` to `path`: afterwards the file is the old one or the new one, never a part.

    A link is followed. What is no plain file (a pipe, a terminal) is written straight into.

    Args:
        data: what stands in the file, or what writes it to the path that it is given.

    Raises:
        Failure: `cannot_write`, with path and reason.
    """
    fill = data if callable(data) else lambda place: place.write_bytes(data)
    with _told(path):
        if Path(path).exists() and not Path(path).is_file():
            fill(Path(path))
            return
        target = Path(os.path.realpath(path))
        temporary = _beside(target, "tmp")
        try:
            fill(temporary)
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            os.replace(temporary, target)
        except BaseException:
            _discard(temporary)
            raise
        _sync_folder(target.parent)


@contextmanager
def whole_folder(target: Path | str, **facts: Any) -> Iterator[Path]:
    """Write a folder whole: yields a temporary folder to write into, then seals it and renames it to `target`.

    An existing folder is replaced; `facts` (step, version …: JSON values; `files` and `sha256` are taken) are written
    into the manifest.

    Raises:
        Failure: `cannot_write`, with path and reason; the target is then as it was.
    """
    with _told(target):
        target = Path(os.path.realpath(target))
        temporary = _beside(target, "tmp")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary.mkdir()
            yield temporary
            seal(temporary, **facts)
            _swap(temporary, target)
        except BaseException:
            _discard(temporary)
            raise


@contextmanager
def _told(path: Path | str) -> Iterator[None]:
    """What the system or safetensors says of a write, as one clear `Failure`."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Failure("cannot_write", path=str(path), reason=reason) from error


def _beside(target: Path, kind: str) -> Path:
    """A name in the target's folder that says whose it is: `.KIND-NAME-LIFE.THREAD-PROCESS`."""
    return target.with_name(f".{kind}-{target.name}-{_LIFE}.{threading.get_ident():x}-{os.getpid()}")


def seal(folder: Path, **facts: Any) -> None:
    """Write the manifest of what lies in the folder: fsync every file, the manifest last, then the folders."""
    mode = folder.stat().st_mode & 0o666  # a new folder has 0777 & ~umask; asking for the umask would change it
    manifest, entries = folder / MANIFEST, {}
    for file in sorted(path for path in folder.rglob("*") if path.is_file() and path != manifest):
        file.chmod(mode)
        _sync(file)
        entries[file.relative_to(folder).as_posix()] = {"bytes": file.stat().st_size, "sha256": sha256(file)}
    manifest.write_text(_sealed({**facts, "files": entries}), encoding="utf-8")
    _sync(manifest)
    for inner in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
        _sync_folder(inner)
    _sync_folder(folder)


def _sealed(manifest: dict[str, Any]) -> str:
    """A manifest as text that also carries its own sha256, so that a changed fact is seen as well."""
    digest = hashlib.sha256(json.dumps(manifest).encode()).hexdigest()
    return json.dumps({**manifest, "sha256": digest}, indent=1) + "\n"


def _swap(temporary: Path, target: Path) -> None:
    """Rename; a folder in the way steps aside first, comes back if that fails, and goes when the new one stands."""
    aside = _beside(target, "old")
    try:
        if target.is_dir():
            os.rename(target, aside)
        os.rename(temporary, target)
    except BaseException:
        if aside.is_dir() and not target.exists():
            os.rename(aside, target)
        raise
    _sync_folder(target.parent)
    _discard(aside)


def verify(folder: Path | str) -> dict[str, Any]:
    """The manifest of a folder, after it and each file it names were held against size and sha256.

    Files that it does not name are no concern of it. A name, or a link, that leads out of the folder is refused.

    Raises:
        BadInput: `manifest_missing`, `manifest_broken`, `file_altered`, with the path.
    """
    root = Path(os.path.realpath(folder))
    path = root / MANIFEST
    if not path.is_file():
        raise BadInput("manifest_missing", path=str(folder))
    try:
        text = path.read_bytes().decode()
        manifest = json.loads(text)
        del manifest["sha256"]
        entries = {name: (entry["bytes"], entry["sha256"]) for name, entry in manifest["files"].items()}
        intact = _sealed(manifest) == text
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        intact = False
    if not intact:
        raise BadInput("manifest_broken", path=str(path))
    for name, entry in entries.items():
        if _entry(root, name) != entry:
            raise BadInput("file_altered", path=str(Path(folder, name)))
    return manifest


def _entry(root: Path, name: str) -> tuple[int, str] | None:
    """Size and sha256 of a file that really lies in the folder `root`; None where none does, or none can be read."""
    try:
        file, plain = Path(os.path.realpath(root / name)), not Path(name).is_absolute() and ".." not in Path(name).parts
        if plain and file.is_relative_to(root) and file.is_file():
            return file.stat().st_size, sha256(file)
    except (OSError, ValueError):
        pass
    return None


def sha256(path: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def retried(write: Callable[[], None], tries: int = 3, wait: float = 0.5) -> None:
    """Call `write`; on a `Failure` (a full disk, a network folder that blinks) try again, `tries` times in all.

    Waits `wait` seconds before the second try, twice as long before each further one.
    """
    for attempt in range(tries):
        try:
            return write()
        except Failure:
            if attempt == tries - 1:
                raise
            time.sleep(wait * 2**attempt)


def remove_leftovers(folder: Path | str) -> None:
    """Clear up after processes that died while writing into `folder`; what the living write stays.

    A folder that stood aside when its process died, with nothing yet in its place, gets its name back.
    """
    for path in sorted([*Path(folder).glob(".old-?*-*-*"), *Path(folder).glob(".tmp-?*-*-*")]):
        name, life, process = path.name.rsplit("-", 2)
        if not process.isdecimal() or _at_work(life, int(process)):
            continue
        target = path.with_name(name.split("-", 1)[1])
        if name.startswith(".old-") and not target.exists():
            with _told(target):
                os.rename(path, target)
        _discard(path)


def _at_work(life: str, process: int) -> bool:
    """Whether a process is alive, and (for our own id) not an earlier one that had the same id."""
    if process == os.getpid():
        return life.startswith(_LIFE)
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _discard(path: Path) -> None:
    """Remove a file, a link or a folder; where that fails, leave it."""
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Fsync a folder, where its file system knows how to."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
