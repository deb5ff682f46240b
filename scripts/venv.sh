# Sourced by the scripts beside it: makes .venv in the project's folder and installs flagctl into it.
# `prepare run` installs what flagctl needs, `prepare test` what its tests need too. Afterwards $python
# is the interpreter to use. Nothing happens when it was done before and nothing changed since.
# shellcheck shell=bash

project=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
venv=$project/.venv
python=$venv/bin/python
# Without compiled files every start of Python takes several times as long.
unset PYTHONDONTWRITEBYTECODE
# What pip's own settings may ask for and a virtual environment can't give.
unset PIP_USER PIP_TARGET PIP_PREFIX

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "error: $1"
    shift
    for line in "$@"; do say "hint: $line"; done
    exit 1
}

# The first Python on the PATH that is new enough.
find_python() {
    local name
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    fail "flagctl needs Python 3.11 or newer and finds none" "on Debian 12 or newer: apt-get install python3 python3-venv"
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif ! command -v sudo >/dev/null; then
        return 1
    elif [ -t 0 ]; then
        sudo "$@"
    else
        sudo -n "$@" 2>/dev/null
    fi
}

# Whether Debian's packages could be installed; says nothing when not.
apt_install() {
    command -v apt-get >/dev/null || return 1
    {
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y "$@" ||
            { as_root apt-get update -qq && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y "$@"; }
    } >/dev/null 2>&1 </dev/null
}

# A program that tests start. $1: its name; $2: Debian's package that brings it.
need_program() {
    if command -v "$1" >/dev/null; then return; fi
    say "flagctl: installing $2, which the tests need for $1 ..."
    apt_install "$2" || true
    command -v "$1" >/dev/null || fail "the tests need $1 and find none" "as root: apt-get install $2"
}

# Debian's Python lacks ensurepip, without which a virtual environment has no pip, until python3-venv is there.
need_ensurepip() {
    "$1" -c 'import ensurepip' 2>/dev/null && return
    say "flagctl: installing python3-venv, which this Python needs for virtual environments ..."
    apt_install python3-venv || true
    "$1" -c 'import ensurepip' 2>/dev/null ||
        fail "$1 can't make virtual environments: it has no ensurepip" "as root: apt-get install python3-venv"
}

# $1: the Python to build on.
make_venv() {
    need_ensurepip "$1"
    say "flagctl: making a virtual environment in .venv ..."
    "$1" -m venv --clear "$venv" || fail "$1 could not make $venv" "remove that folder and try again"
}

install() {
    local packages=(--editable "$project")
    if [ "$1" = test ]; then
        # Not pip's --group: pips older than 25.1, Debian 12's among them, do not know it.
        "$python" - "$project/pyproject.toml" >"$venv/dev-requirements.txt" <<'PYTHON'
import sys, tomllib

with open(sys.argv[1], "rb") as file:
    print(*tomllib.load(file)["dependency-groups"]["dev"], sep="\n")
PYTHON
        packages+=(--requirement "$venv/dev-requirements.txt")
    fi
    say "flagctl: installing into .venv, only this once; it may take a minute ..."
    "$python" -m pip install --quiet --disable-pip-version-check "${packages[@]}" ||
        fail "pip could not install flagctl" "what it said stands above; once that is mended, run this again"
}

prepare() {
    local base wanted
    base=$(find_python)
    wanted="$("$base" -VV | tr '\n' ' ')$(cksum <"$project/pyproject.toml") $project"
    if [ "$(cat "$venv/.installed-$1" 2>/dev/null)" = "$wanted" ] && "$python" -c 'import flagctl' 2>/dev/null; then
        return
    fi
    # Another Python than last time, or half of one: begin anew rather than mend.
    if [ "$("$python" -VV 2>/dev/null)" != "$("$base" -VV)" ] || ! "$python" -m pip --version >/dev/null 2>&1; then
        make_venv "$base"
    fi
    rm -f "$venv"/.installed-*
    install "$1"
    printf '%s\n' "$wanted" >"$venv/.installed-run"
    if [ "$1" = test ]; then cp "$venv/.installed-run" "$venv/.installed-test"; fi
}
