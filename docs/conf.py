"""How the pages are built: Sphinx, MyST-NB, furo. Every guide is run, and nothing is fetched from anywhere."""

import logging
import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
OUT = HERE.parent / "out"
sys.path.insert(0, str(HERE / "extensions"))

from regard.version import __version__  # noqa: E402

# What the guides' kernels inherit: this environment's Python, the bundled models, nobody's own settings.
os.environ |= {
    "HF_HUB_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
    "REGARD_LANG": "en",
    "JUPYTER_PREFER_ENV_PATH": "1",
    "JUPYTER_PLATFORM_DIRS": "1",
    "JUPYTER_CONFIG_DIR": str(OUT / "jupyter"),
    "IPYTHONDIR": str(OUT / "jupyter"),
}

project = "regard"
author = "The regard developers"
project_copyright = author
release = version = __version__
language = "en"

extensions = ["myst_nb", "mathml", "chinese", "alone"]
exclude_patterns = ["extensions", "images"]
suppress_warnings = ["config.cache"]
nitpicky = True

myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 4
html_math_renderer = "mathml"

nb_execution_mode = "force"
nb_execution_show_tb = True
nb_execution_timeout = 180
nb_merge_streams = True
nb_output_stderr = "error"

html_theme = "furo"
html_title = "regard"
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False

logging.getLogger("traitlets").setLevel(logging.WARNING)
