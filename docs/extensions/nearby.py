"""The kernels that run the guides are reached through files of this machine: no port is opened, not even to itself."""

import shutil
import tempfile
import weakref
from functools import partial
from pathlib import Path

from jupyter_cache.executors import utils
from jupyter_client.manager import AsyncKernelManager
from sphinx.application import Sphinx
from traitlets import default


class Nearby(AsyncKernelManager):
    """Starts a kernel whose sockets lie in a folder of their own: a short and absolute path."""

    @default("transport")
    def _transport_default(self) -> str:
        return "ipc"

    @default("ip")
    def _ip_default(self) -> str:
        folder = tempfile.mkdtemp(prefix="regard-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return str(Path(folder, "kernel"))


def setup(app: Sphinx) -> dict[str, bool]:
    utils.executenb = partial(utils.executenb, kernel_manager_class=Nearby)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
