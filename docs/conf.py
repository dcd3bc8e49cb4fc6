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
    "PYTHONWARNINGS": "ignore:IProgress not found",  # of a progress bar in a notebook; nothing here shows one
    "REGARD_LANG": "en",
    "JUPYTER_PREFER_ENV_PATH": "1",
    "JUPYTER_PLATFORM_DIRS": "1",
    "JUPYTER_CONFIG_DIR": str(OUT / "jupyter"),
    "IPYTHONDIR": str(OUT / "jupyter"),
}

profile = OUT / "jupyter/profile_default"
profile.mkdir(parents=True, exist_ok=True)
(profile / "ipython_kernel_config.py").write_text("c.IPKernelApp.log_level = 40\nc.HistoryManager.enabled = False\n")

project = "regard"
author = "The regard developers"
project_copyright = author
release = version = __version__
language = "en"

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon"]
extensions += ["myst_nb", "mathml", "chinese", "alone", "nearby", "commands", "signatures"]
exclude_patterns = ["extensions", "images"]
suppress_warnings = ["config.cache", "ref.python"]  # two rooms may each have a class of one name
nitpicky = True

myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 4
html_math_renderer = "mathml"

# Docstrings put code between single backticks. Their types are words, not links.
default_role = "code"
nitpick_ignore_regex = [("py:.*", ".*")]
autodoc_member_order = "bysource"
maximum_signature_line_length = 80
napoleon_use_rtype = False
add_module_names = False

nb_execution_mode = "force"
nb_execution_show_tb = True
nb_execution_timeout = 180
nb_merge_streams = True
nb_code_prompt_show = "Show the code"
nb_code_prompt_hide = "Hide the code"
nb_output_stderr = "error"

html_theme = "furo"
html_title = "regard"
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False

logging.getLogger("traitlets").setLevel(logging.WARNING)
