#!/usr/bin/env bash
# Judges the adapters for real: adapters.sh [LANGUAGE…], every language without one. An adapter that binds keys to issuers must
# come out clean, with what adapters/adapters.toml excuses; its pooled form must be found out. A language that is not here is
# skipped, but not with CI=true.
set -euo pipefail
cd "$(dirname "$0")/.."

config=adapters/adapters.toml
out=$PWD/wrongkey-jobs/adapters

# Judges one, and says on one line what came of it.
judge() {
    local name=$1 start=$SECONDS code=0 expected=0 worded=clean arguments=()
    if [[ $name == *-pooled ]]; then
        expected=1
        worded='found out'
        arguments=(--only KeyBelongsToIssuer)
    fi
    "$program" test "$name" --config "$config" "${arguments[@]}" --jobs 1 --out "$out/$name" \
        --report "json=$out/$name.json" >"$out/$name.txt" 2>&1 || code=$?
    if ((code != expected)); then
        printf '%-26s FAILED: exit %d, not %d\n' "$name" "$code" "$expected"
        tail -n 60 "$out/$name.txt"
    elif ((expected == 1)) && ! found_out "$name"; then
        printf '%-26s FAILED: no key of another trusted issuer was accepted\n' "$name"
    else
        printf '%-26s %-12s %3d s\n' "$name" "$worded" $((SECONDS - start))
        touch "$out/$name.held"
    fi
}

# Whether what it is there for was found in a pooled one: it takes one trusted issuer's key for another's token.
found_out() {
    compgen -G "$out/$1/findings/$1.false-accept.KeyBelongsToIssuer.*.other-trusted.json" >/dev/null
}

if [[ ${1:-} == --judge ]]; then
    judge "$2"
    exit
fi

cargo build --locked --release
folder=$(cargo metadata --format-version 1 --no-deps | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
export program=$folder/release/wrongkey
mkdir -p "$out"
rm -f "$out"/*.held

languages=("$@")
(($#)) || mapfile -t languages < <(adapters/install.sh --list)
listed=$("$program" list validators --config "$config" | grep -F "  $config:")
names=()
for language in "${languages[@]}"; do
    if adapters/install.sh "$language"; then
        # Those whose command line names something in the language's folder.
        while read -r name _ _ line; do
            [[ $line != *"$language/"* ]] || names+=("$name")
        done <<<"$listed"
    elif [[ ${CI:-} == true ]]; then
        exit 1
    fi
done
if ((${#names[@]} == 0)); then
    echo "no adapter can be judged here"
    exit
fi
if (($# == 0)) && [[ ${CI:-} == true ]] && ((${#names[@]} != $(wc -l <<<"$listed"))); then
    echo "$config names validators that belong to none of: ${languages[*]}"
    exit 1
fi
printf '%s\n' "${names[@]}" | xargs -P 2 -n 1 scripts/adapters.sh --judge
held=$(compgen -G "$out/*.held" | wc -l)
printf '%d passed, %d failed\n' "$held" $((${#names[@]} - held))
((held == ${#names[@]}))
