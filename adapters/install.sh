#!/usr/bin/env bash
# Installs what the adapters of these languages need, by the languages' own clients or as packages of Debian: install.sh
# [LANGUAGE…], all of them without one; `install.sh --list` names them. Quick when nothing is to do. Where a tool is missing it
# says so, goes on with the next language and ends with exit 1; with CI=true it ends at once.
set -euo pipefail
cd "$(dirname "$0")"

# up_to_date FILE STAMP: whether what the file pins was installed already.
up_to_date() {
    [[ -f $2 ]] && cmp -s "$1" "$2"
}

python() {
    needs python3 || return 0
    up_to_date python/requirements.txt python/.venv/installed && return
    python3 -m venv --clear python/.venv
    python/.venv/bin/pip install --quiet --disable-pip-version-check --requirement python/requirements.txt
    cp python/requirements.txt python/.venv/installed
}

node() {
    needs node && needs npm || return 0
    up_to_date node/package-lock.json node/node_modules/installed && return
    (cd node && npm ci --silent --no-audit --no-fund)
    cp node/package-lock.json node/node_modules/installed
}

go() {
    needs go || return 0
    (cd go && command go build -o bin/ ./cmd/...)
}

java() {
    needs java && needs mvn || return 0
    [[ -d java/target/lib && -z $(find java/pom.xml java/src -newer java/target/lib) ]] && return
    mvn --quiet --batch-mode -Dstyle.color=never --file java/pom.xml package
    touch java/target/lib
}

ruby() {
    needs apt-get || return 0
    ../scripts/packages.sh ruby ruby-jwt
}

perl() {
    needs apt-get || return 0
    ../scripts/packages.sh libcrypt-jwt-perl libjson-perl
}

rust() {
    needs cargo || return 0
    # Where the configuration looks for it, wherever else cargo builds.
    cargo build --quiet --locked --release --manifest-path rust/Cargo.toml --target-dir rust/target
}

# needs TOOL: says so where it is not there.
needs() {
    [[ -z $(type -P "$1") ]] || return 0
    echo "${FUNCNAME[1]}: skipped, there is no $1 here" >&2
    [[ ${CI:-} != true ]] || exit 1
    skipped=1
    return 1
}

languages=(python node go java ruby perl rust)
skipped=0
if [[ ${1:-} == --list ]]; then
    printf '%s\n' "${languages[@]}"
    exit
fi
for language in "${@:-${languages[@]}}"; do
    case " ${languages[*]} " in
        *" $language "*) "$language" ;;
        *)
            echo "there are no adapters in $language: ${languages[*]}" >&2
            exit 2
            ;;
    esac
done
exit "$skipped"
