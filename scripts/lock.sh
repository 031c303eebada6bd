#!/usr/bin/env bash
# Pin every dependency of every extra in constraints.txt, for all Pythons and systems.
set -euo pipefail
cd "$(dirname "$0")/.."
echo "torch==2.13.0" | uv pip compile --universal --python-version 3.11 pyproject.toml \
  --all-extras --no-header --no-annotate --quiet --constraint - |
  grep -v -E '^(nvidia-|cuda-|triton)' >constraints.new
{
  echo "# Every dependency, pinned; made by \`make lock\`. torch's GPU packages are left to pip."
  cat constraints.new
} >constraints.txt
rm constraints.new
