#!/usr/bin/env bash
# The fuzz targets, on stable Rust and with no sanitizer.
#   fuzz.sh build                 builds all of them at once
#   fuzz.sh run TARGET SECONDS    searches; ends with 1 where something was found, with 2 where the run itself broke
#   fuzz.sh cmin TARGET           makes the machine-made corpus as small as it can be, or leaves it as it was and ends with 2
# What the machine makes is in fuzz/corpus/TARGET, which git ignores; libFuzzer writes into the first folder only, so the
# reviewed seeds come second. What was found is in fuzz/artifacts/TARGET. Limits are in fuzz/options, words in
# fuzz/dictionaries, both named by the target.
set -euo pipefail
cd "$(dirname "$0")/.."
export RUSTC_BOOTSTRAP=1

# libFuzzer's exit codes for a crash, a time-out and too much memory; cargo fuzz would make 1 of them and of all others.
crash=77
hang=70
memory=71

broke() {
    echo "fuzz.sh: $*" >&2
    scripts/explain-exit.sh 2 "fuzz ${target:-}"
    exit 2
}

program() {
    local host folder
    host=$(rustc -vV | sed -n 's/^host: //p')
    folder=$(cargo metadata --format-version 1 --no-deps | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
    echo "$folder/$host/release/$target"
}

seeds() {
    if [[ $target == scenario ]]; then echo corpus; else echo "fuzz/seeds/$target"; fi
}

# The lines `name = value` of the options as libFuzzer takes them.
options() {
    sed -n 's/^\([a-z_]*\) = \(.*\)$/-\1=\2/p' "fuzz/options/$target.options"
}

run() {
    local seconds=$1 code=0 log
    mkdir -p "fuzz/corpus/$target" "fuzz/artifacts/$target"
    log=$scratch/log
    "$(program)" "fuzz/corpus/$target" "$(seeds)" "-dict=fuzz/dictionaries/$target.dict" $(options) \
        "-artifact_prefix=fuzz/artifacts/$target/" "-max_total_time=$seconds" -print_final_stats=1 2>&1 | tee "$log" ||
        code=${PIPESTATUS[0]}
    case $code in
    0) ;;
    "$crash" | "$hang" | "$memory")
        echo "fuzz.sh: $target found something: the input is in fuzz/artifacts/$target" >&2
        scripts/explain-exit.sh 1 "fuzz $target"
        exit 1
        ;;
    *) broke "$target ended with $code" ;;
    esac
    grep -q '^stat::number_of_executed_units: *[1-9]' "$log" || broke "$target executed nothing"
    # Of a validator that accepts nothing, nothing is shown by what it refuses.
    if [[ $target == token ]]; then
        grep -q '^at the end: ' "$log" || broke "token does not say what was accepted"
        ! grep '^at the end: ' "$log" | grep -E 'accepted 0 of' || broke "a validator accepted nothing"
    fi
}

# How many places of the program the inputs of a folder reach; fails where one of them is no good.
coverage() {
    local log=$scratch/coverage
    "$(program)" -runs=0 $(options) "-artifact_prefix=$scratch/" "$1" >"$log" 2>&1 || return 1
    sed -n 's/^#[0-9]*[[:space:]]*INITED cov: \([0-9]*\) .*/\1/p' "$log" | grep .
}

count() {
    find "$1" -type f | wc -l
}

cmin() {
    local folder=fuzz/corpus/$target before after had kept=$scratch/kept why=
    [[ -d $folder && $(count "$folder") -gt 0 ]] || broke "$folder is empty: fuzz.sh run $target SECONDS"
    cp -r "$folder" "$kept"
    had=$(count "$folder")
    before=$(coverage "$folder") || broke "$folder does not replay"
    # It ends with 0 when it failed, so what came of it is looked at. Hash maps draw their seeds anew in each process, so
    # that the same inputs reach some places in one run and not in the next: one in two hundred may be missing.
    cargo fuzz cmin -s none "$target" "$folder" -- $(options) || why="cargo fuzz cmin ended with $?"
    after=0
    if [[ -z $why ]]; then
        if [[ ! -d $folder || $(count "$folder") == 0 ]]; then
            why="nothing is left"
        elif (($(count "$folder") > had)); then
            why="it has grown"
        elif ! after=$(coverage "$folder"); then
            why="it does not replay any more"
        elif ((after * 200 < before * 199)); then
            why="it reaches $after places, and reached $before"
        fi
    fi
    if [[ -n $why ]]; then
        rm -rf "$folder"
        cp -r "$kept" "$folder"
        broke "cmin of $target: $why; the corpus is as it was"
    fi
    echo "$folder: $had inputs before, $(count "$folder") now; places reached: $before before, $after now"
}

usage() {
    sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
target=${2:-}
if [[ -n $target && ! -f fuzz/fuzz_targets/$target.rs ]]; then
    broke "there is no target $target"
fi
case "${1:-} $#" in
"build 1") cargo fuzz build -s none || broke "the targets do not build" ;;
"run 3") run "$3" ;;
"cmin 2") cmin ;;
*) usage ;;
esac
