#!/usr/bin/env bash
# A command that the README gives, run as it stands there: of-readme.sh COMMAND
set -euo pipefail
cd "$(dirname "$0")/.."

grep -qxF -- "$1" README.md || {
    echo "README.md has no line \`$1\`" >&2
    exit 2
}
bash -c "$1"
