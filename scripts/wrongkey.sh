#!/usr/bin/env bash
# Runs the program as a job does: wrongkey.sh NAME ARGUMENT… Findings are in wrongkey-jobs/NAME, the result is
# wrongkey-jobs/NAME.json, and the exit code is the program's own, explained.
set -euo pipefail
cd "$(dirname "$0")/.."

name=$1
shift
mkdir -p wrongkey-jobs
code=0
cargo build --locked --release || code=2
if ((code == 0)); then
    folder=$(cargo metadata --format-version 1 --no-deps | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
    "$folder/release/wrongkey" "$@" --out "wrongkey-jobs/$name" --report "json=wrongkey-jobs/$name.json" || code=$?
fi
scripts/explain-exit.sh "$code" "$name"
exit "$code"
