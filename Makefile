# The one door. Each target makes what it needs by itself: a private environment in .venv, once.
.DEFAULT_GOAL := help
.PHONY: help run test check docs bench compare constraints

# Settings of the user's own shell must not reach the project's Python.
unexport PYTHONPATH PYTHONHOME PYTHONOPTIMIZE PYTHONWARNINGS MYPYPATH
export HF_HUB_OFFLINE := 1

# TEXT may hold quotes, $ and spaces: it reaches the program through the environment, and make never expands it.
TEXT ?= the black cat ate the mouse
unexport TEXT
run: export REGARD_TEXT = $(value TEXT)

# ready holds the folder it was made for: a moved or broken environment is made again.
ready := .venv/ready
made_for := $(shell .venv/bin/python -c pass 2>/dev/null && cat $(ready) 2>/dev/null)
ifneq ("$(made_for)","$(CURDIR)")
.PHONY: $(ready)
endif

$(ready): pyproject.toml constraints.txt
	@sh tools/environment.sh

help:
	@echo 'make run     translate "the black cat ate the mouse" and show where the model looked (TEXT="…" for your own)'
	@echo 'make test    the tests (ARGS="-k masks" for some)'
	@echo 'make check   format, lint, types, docs, tests: what CI runs'
	@echo 'make docs    the pages, every guide run: out/docs/index.html'
	@echo 'make bench   the measurements behind every claim of speed or quality (ARGS="throughput" for one)'
	@echo 'make compare every attention and the Transformer in the same time (hours; goes on where it was stopped)'

run: $(ready)
	@mkdir -p out
	@.venv/bin/regard translate --text --picture - --picture out/alignment.html --picture out/alignment.png -- "$$REGARD_TEXT"
	@echo
	@echo 'The picture: out/alignment.html (open it in a browser) and out/alignment.png. Next:'
	@echo '  make run TEXT="She sold her old red car."   a sentence of your own'
	@echo '  .venv/bin/regard explain returns            one attention by hand, every number in view'
	@echo '  .venv/bin/regard --help                     what else there is'

test: $(ready)
	@.venv/bin/python -m pytest -n 2 --dist worksteal -q $(ARGS)

check: $(ready)
	@.venv/bin/python -m ruff format --check .
	@.venv/bin/python -m ruff check .
	@.venv/bin/python -m mypy
	@$(MAKE) --no-print-directory docs
	@$(MAKE) --no-print-directory test

# Nothing of an earlier build stays, so each guide runs each time. A warning is an error.
docs: $(ready)
	@rm -rf out/docs out/doctrees out/jupyter_execute
	@.venv/bin/python -m sphinx -q -W --keep-going -j 2 -d out/doctrees docs out/docs
	@echo 'The pages: out/docs/index.html'

bench: $(ready)
	@.venv/bin/python benchmarks $(ARGS)

compare: $(ready)
	@.venv/bin/python benchmarks/comparison.py $(ARGS)

# After a change of dependencies: writes down the versions that are installed here (run it when the tests have passed).
constraints: $(ready)
	@{ echo '# Versions that the tests passed with. `pip install -c constraints.txt .` gives the same.'; \
	.venv/bin/python -m pip freeze --exclude-editable | grep '==' | sed 's/+[^ ]*$$//'; } > constraints.new
	@mv constraints.new constraints.txt
