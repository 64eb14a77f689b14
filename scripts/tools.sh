#!/usr/bin/env bash
# Installs programs of crates.io in the versions that are named, where they are not there yet: tools.sh NAME@VERSION…
set -euo pipefail

for tool in "$@"; do
    name=${tool%@*}
    wanted=${tool#*@}
    found=$(cargo "${name#cargo-}" --version 2>/dev/null | sed -n 's/^[^ ]* \([0-9.]*\).*/\1/p' || true)
    if [[ $(printf '%s\n' "$wanted" "${found:-0}" | sort -V | tail -n 1) == "${found:-0}" ]]; then
        echo "$name $found is there"
        continue
    fi
    # A tool that runs for a second need not be optimised for minutes.
    CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
        cargo install --locked --force "$tool"
done
