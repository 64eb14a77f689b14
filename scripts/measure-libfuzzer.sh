#!/usr/bin/env bash
# How many executions libFuzzer needs, from an empty corpus, until the target `scenario` crashes:
#   measure-libfuzzer.sh [VALIDATOR [RUNS]]   on the incident, in one validator (default: jsonwebtoken-pooled, 11 runs)
#   measure-libfuzzer.sh --flaws [RUNS]       on each validator that is known to be wrong: the median of so many runs (5) of
#                                             each, and how many are found within 20,000 executions
set -euo pipefail
cd "$(dirname "$0")/.."

export RUSTC_BOOTSTRAP=1 RUST_BACKTRACE=0
bound=20000

cargo fuzz build scenario -s none
host=$(rustc -vV | sed -n 's/^host: //p')
target=$(cargo metadata --format-version 1 --no-deps | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
program=$target/$host/release/scenario
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# One search, its log in the file named first: prints the executions until the crash, or a dash where it ended without one.
search() {
    local log=$1 corpus status=0
    corpus=$(mktemp -d -p "$scratch")
    "$program" "${@:2}" -print_final_stats=1 "-artifact_prefix=$corpus-" "$corpus" >"$log" 2>&1 || status=$?
    rm -rf "$corpus" "$corpus"-*
    # libFuzzer ends with 0 where it found nothing, and with 70 or 77 where an input hung or crashed.
    case $status in
        0) echo - ;;
        70 | 77) sed -n 's/^stat::number_of_executed_units: *//p; s/^#\([0-9]*\).*DONE.*/\1/p' "$log" | head -n 1 ;;
        *) cat "$log" >&2 && return 1 ;;
    esac
}

# The middle of the numbers on standard input; a dash is more than any number.
median() {
    sed 's/^-$/999999999/' | sort -n | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }' | sed 's/^999999999$/-/'
}

# The median of so many searches for one flaw, and all of them.
flaw() {
    local name=$1 runs=$2 seed counts=()
    for seed in $(seq 1 "$runs"); do
        counts+=("$(WRONGKEY_FUZZ_VALIDATOR=$name search "$scratch/$name.log" "-seed=$seed" "-runs=$bound" -timeout=2)")
    done
    echo "$name: median $(printf '%s\n' "${counts[@]}" | median) (${counts[*]})"
}

if [[ ${1:-} == --flaws ]]; then
    runs=${2:-5}
    # Whatever such a validator answers wrongly is its one mistake, so that any crash counts. Each has a folder of its own
    # but for the one that gives no wrong answer.
    for folder in corpus/regressions/flawed-*/; do
        while (($(jobs -rp | wc -l) >= $(nproc))); do
            wait -n
        done
        name=$(basename "$folder")
        flaw "$name" "$runs" >"$scratch/$name.median" &
    done
    wait
    cat "$scratch"/*.median
    all=$(cat "$scratch"/*.median | wc -l)
    short=$(cat "$scratch"/*.median | grep -c ': median - ' || true)
    echo "$((all - short)) of $all flaws ($(((all - short) * 100 / all)) %) within $bound executions, median of $runs runs (target: at least 90 %)"
    exit
fi

validator=${1:-jsonwebtoken-pooled}
runs=${2:-11}
# Only what breaks this rule alone counts: a validator may have other flaws, which would be found first.
rule=KeyBelongsToIssuer
export WRONGKEY_FUZZ_VALIDATOR=$validator WRONGKEY_FUZZ_RULE=$rule

counts=()
for seed in $(seq 1 "$runs"); do
    start=$(date +%s%N)
    count=$(search "$scratch/log" "-seed=$seed" -max_total_time=600)
    if [[ $count == - ]]; then
        echo "seed $seed: nothing found in 600 s" >&2
        exit 1
    fi
    took=$((($(date +%s%N) - start) / 1000000))
    blamed=$(sed -n "s/^thread '<unnamed>' panicked at '\([A-Za-z+-]*\): .*/\1/p" "$scratch/log" | head -n 1)
    echo "seed $seed: $count executions, $took ms, $blamed"
    counts+=("$count")
done
printf '%s\n' "${counts[@]}" | sort -n | awk -v name="$validator" -v rule="$rule" \
    '{ all[NR] = $1 } END { print name ", " rule ": median " all[int((NR + 1) / 2)] " of " NR " runs, least " all[1] ", most " all[NR] }'
