#!/usr/bin/env bash
# variants.sh BIN: let this machine act as several. What is promised to the last bit (tests marked
# `bits`) runs with two threads and by the kernels of other processors; what trains large products
# (marked `bf16`) as on one with bf16. A variable that this processor has no use for is ignored.
set -euo pipefail
bin=$1
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
export OMP_WAIT_POLICY=passive # Both halves below want the cores.

variant() { # variant MARKER NAME=VALUE...: run the tests of a marker under some variables
  local marker=$1 files
  shift
  mapfile -t files < <(grep -rlE "mark\.$marker\b" tests)
  echo "== $marker: $*"
  env "$@" "$bin/pytest" -q -m "$marker" -p no:cacheprovider "${files[@]}"
}

two_threads() {
  variant bits OMP_NUM_THREADS=2 ONEDNN_DEFAULT_FPMATH_MODE=BF16 || return 1
  variant bits OMP_NUM_THREADS=2 ANCESTRAL_BF16=0 ATEN_CPU_CAPABILITY=avx2 \
    ONEDNN_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2
}

one_thread() {
  variant bits OMP_NUM_THREADS=1 ANCESTRAL_BF16=0 ATEN_CPU_CAPABILITY=default \
    ONEDNN_MAX_CPU_ISA=SSE41 MKL_ENABLE_INSTRUCTIONS=SSE4_2 MKL_CBWR=COMPATIBLE || return 1
  variant bf16 OMP_NUM_THREADS=1 ANCESTRAL_BF16=1
}

one_thread >"$logs/one" 2>&1 &
two_threads || { wait; cat "$logs/one"; exit 1; }
wait $! || { cat "$logs/one"; exit 1; }
cat "$logs/one"
