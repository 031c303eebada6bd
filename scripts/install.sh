#!/usr/bin/env bash
# install.sh BIN TARGET: install the library (TARGET: "." or ".[extra]") in the environment BIN.
# torch goes first, so that no other package pulls a build of several gigabytes.
set -euo pipefail
bin=$1 target=$2
pip=("$bin/python" -m pip install --quiet --disable-pip-version-check)
torch=$(grep -E '^torch==' constraints.txt)

has_torch() { "$bin/python" -c "import importlib.metadata as m; m.version('torch')" 2>/dev/null; }
wants_cpu_build() {
  [ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] && ! command -v nvidia-smi >/dev/null 2>&1
}

if ! has_torch; then
  echo "Installing $torch ..."
  if ! wants_cpu_build; then
    "${pip[@]}" "$torch"
  elif ! "${pip[@]}" "$torch+cpu" 2>/dev/null; then
    "${pip[@]}" "$torch" ${TORCH_INDEX:+--index-url "$TORCH_INDEX"}
  fi
fi
echo "Installing ancestral ($target) ..."
"${pip[@]}" -e "$target" -c constraints.txt 2>&1 | grep -v '^WARNING: Location' || true
"$bin/python" -c "import ancestral"
