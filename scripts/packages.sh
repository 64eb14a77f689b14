#!/usr/bin/env bash
# Installs packages of Debian or Ubuntu, where they are not there yet: packages.sh NAME…
set -euo pipefail

missing=()
for package in "$@"; do
    dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
done
if ((${#missing[@]})); then
    root=()
    ((EUID == 0)) || root=(sudo)
    "${root[@]}" apt-get update
    "${root[@]}" apt-get install -y --no-install-recommends "${missing[@]}"
fi
