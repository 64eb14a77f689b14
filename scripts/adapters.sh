#!/usr/bin/env bash
# Judges the adapters for real: adapters.sh [LANGUAGE…], every language without one. An adapter that binds keys to issuers must
# come out clean, with what adapters/adapters.toml excuses; its pooled form must be found out. A language that is not here is
# skipped, but not with CI=true.
set -euo pipefail
cd "$(dirname "$0")/.."

config=adapters/adapters.toml
out=$PWD/wrongkey-out/adapters

# of NAME MEMBER: what the configuration says, without its quotes.
of() {
    awk -v head="[validators.$1]" -v member="$2 = " \
        '/^\[/ { here = $0 == head } here && index($0, member) == 1 { print substr($0, length(member) + 1) }' "$config" |
        sed 's/^"\(.*\)"$/\1/'
}

# Judges one, and says on one line what came of it.
judge() {
    local name=$1 start=$SECONDS code=0 expected=0 worded=clean exec world arguments=()
    exec=$(of "$name" exec)
    for world in $(of "$name" world | tr -d '[]",'); do
        arguments+=(--world "$world")
    done
    if [[ $name == *-pooled ]]; then
        expected=1
        worded='found out'
        arguments+=(--only KeyBelongsToIssuer)
    fi
    (cd adapters && "$program" test --exec "$exec" --config adapters.toml "${arguments[@]}" --jobs 1 --out "$out/$name" \
        --report "json=$out/$name.json") >"$out/$name.txt" 2>&1 || code=$?
    if ((code != expected)); then
        printf '%-24s FAILED: exit %d, not %d\n' "$name" "$code" "$expected"
        tail -n 60 "$out/$name.txt"
    elif ((expected == 1)) && ! compgen -G "$out/$name/findings/*.false-accept.KeyBelongsToIssuer.*.json" >/dev/null; then
        printf '%-24s FAILED: nothing about KeyBelongsToIssuer was found\n' "$name"
    else
        printf '%-24s %-12s %3d s\n' "$name" "$worded" $((SECONDS - start))
        touch "$out/$name.held"
    fi
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
(($#)) || languages=(python node go java ruby perl)
names=()
for language in "${languages[@]}"; do
    if adapters/install.sh "$language"; then
        # The validators whose set-up is that language's.
        mapfile -t -O "${#names[@]}" names < <(
            awk -v setup="setup = \"./install.sh $language\"" \
                '/^\[validators\./ { gsub(/^\[validators\.|\]$/, ""); name = $0 } $0 == setup { print name }' "$config"
        )
    elif [[ ${CI:-} == true ]]; then
        exit 1
    fi
done
if ((${#names[@]} == 0)); then
    echo "no adapter can be judged here"
    exit
fi
printf '%s\n' "${names[@]}" | xargs -P 2 -n 1 scripts/adapters.sh --judge
held=$(compgen -G "$out/*.held" | wc -l)
printf '%d passed, %d failed\n' "$held" $((${#names[@]} - held))
((held == ${#names[@]}))
