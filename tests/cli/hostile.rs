//! A validator that prints escape sequences, HTML and megabytes: none of it reaches a report unescaped or unbounded.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use wrongkey::campaign::{Plan, Progress, Selection, Stream, run};
use wrongkey::config::Config;
use wrongkey::jose::{NumericDate, Token};
use wrongkey::judgement::{Exit, judge};
use wrongkey::policy::TrustPolicy;
use wrongkey::report::{Control, Judged, Run, json, text};
use wrongkey::rule::Severity;
use wrongkey::validator::{Clock, Configured, Description, Fault, Identity, Maker, Validator, Verdict};
use wrongkey::world::{DEFAULT_SEED, World};

/// Clears the screen, sets the title, writes from right to left, and goes on for a megabyte.
fn evil() -> String {
    format!("\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}\r\n<script>{}", "A".repeat(1 << 20))
}

/// Which of its answers are evil.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum By {
    Accepting,
    Rejecting,
    Skipping,
    Breaking,
    Panicking,
    NotBeingConfigured,
    BreakingWhenConfigured,
}

struct Evil(By);

impl Validator for Evil {
    fn describe(&self) -> Description {
        Description::new(evil(), evil(), Clock::Settable)
    }

    fn configure(&mut self, _: &TrustPolicy) -> Result<Configured, Fault> {
        match self.0 {
            By::NotBeingConfigured => Ok(Configured::Skip(evil())),
            By::BreakingWhenConfigured => Err(Fault::Broken(evil())),
            _ => Ok(Configured::Ready),
        }
    }

    fn validate(&mut self, _: &Token, _: NumericDate) -> Result<Verdict, Fault> {
        match self.0 {
            By::Accepting => Ok(Verdict::Accept {
                identity: Some(Identity {
                    iss: Some(evil()),
                    sub: Some(evil()),
                    tenant: Some(evil()),
                    audience: Some(vec![evil(), evil()]),
                }),
                key: Some(evil()),
            }),
            By::Rejecting => Ok(Verdict::Reject(evil())),
            By::Skipping => Ok(Verdict::Skip(evil())),
            By::Panicking => panic!("{}", evil()),
            _ => Err(Fault::Broken(evil())),
        }
    }
}

#[test]
fn nothing_that_a_validator_prints_reaches_a_report_unescaped_or_unbounded() {
    wrongkey::campaign::quiet_panics();
    let worlds = vec![World::shipped("two-issuers", DEFAULT_SEED).unwrap()];
    let classes = Arc::new(|class: &wrongkey::generate::Class| ["KS-01", "TM-01", "ST-01"].contains(&class.id));
    let selection = Selection { parties: vec!["api".to_owned()], key_sources: Vec::new(), classes };
    let now = NumericDate(1_790_000_000);
    let outcome_of = |by: By| {
        let stream = Arc::new(Stream::new(&worlds, &selection, Vec::new(), 0, 0));
        let timeout = Duration::from_secs(5);
        let plan = Plan { worlds: worlds.clone(), stream, now, jobs: 1, timeout, max_findings: 200 };
        let maker: Maker = Arc::new(move || Box::new(Evil(by)));
        run(&plan, &maker, &Arc::new(Progress::default()), &mut || {}).unwrap()
    };
    for by in [
        By::Accepting,
        By::Rejecting,
        By::Skipping,
        By::Breaking,
        By::Panicking,
        By::NotBeingConfigured,
        By::BreakingWhenConfigured,
    ] {
        let outcome = outcome_of(by);
        let control =
            Control { found: outcome.findings.first().cloned(), outcome: outcome.clone(), after: None, tried: true };
        let judgement = judge(&outcome, &Config::default(), Severity::Low, now);
        let run = Run {
            exhaustive: wrongkey::generate::Exhaustive::default(),
            now,
            seed: 0,
            worlds: worlds.clone(),
            unsigned: BTreeSet::new(),
            stored: wrongkey::report::Stored::default(),
            config: Config::default(),
            control: Some(control),
            validators: vec![Judged { outcome, judgement }],
            stale_waivers: Vec::new(),
            exit: Exit::Findings,
            forgiven: false,
            out: Some("out".to_owned()),
        };
        let styled = text::render(&run, true, false);
        let plain = anstream::adapter::strip_str(&styled).to_string();
        // What is left after our own styles are taken off would be the validator's.
        for escape in ['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}', '\r'] {
            assert!(!plain.contains(escape), "{by:?}: {escape:?}");
        }
        let ours = ["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[2m", "\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m"];
        let mut rest = styled.clone();
        for style in ours {
            rest = rest.replace(style, "");
        }
        assert!(!rest.contains('\u{1b}'), "{by:?}: a sequence that is none of our styles");
        let document = json::render(&run);
        for (what, text) in [("text", &plain), ("json", &document)] {
            assert!(!text.contains(&"A".repeat(5_000)), "{by:?}: {what} is not bounded");
            assert!(text.len() < 1 << 20, "{by:?}: {what} of {} octets", text.len());
            assert!(!text.contains(['\u{9b}', '\u{202e}', '\u{1b}']), "{by:?}: {what}");
        }
        serde_json::from_str::<serde_json::Value>(&document).unwrap();
        for judged in &run.validators {
            for finding in &judged.outcome.findings {
                let file = serde_json::to_string(finding).unwrap();
                assert!(file.len() < 1 << 17 && !file.contains(['\u{9b}', '\u{202e}']), "{by:?}");
                assert!(wrongkey::finding::file_name(&finding.origin).len() < 255);
            }
        }
    }
}
