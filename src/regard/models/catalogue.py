"""The models that come with the package: each a folder under `bundled/`, in the layout of any other."""

from importlib.resources import files
from pathlib import Path

from regard.core.errors import BadInput
from regard.core.nearest import nearest
from regard.models.folder import CONFIG

BEST = "best"


def names() -> list[str]:
    """The names of the bundled models."""
    return sorted(path.name for path in _shelf().iterdir() if (path / CONFIG).is_file()) if _shelf().is_dir() else []


def find(name: str) -> Path:
    """The folder of a bundled name, of a model folder, or of a training run (its best model).

    Raises:
        BadInput: `unknown_model`: neither; offers the nearest bundled name.
    """
    if name in names():
        return _shelf() / name
    path = Path(name)
    for folder in (path, path / BEST):
        if (folder / CONFIG).is_file():
            return folder
    if path.exists():
        raise BadInput("no_model_folder", path=name)
    raise BadInput("unknown_model", name=name, nearest=nearest(name, names()), names=", ".join(names()))


def _shelf() -> Path:
    return Path(str(files(__package__))) / "bundled"
