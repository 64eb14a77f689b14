//! What the exhaustive core was, and what was seen of it, world by world.

use crate::campaign::{CoreTally, RuleTally, Tally};
use crate::generate::{Core, Exhaustive};
use crate::rule::Rule;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// One world's part of the exhaustive core.
#[derive(Serialize)]
pub(super) struct CorePart<'r> {
    world: &'r str,
    axes: Vec<AxisPart<'r>>,
    key_statuses: BTreeMap<&'static str, usize>,
    combinations: u64,
    folded: Vec<FoldPart>,
    distinct_tokens: usize,
    presentations: usize,
    rules: BTreeMap<&'static str, RulePart>,
    seen: crate::campaign::ClassTally,
}

#[derive(Serialize)]
struct AxisPart<'r> {
    name: &'static str,
    values: &'r [String],
}

#[derive(Serialize)]
struct FoldPart {
    by: &'static str,
    why: &'static str,
    count: u64,
}

/// What broke one rule alone: how many tokens, and what was seen each time one of them was presented.
#[derive(Serialize)]
struct RulePart {
    distinct_tokens: usize,
    #[serde(flatten)]
    presented: RuleTally,
}

/// For the result: the bound of each world and what was seen of it.
pub(super) fn parts<'r>(exhaustive: &'r Exhaustive, tally: &Tally) -> Vec<CorePart<'r>> {
    exhaustive.cores().iter().map(|core| part(core, seen_of(core, tally))).collect()
}

fn part(core: &Core, CoreTally { seen, rules, distinct }: CoreTally) -> CorePart<'_> {
    let tokens = |rule: &Rule| distinct.get(rule).map_or(0, BTreeSet::len);
    let rule =
        |(rule, presented): (Rule, RuleTally)| (rule.name(), RulePart { distinct_tokens: tokens(&rule), presented });
    CorePart {
        world: &core.world().name,
        axes: core.axes().iter().map(|axis| AxisPart { name: axis.name, values: &axis.values }).collect(),
        key_statuses: core.key_statuses().into_iter().collect(),
        combinations: core.combinations(),
        folded: core
            .folds()
            .iter()
            .map(|fold| FoldPart { by: fold.by.name(), why: fold.why, count: fold.count })
            .collect(),
        distinct_tokens: core.distinct_tokens(),
        presentations: core.presentations(),
        rules: rules.into_iter().map(rule).collect(),
        seen,
    }
}

fn seen_of(core: &Core, tally: &Tally) -> CoreTally {
    tally.cores.get(&core.world().name).cloned().unwrap_or_default()
}

/// The bound, for people: each world's axes, what folds, and how much is left.
pub(super) fn bound(exhaustive: &Exhaustive) -> String {
    let mut out = String::new();
    for core in exhaustive.cores() {
        let _ = writeln!(out, "exhaustive core of {}", core.world().name);
        for axis in core.axes() {
            let _ = writeln!(out, "  {:<28} {:>3}  {}", axis.name, axis.values.len(), axis.values.join(", "));
        }
        let statuses: Vec<_> = core.key_statuses().iter().map(|(status, count)| format!("{count} {status}")).collect();
        let _ = writeln!(out, "  {:<28}      {}", "as the world has its keys", statuses.join(", "));
        let _ = writeln!(out, "  {:>12}  combinations", core.combinations());
        for fold in core.folds() {
            let _ = writeln!(out, "  {:>12}  folded by {}: {}", fold.count, fold.by.name(), fold.why);
        }
        let _ = writeln!(out, "  {:>12}  tokens presented", core.presentations());
        let _ =
            writeln!(out, "  {:>12}  distinct tokens, with what keeps them fresh held fixed", core.distinct_tokens());
    }
    let tokens: usize = exhaustive.cores().iter().map(Core::distinct_tokens).sum();
    let _ = writeln!(out, "exhaustive core in all: {tokens} distinct tokens, presented {} times\n", exhaustive.len());
    out
}

/// What was seen of it.
pub(super) fn seen(exhaustive: &Exhaustive, tally: &Tally) -> String {
    let mut out = String::new();
    let mut in_all: BTreeMap<Rule, usize> = BTreeMap::new();
    for core in exhaustive.cores() {
        let CoreTally { seen, rules, distinct } = seen_of(core, tally);
        let _ = writeln!(
            out,
            "\n  exhaustive core of {}: {} presented; accepted {}, rejected for one rule* {}, for several {}, left open {}, \
             inconclusive {}, wrong {}, no answer {}",
            core.world().name,
            seen.presented,
            seen.accepted,
            seen.confirmed,
            seen.several,
            seen.open,
            seen.inconclusive + seen.no_twin,
            seen.wrong,
            seen.faults
        );
        for rule in Rule::ALL {
            let Some(counts) = rules.get(rule) else { continue };
            let tokens = distinct.get(rule).map_or(0, BTreeSet::len);
            *in_all.entry(*rule).or_default() += tokens;
            let _ = writeln!(
                out,
                "    {:<24} broken alone by {:>6} tokens, presented {:>6} times: rejected* {:>6}  accepted {:>6}  \
                 inconclusive {:>6}",
                rule.name(),
                tokens,
                counts.alone,
                counts.confirmed,
                counts.accepted,
                counts.inconclusive + counts.no_twin + counts.faults
            );
        }
        for (reason, count) in &seen.skipped {
            let _ = writeln!(out, "    skipped {count}: {}", crate::finding::tame(reason, 300));
        }
    }
    let each: Vec<_> = in_all.iter().map(|(rule, tokens)| format!("{} {tokens}", rule.name())).collect();
    if !each.is_empty() {
        let _ =
            writeln!(out, "\n  distinct tokens of the exhaustive core that broke one rule alone: {}", each.join(", "));
    }
    out
}
