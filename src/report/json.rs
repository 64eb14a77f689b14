//! The result as JSON, for pipelines. The form has a version, and members are only ever added to one.

use super::{Control, Judged, Run, exhaustive};
use crate::campaign::{BaselineFailure, Cell, ClassTally, ConductTally, Hunted, RuleTally};
use crate::finding::Finding;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The version of this form.
pub const VERSION: u8 = 1;

#[derive(Serialize)]
struct Document<'r> {
    result: u8,
    wrongkey: &'static str,
    exit: u8,
    now: i64,
    seed: u64,
    worlds: Vec<WorldLine<'r>>,
    issuers_without_private_key: Vec<String>,
    stored: StoredPart<'r>,
    waived_critical: Vec<&'r str>,
    sensitivity_control: Option<ControlPart<'r>>,
    validators: Vec<ValidatorPart<'r>>,
    stale_waivers: Vec<&'r str>,
}

#[derive(Serialize)]
struct WorldLine<'r> {
    name: &'r str,
    digest: &'r str,
    seed: u64,
}

#[derive(Serialize)]
struct StoredPart<'r> {
    replayed: u64,
    skipped: &'r BTreeMap<String, u64>,
}

#[derive(Serialize)]
struct HuntedPart {
    scenarios: u64,
    generations: u64,
    leads: u64,
}

#[derive(Serialize)]
struct ControlPart<'r> {
    validator: &'r str,
    version: &'r str,
    tried: bool,
    found: Option<&'r Finding>,
    after_scenarios: Option<usize>,
}

#[derive(Serialize)]
struct ValidatorPart<'r> {
    name: &'r str,
    version: &'r str,
    exits: Vec<u8>,
    duration_ms: u128,
    hunted: Option<HuntedPart>,
    presented: u64,
    baseline: Baseline<'r>,
    rules: BTreeMap<&'static str, RuleTally>,
    conduct: BTreeMap<&'static str, ConductTally>,
    classes: &'r BTreeMap<String, ClassTally>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    exhaustive: Vec<exhaustive::CorePart<'r>>,
    matrix: Vec<MatrixLine<'r>>,
    open: Open,
    faults: u64,
    /// Faults that no single token caused.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    unattributed_faults: &'r [String],
    identity_not_observable: u64,
    sites_skipped: &'r BTreeMap<String, String>,
    inconclusive: &'r [String],
    not_tried: BTreeMap<&'static str, &'r BTreeSet<String>>,
    unplayable: &'r [(String, String)],
    findings: Vec<FindingPart<'r>>,
    findings_beyond_the_bound: usize,
}

#[derive(Serialize)]
struct Baseline<'r> {
    held: bool,
    accepted: u64,
    failures: &'r [BaselineFailure],
}

#[derive(Serialize)]
struct Open {
    accepted: u64,
    rejected: u64,
}

#[derive(Serialize)]
struct MatrixLine<'r> {
    world: &'r str,
    signer: &'r str,
    claimed: &'r str,
    #[serde(flatten)]
    cell: Cell,
}

#[derive(Serialize)]
struct FindingPart<'r> {
    #[serde(flatten)]
    finding: &'r Finding,
    waived: Option<&'r str>,
}

/// The result as one JSON document with a final newline.
#[must_use]
pub fn render(run: &Run) -> String {
    let document = Document {
        result: VERSION,
        wrongkey: env!("CARGO_PKG_VERSION"),
        exit: run.exit.code(),
        now: run.now.0,
        seed: run.seed,
        worlds: run.worlds.iter().map(|w| WorldLine { name: &w.name, digest: &w.digest, seed: w.seed }).collect(),
        issuers_without_private_key: run.unsigned.iter().map(|(world, issuer)| format!("{world} {issuer}")).collect(),
        stored: StoredPart { replayed: run.stored.replayed, skipped: &run.stored.skipped },
        waived_critical: run.waived_critical().map(|waiver| waiver.text.as_str()).collect(),
        sensitivity_control: run.control.as_ref().map(|Control { outcome, found, after, tried }| ControlPart {
            validator: &outcome.description.name,
            version: &outcome.description.version,
            tried: *tried,
            found: found.as_ref(),
            after_scenarios: *after,
        }),
        validators: run.validators.iter().map(|judged| part(run, judged)).collect(),
        stale_waivers: run.stale_waivers.iter().map(|&index| run.config.waivers[index].text.as_str()).collect(),
    };
    // Only maps with non-text keys or failing writers make serde_json fail; this has neither.
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}

fn part<'r>(run: &'r Run, judged: &'r Judged) -> ValidatorPart<'r> {
    let Judged { outcome, judgement } = judged;
    let tally = &outcome.tally;
    let waived = |index: usize| {
        let excuse = judgement.waived.iter().find(|(finding, _)| *finding == index);
        excuse.map(|&(_, waiver)| run.config.waivers[waiver].reason.as_str())
    };
    ValidatorPart {
        name: &outcome.description.name,
        version: &outcome.description.version,
        exits: judgement.exits.iter().map(|exit| exit.code()).collect(),
        duration_ms: outcome.duration.as_millis(),
        hunted: outcome.hunted.map(|Hunted { scenarios, generations, leads }| HuntedPart {
            scenarios,
            generations,
            leads,
        }),
        presented: tally.presented,
        baseline: Baseline {
            held: tally.baseline_held(),
            accepted: tally.baseline_accepted,
            failures: &tally.baseline_failures,
        },
        rules: tally.rules.iter().map(|(rule, tally)| (rule.name(), *tally)).collect(),
        conduct: tally.conduct.iter().map(|(rule, tally)| (rule.name(), *tally)).collect(),
        classes: &tally.classes,
        exhaustive: exhaustive::parts(&run.exhaustive, tally),
        matrix: tally
            .matrix
            .iter()
            .flat_map(|(world, cells)| {
                cells.iter().map(move |((signer, claimed), cell)| MatrixLine { world, signer, claimed, cell: *cell })
            })
            .collect(),
        open: Open { accepted: tally.open.0, rejected: tally.open.1 },
        faults: tally.faults,
        unattributed_faults: &tally.mishaps,
        identity_not_observable: tally.unidentified,
        sites_skipped: &tally.sites_skipped,
        inconclusive: &judgement.inconclusive,
        not_tried: judgement.not_tried.iter().map(|(rule, reasons)| (rule.name(), reasons)).collect(),
        unplayable: &outcome.unplayable,
        findings_beyond_the_bound: outcome.findings_beyond,
        findings: outcome
            .findings
            .iter()
            .enumerate()
            .map(|(index, finding)| FindingPart { finding, waived: waived(index) })
            .collect(),
    }
}
