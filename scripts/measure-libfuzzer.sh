#!/usr/bin/env bash
# How many executions libFuzzer needs, from an empty corpus, until the target `scenario` crashes on the incident:
# measure-libfuzzer.sh [VALIDATOR [RUNS]]
set -euo pipefail
cd "$(dirname "$0")/.."

validator=${1:-jsonwebtoken-pooled}
runs=${2:-11}
# Only what breaks this rule alone counts: a validator may have other flaws, which would be found first.
rule=KeyBelongsToIssuer
export WRONGKEY_FUZZ_VALIDATOR=$validator WRONGKEY_FUZZ_RULE=$rule RUSTC_BOOTSTRAP=1 RUST_BACKTRACE=0

cargo fuzz build scenario -s none
host=$(rustc -vV | sed -n 's/^host: //p')
target=$(cargo metadata --format-version 1 --no-deps | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
program=$target/$host/release/scenario
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

counts=()
for seed in $(seq 1 "$runs"); do
    corpus=$scratch/corpus-$seed
    mkdir "$corpus"
    log=$scratch/log-$seed
    start=$(date +%s%N)
    if "$program" "-seed=$seed" -max_total_time=600 -print_final_stats=1 "-artifact_prefix=$scratch/" "$corpus" \
        >"$log" 2>&1; then
        echo "seed $seed: nothing found in 600 s" >&2
        exit 1
    fi
    took=$((($(date +%s%N) - start) / 1000000))
    count=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    blamed=$(sed -n "s/^thread '<unnamed>' panicked at '\([A-Za-z+-]*\): .*/\1/p" "$log" | head -n 1)
    echo "seed $seed: $count executions, $took ms, $blamed"
    counts+=("$count")
done
printf '%s\n' "${counts[@]}" | sort -n | awk -v name="$validator" -v rule="$rule" \
    '{ all[NR] = $1 } END { print name ", " rule ": median " all[int((NR + 1) / 2)] " of " NR " runs, least " all[1] ", most " all[NR] }'
