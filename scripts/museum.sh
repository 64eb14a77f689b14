#!/usr/bin/env bash
# Installs every release of tests/museum/museum.toml with its ecosystem's own client and tells each vulnerable one from the
# fixed one: museum.sh [ROW…]. Needs python3, npm and cargo; a row whose tools are missing is skipped, but not with CI=true.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --locked --release
folder=$(cargo metadata --format-version 1 --no-deps | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
WRONGKEY="$folder/release/wrongkey" MUSEUM_ROWS="$*" \
    cargo test --quiet --locked --test museum -- --nocapture --test-threads 1
