#!/usr/bin/env bash
# What an exit code of `wrongkey` or of `fuzz.sh` means for whoever reads the job: explain-exit.sh CODE WHAT…
# On GitHub it is also an annotation, whose title says whether something was found or the job broke.
set -euo pipefail

code=$1
shift
case $code in
0) title="clean" text="nothing was found" ;;
1) title="found something" text="a validator gave a wrong answer; the artifacts hold the findings" ;;
2) title="the job broke" text="a file, an option or the build is wrong; nothing is said of any validator" ;;
3) title="inconclusive" text="honest tokens were refused, the sensitivity control was not found, or a rule has no evidence" ;;
4) title="found faults" text="a validator crashed or hung, and gave no wrong answer; the artifacts hold the findings" ;;
5) title="stale waiver" text="a waiver excuses nothing any more: take it out of wrongkey.toml" ;;
70) title="the job broke" text="this is a bug of wrongkey's own; please report it with the lines above" ;;
130) title="interrupted" text="somebody or a time limit ended it; what was done is kept" ;;
*) title="the job broke" text="it ended with $code, which is no exit code of ours" ;;
esac
echo "$*: $title (exit $code): $text" >&2
if [[ -n ${GITHUB_ACTIONS:-} && $code != 0 ]]; then
    echo "::error title=$*%3A $title::exit $code: $text"
fi
if [[ -n ${GITHUB_STEP_SUMMARY:-} ]]; then
    echo "- $*: **$title** (exit $code): $text" >>"$GITHUB_STEP_SUMMARY"
fi
