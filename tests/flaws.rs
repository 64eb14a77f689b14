//! The harness judged on validators whose mistake is known: it finds each one, shrinks it to a scenario that was written down
//! beforehand, blames nothing else, and finds nothing where nothing is wrong.

mod common;
#[path = "flaws/table.rs"]
mod table;

use common::{NOW, shared_worlds};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Duration;
use table::{ROWS, Row};
use wrongkey::campaign::{Outcome, Plan, Progress, Selection, Stream, quiet_panics, run};
use wrongkey::finding::Finding;
use wrongkey::scenario::Scenario;
use wrongkey::validator::Maker;
use wrongkey::validator::flawed::{self, Flaw};

static CATALOGUE: LazyLock<Arc<Stream>> =
    LazyLock::new(|| Arc::new(Stream::new(&shared_worlds(), &Selection::default(), Vec::new(), 0, 0)));

/// The catalogue against a validator.
fn campaign(maker: &Maker, stream: &Arc<Stream>, jobs: usize) -> Outcome {
    static QUIET: OnceLock<()> = OnceLock::new();
    QUIET.get_or_init(quiet_panics);
    let plan = Plan {
        worlds: shared_worlds(),
        stream: Arc::clone(stream),
        now: NOW,
        jobs,
        timeout: Duration::from_millis(5_000),
        max_findings: 200,
    };
    let (plan, progress) = (plan, Arc::new(Progress::default()));
    run(&plan, maker, &progress, &mut || {}).unwrap_or_else(|error| panic!("{error}"))
}

/// One campaign against each flaw.
fn outcome(flaw: Flaw) -> Outcome {
    campaign(&flawed::maker(Some(flaw)), &CATALOGUE, 2)
}

#[test]
fn probe() {
    for row in ROWS {
        let Row { flaw, kind, rules, file, further } = row;
        if *flaw == Flaw::HangsOnExpired {
            continue;
        }
        let outcome = outcome(*flaw);
        let rules: BTreeSet<_> = rules.iter().copied().collect();
        let path = format!("corpus/regressions/flawed-{}/{file}.json", flaw.name());
        let text = std::fs::read(&path).unwrap_or_default();
        let wanted = Scenario::from_json(&text);
        let of: Vec<_> = outcome.findings.iter().filter(|f| f.kind == *kind && f.rules == rules).collect();
        let hit = wanted.as_ref().is_ok_and(|wanted| of.iter().any(|f| f.scenario == *wanted));
        println!(
            "{} {:?} {} findings in {:?}: {}",
            if hit { "ok  " } else { "MISS" },
            flaw,
            outcome.findings.len(),
            outcome.duration,
            wanted.err().map(|e| e.to_string()).unwrap_or_default()
        );
        for f in &outcome.findings {
            if *flaw == Flaw::AcceptAll && hit {
                break;
            }
            println!(
                "      {} x{} {} {}",
                f.origin,
                f.count,
                f.reproduced,
                serde_json::to_string(&f.scenario).unwrap()
            );
        }
    }
}
