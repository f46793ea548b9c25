#!/bin/sh
# Builds the fuzzers and runs them: of the decoders and execute(), on tests/assets and the files of seeds.py, and of the
# writer and the encoder, on pictures that they make up:
#   tests/fuzz/run.sh mutations|libfuzzer SECONDS [SEED]
# mutations: any compiler; the same seed gives the same inputs. Writer and encoder have a third of the time, in C++ and,
# without sanitizers, in Python. libfuzzer: the decoders alone; clang; learns from coverage, and keeps what it learnt in
# build/native/corpus. What breaks something is kept in build/native/failures.
set -eu
cd "$(dirname "$0")/../.."
kind=$1 seconds=$2 seed=${3:-0}

python=.venv/bin/python
[ -x "$python" ] || python=python3
native=build/native
mkdir -p $native/failures
"$python" tests/fuzz/seeds.py $native/seeds
files="$(ls tests/assets/*.jpg tests/assets/*.mpo $native/seeds/*.jpg)"

# An input of a few kB has no business with more memory than this.
export ASAN_OPTIONS=max_allocation_size_mb=64:hard_rss_limit_mb=768:quarantine_size_mb=16:detect_leaks=1:handle_abort=1
export UBSAN_OPTIONS=print_stacktrace=1:abort_on_error=1
case $kind in
mutations)
    fuzz=$(tests/native/build.sh asan fuzz)
    writer=$(tests/native/build.sh asan writer_asan)
    encoder=$(tests/native/build.sh asan encoder_asan)
    "$writer" --inputs 1000000 --seconds $((seconds / 6)) --seed "$seed"
    "$encoder" --inputs 1000000 --seconds $((seconds / 12)) --seed "$seed"
    OMP_NUM_THREADS=1 "$python" tests/fuzz/writing.py --inputs 1000000 --seconds $((seconds / 12)) --seed "$seed"
    seconds=$((seconds - seconds / 6 - 2 * (seconds / 12)))
    # shellcheck disable=SC2086
    "$fuzz" --seconds "$seconds" --seed "$seed" --failures $native/failures $files
    ;;
libfuzzer)
    command -v clang++ >/dev/null || { echo "make libfuzzer needs clang++; make fuzz does not."; exit 1; }
    fuzz=$(tests/native/build.sh libfuzzer libfuzzer)
    driver=$(tests/native/build.sh libfuzzer fuzz)
    # shellcheck disable=SC2086
    "$driver" --corpus $native/corpus $files
    "$fuzz" -max_total_time="$seconds" -max_len=16384 -timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=64 \
        -artifact_prefix=$native/failures/ -print_final_stats=1 $native/corpus
    ;;
esac
