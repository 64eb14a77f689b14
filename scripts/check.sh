#!/usr/bin/env bash
# What can be said of the source without running it: check.sh format|clippy|library|documentation|dependencies
set -euo pipefail
cd "$(dirname "$0")/.."

case "${1:-}" in
format) cargo fmt --all --check ;;
clippy) cargo clippy --locked --workspace --all-targets --all-features -- -D warnings ;;
library) cargo clippy --locked --lib --no-default-features -- -D warnings ;;
documentation) RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps ;;
dependencies) cargo deny --locked --workspace --all-features check bans licenses sources ;;
*)
    sed -n '2s/^# //p' "$0" >&2
    exit 2
    ;;
esac
