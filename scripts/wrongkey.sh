#!/usr/bin/env bash
# Runs the program as a job does: wrongkey.sh NAME ARGUMENT… Findings are in wrongkey-out/NAME, the result is
# wrongkey-out/NAME.json, and the exit code is the program's own, explained.
set -euo pipefail
cd "$(dirname "$0")/.."

name=$1
shift
mkdir -p wrongkey-out
code=0
cargo build --locked --release || code=2
if ((code == 0)); then
    folder=$(cargo metadata --format-version 1 --no-deps | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
    "$folder/release/wrongkey" "$@" --out "wrongkey-out/$name" --report "json=wrongkey-out/$name.json" || code=$?
fi
scripts/explain-exit.sh "$code" "$name"
exit "$code"
