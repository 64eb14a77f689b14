//! The harness judged on validators whose mistake is known: it finds each one, shrinks it to the scenario that was written down
//! beforehand, blames nothing else, and finds nothing where nothing is wrong.

mod common;

#[path = "flaws/answers.rs"]
mod answers;
#[path = "flaws/sound.rs"]
mod sound;
#[path = "flaws/table.rs"]
mod table;

use common::{NOW, shared_worlds};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, LazyLock, Once, OnceLock};
use std::time::Duration;
use table::{ROWS, Row};
use wrongkey::campaign::{Outcome, Plan, Progress, Selection, Stream, quiet_panics, run};
use wrongkey::finding::Finding;
use wrongkey::rule::Rule;
use wrongkey::scenario::Scenario;
use wrongkey::validator::Maker;
use wrongkey::validator::flawed::{self, Flaw};
use wrongkey::world::World;

/// Far beyond what any call takes that returns at all.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a validator may stand still that is known to.
const SHORT_PATIENCE: Duration = Duration::from_millis(400);

static CATALOGUE: LazyLock<Arc<Stream>> = LazyLock::new(|| Arc::new(stream(&Selection::default(), 0)));

/// Worlds and their catalogue.
type Grounds = (Vec<Arc<World>>, Arc<Stream>);

/// The worlds in which flaws are looked for, by the one where a flaw is written down: two that have something for every
/// rule, and that one. The sound validators go through all of them.
static WORLDS_OF_FLAWS: LazyLock<BTreeMap<String, Grounds>> = LazyLock::new(|| {
    let of = |name: &String| {
        let wanted = |world: &Arc<World>| ["storm-0558", "two-issuers", name.as_str()].contains(&world.name.as_str());
        let worlds: Vec<_> = shared_worlds().into_iter().filter(wanted).collect();
        let stream = Stream::new(&worlds, &Selection::default(), Vec::new(), 0, 0);
        (name.clone(), (worlds, Arc::new(stream)))
    };
    ROWS.iter().map(|row| of(&written_down(row).world)).collect()
});

fn stream(selection: &Selection, random: usize) -> Stream {
    Stream::new(&shared_worlds(), selection, Vec::new(), random, 0)
}

fn plan(stream: &Arc<Stream>, jobs: usize, timeout: Duration) -> Plan {
    Plan { worlds: shared_worlds(), stream: Arc::clone(stream), now: NOW, jobs, timeout, max_findings: 200 }
}

/// A campaign in which panics of validators are kept off the terminal.
fn campaign(maker: &Maker, plan: &Plan) -> Outcome {
    static QUIET: Once = Once::new();
    QUIET.call_once(quiet_panics);
    run(plan, maker, &Arc::new(Progress::default()), &mut || {}).unwrap_or_else(|error| panic!("{error}"))
}

/// What the catalogue showed of a flaw; each is tried once.
fn outcome(flaw: Flaw) -> &'static Outcome {
    static OUTCOMES: LazyLock<BTreeMap<Flaw, OnceLock<Outcome>>> =
        LazyLock::new(|| Flaw::ALL.iter().map(|flaw| (*flaw, OnceLock::new())).collect());
    OUTCOMES[&flaw].get_or_init(|| {
        // One worker, so that it is always the same token at which the patience ends.
        let hangs = flaw == Flaw::HangsOnExpired;
        let (jobs, timeout) = if hangs { (1, SHORT_PATIENCE) } else { (2, PATIENCE) };
        let row = ROWS.iter().find(|row| row.flaw == flaw);
        let world = row.map_or_else(|| "two-issuers".to_owned(), |row| written_down(row).world);
        let (worlds, stream) = &WORLDS_OF_FLAWS[&world];
        let plan = Plan { worlds: worlds.clone(), ..plan(stream, jobs, timeout) };
        campaign(&flawed::maker(Some(flaw)), &plan)
    })
}

fn described(findings: &[Finding]) -> String {
    let line = |finding: &Finding| format!("{}\n{}", finding.origin, finding.scenario.to_json());
    findings.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn written_down(row: &Row) -> Scenario {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(row.path());
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Scenario::from_json(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_flaw_that_gives_a_wrong_answer_has_a_row_and_each_rule_is_the_only_one_that_some_flaw_breaks() {
    let rows: BTreeSet<Flaw> = ROWS.iter().map(|row| row.flaw).collect();
    let missing: Vec<_> = Flaw::ALL.iter().filter(|flaw| !rows.contains(flaw)).collect();
    assert_eq!(missing, [&Flaw::RefusesNoKid]);
    assert_eq!(rows.len(), ROWS.len(), "a flaw stands twice");
    let unbroken: Vec<_> = Rule::ALL.iter().filter(|rule| !ROWS.iter().any(|row| row.rules == [**rule])).collect();
    // None of these fetches anything; tests/fetching.rs has those that do.
    assert_eq!(unbroken, [&Rule::UrlNotFetched], "no flaw shows that these are asked");
}

#[test]
fn each_flaw_is_found_and_shrunk_to_the_scenario_that_was_written_down_beforehand() {
    let mut wrong = Vec::new();
    for row in ROWS {
        let outcome = outcome(row.flaw);
        let blamed: BTreeSet<Rule> = row.rules.iter().copied().collect();
        let of_row = |finding: &&Finding| finding.kind == row.kind && finding.rules == blamed;
        let wanted = written_down(row);
        match outcome.findings.iter().filter(of_row).find(|finding| finding.scenario == wanted) {
            Some(finding) if finding.reproduced && finding.count > 0 => {}
            Some(_) => wrong.push(format!("{}: not reproduced", row.flaw.name())),
            None => wrong.push(format!(
                "{}: no finding with exactly the scenario\n{}but\n{}",
                row.path(),
                wanted.to_json(),
                described(&outcome.findings)
            )),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_finding_of_a_flaw_blames_what_the_flaw_does_not_explain() {
    for row in ROWS {
        for finding in &outcome(row.flaw).findings {
            let explained = finding.kind == row.kind || row.other_kinds.contains(&finding.kind);
            assert!(explained, "{} is a {}", finding.origin, finding.kind.name());
            let unexplained: Vec<_> = finding
                .rules
                .iter()
                .filter(|rule| !row.rules.contains(rule) && !row.other_rules.contains(rule))
                .collect();
            assert!(
                unexplained.is_empty(),
                "{} blames {unexplained:?}\n{}",
                finding.origin,
                finding.scenario.to_json()
            );
        }
    }
}

#[test]
fn every_finding_of_every_flaw_recurs_alone() {
    for row in ROWS {
        for finding in &outcome(row.flaw).findings {
            assert!(finding.reproduced, "{}\n{}", finding.origin, finding.scenario.to_json());
        }
    }
}

#[test]
fn every_false_accept_of_a_flaw_names_the_lawful_twin() {
    for row in ROWS.iter().filter(|row| row.flaw != Flaw::AcceptAll) {
        for finding in outcome(row.flaw).findings.iter().filter(|f| f.kind == wrongkey::finding::Kind::FalseAccept) {
            assert!(finding.twin.is_some(), "{}\n{}", finding.origin, finding.scenario.to_json());
        }
    }
}

#[test]
fn the_whole_catalogue_can_be_played() {
    for flaw in Flaw::ALL {
        assert!(outcome(*flaw).unplayable.is_empty(), "{}: {:?}", flaw.name(), outcome(*flaw).unplayable);
    }
}
