"""The kernels that run the guides are reached through files of this machine: no port is opened, not even to itself."""

import tempfile
from functools import partial
from pathlib import Path
from uuid import uuid4

from jupyter_cache.executors import utils
from jupyter_client.manager import AsyncKernelManager
from sphinx.application import Sphinx
from traitlets import default

PATIENCE = 300  # seconds until a kernel has started, on a machine that is busy with other things


class Nearby(AsyncKernelManager):
    """Starts a kernel whose sockets lie in `folder`, under a name of its own: a short and absolute path."""

    folder = ""

    @default("transport")
    def _transport_default(self) -> str:
        return "ipc"

    @default("ip")
    def _ip_default(self) -> str:
        return str(Path(self.folder, uuid4().hex[:8]))


def setup(app: Sphinx) -> dict[str, bool]:
    sockets = tempfile.TemporaryDirectory(prefix="regard-")
    Nearby.folder = sockets.name
    utils.executenb = partial(utils.executenb, kernel_manager_class=Nearby, startup_timeout=PATIENCE)
    app.connect("build-finished", lambda app, fault: sockets.cleanup())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
