#!/usr/bin/env bash
# Old releases with published advisories, each beside the release that fixed it, judged by the general catalogue: the former must
# show a finding of the origin in its row, the latter none. Nothing of what is judged knows the package or the advisory.
set -euo pipefail
cd "$(dirname "$0")/.."

old=$PWD/tests/museum/old
out=$PWD/wrongkey-out/museum

# advisory, package, vulnerable, fixed, world, party, origin, program; {at} is where a release is installed.
rows() {
    cat <<'ROWS'
CVE-2024-53861|PyJWT|2.10.0|2.10.1|rotation|lax|IssuerTrusted.*|{at}/bin/python adapters/python/pyjwt_adapter.py
CVE-2022-29217|PyJWT|2.3.0|2.4.0|symmetric||*KeyBelongsToIssuer*.public-text|{at}/bin/python tests/museum/keys_as_text.py
CVE-2015-9235|jsonwebtoken|4.1.0|4.2.2|symmetric||*KeyBelongsToIssuer*.public-text|node tests/museum/keys_as_text.mjs {at}
ROWS
}

# install PACKAGE VERSION: where it is, on one line.
install() {
    local at=$old/$1-$2
    if [[ ! -e $at/installed ]]; then
        rm -rf "$at"
        if [[ $1 == PyJWT ]]; then
            python3 -m venv "$at" >&2
            # With the version of cryptography that the adapters have.
            "$at/bin/pip" install --quiet --disable-pip-version-check "$1==$2" "$(grep '^cryptography==' adapters/python/requirements.txt)" >&2
        else
            mkdir -p "$at"
            npm install --silent --no-audit --no-fund --prefix "$at" "$1@$2" >&2
        fi
        touch "$at/installed"
    fi
    printf '%s\n' "$at"
}

# shows PROGRAM WORLD PARTY ORIGIN NAME: whether a finding of that origin is there. Anything but findings, or none, ends the whole.
shows() {
    local arguments=(--world "$2") code=0
    [[ -z $3 ]] || arguments+=(--party "$3")
    "$program" test --exec "$1" "${arguments[@]}" --jobs 1 --out "$out/$5" >"$out/$5.txt" 2>&1 || code=$?
    if ((code != 0 && code != 1)); then
        tail -n 40 "$out/$5.txt"
        echo "$5: exit $code"
        exit 1
    fi
    compgen -G "$out/$5/findings/*.false-accept.$4.json" >/dev/null
}

cargo build --locked --release
folder=$(cargo metadata --format-version 1 --no-deps | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
program=$folder/release/wrongkey
mkdir -p "$out" "$old"

for tool in python3 node npm; do
    if [[ -z $(type -P "$tool") ]]; then
        echo "skipped, there is no $tool here"
        [[ ${CI:-} != true ]] || exit 1
        exit
    fi
done

failed=0
passed=0
while IFS='|' read -r advisory package vulnerable fixed world party origin line; do
    for version in "$vulnerable" "$fixed"; do
        at=$(install "$package" "$version")
        answer=clean
        if shows "${line//\{at\}/$at}" "$world" "$party" "$origin" "$package-$version"; then answer='found out'; fi
        expected=clean
        [[ $version == "$fixed" ]] || expected='found out'
        printf '%-16s %-14s %-8s %s\n' "$advisory" "$package" "$version" "$answer"
        if [[ $answer == "$expected" ]]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
    done
done < <(rows)
printf '%d passed, %d failed\n' "$passed" "$failed"
((failed == 0 && passed > 0))
