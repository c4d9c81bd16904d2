#!/bin/sh
# Make the virtual environment VENV with PYTHON, or bring it up to date if it is SOUND (see the Makefile, which calls this).
# The file .ready is written last: without it the next run starts afresh.
set -eu

stop() {
    echo "superpos: $*" >&2
    exit 1
}

command -v "$PYTHON" >/dev/null 2>&1 ||
    stop "there is no '$PYTHON'. Install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3"
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    stop "$("$PYTHON" -V) is too old: Python 3.11 or newer is needed. Name one with: make PYTHON=python3.11"
"$PYTHON" -c 'import venv, ensurepip' 2>/dev/null ||
    stop "this Python has no venv module. On Debian or Ubuntu: apt-get install python3-venv"

# An environment that is whole is brought up to date; any other is made anew.
if [ "$SOUND" != yes ]; then
    # Nothing is removed that was not made here: the file .superpos is written first, and says so.
    if [ -e "$VENV" ] && [ ! -e "$VENV/.superpos" ] && [ ! -e "$VENV/.ready" ] && [ -n "$(ls -A "$VENV")" ]; then
        stop "VENV is $VENV; there are files in it, and no set-up has made it. Remove it, or give another VENV"
    fi
    echo "Making the environment $VENV (a few minutes, once) …"
    rm -rf "$VENV"
    mkdir -p "$VENV" && : >"$VENV/.superpos" || stop "the folder $VENV could not be made"
    "$PYTHON" -m venv "$VENV" || stop "the virtual environment $VENV could not be made; see the message above"
fi
rm -f "$VENV/.ready"

export PIP_DISABLE_PIP_VERSION_CHECK=1
"$VENV/bin/python" -m pip install -qq --retries 5 --requirement requirements.txt &&
    "$VENV/bin/python" -m pip install -qq --no-deps --no-build-isolation --editable . ||
    stop "a package could not be downloaded or installed; see the message above. Check the network connection and run the same command again"
pwd >"$VENV/.ready"
