#!/bin/sh
# Builds the fuzzer (gcc or clang, ASan + UBSan) into build/fuzz and runs it on tests/assets.
#   tests/fuzz/run.sh [MUTATIONS [SEED [MORE FILES...]]]
set -eu
cd "$(dirname "$0")/../.."
mutations=${1:-20000}
seed=${2:-0}
[ $# -gt 2 ] && shift 2 || shift $#

out=build/fuzz
mkdir -p "$out"
cxx=${CXX:-g++}
flags="-std=c++20 -O1 -g -Wall -Wextra -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"
link=
for source in freqlearn/csrc/*.cpp tests/fuzz/*.cpp; do
    [ "$source" = freqlearn/csrc/bindings.cpp ] && continue
    object=$out/$(basename "$source" .cpp).o
    # Older than any source or header: compile.
    if [ ! -e "$object" ] || [ -n "$(find "$source" freqlearn/csrc/*.hpp tests/fuzz/*.hpp tests/fuzz/run.sh -newer "$object")" ]; then
        $cxx $flags -Ifreqlearn/csrc -c "$source" -o "$object"
    fi
    link="$link $object"
done
$cxx $flags $link -o "$out/fuzz"

# A mutant of a file of 1 kB has no business with more memory than this.
ASAN_OPTIONS=max_allocation_size_mb=64:hard_rss_limit_mb=512:quarantine_size_mb=16:detect_leaks=1 \
UBSAN_OPTIONS=print_stacktrace=1 \
    "$out/fuzz" --mutations "$mutations" --seed "$seed" tests/assets/*.jpg tests/assets/*.mpo "$@"
