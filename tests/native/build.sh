#!/bin/sh
# Builds one program of the Python-free tests and prints where it is:
#   tests/native/build.sh PRESET TARGET
# PRESET is one of CMakePresets.json; everything ends up in build/native/PRESET.
set -eu
cd "$(dirname "$0")"
preset=$1 target=$2
out=../../build/native/$preset

# `make test` has one in .venv.
cmake=${CMAKE:-../../.venv/bin/cmake}
[ -x "$cmake" ] || cmake=cmake
mkdir -p "$out"
# What CMake says matters only if it fails; the compilers' warnings always do.
"$cmake" --preset "$preset" >"$out/configure.log" || { cat "$out/configure.log"; exit 1; } >&2
"$cmake" --build "$out" --target "$target" --parallel "$(getconf _NPROCESSORS_ONLN)" >"$out/build.log" ||
    { tail -n 40 "$out/build.log"; exit 1; } >&2
find "$(cd "$out" && pwd)" -name "$target" -type f -perm -u+x
