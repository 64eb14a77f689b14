//! Replay: the same token again.

use super::Class;
use crate::generate::acts::the_same_again;
use crate::generate::site::Site;
use crate::policy::Replay;
use crate::rule::Rule;
use crate::scenario::{Present, Scenario, Span, Step};

pub(super) const CLASSES: &[Class] = &[Class {
    id: "RX-01",
    title: "A token that was accepted comes again, within its lifetime, to a relying party that takes each one once.",
    aims: Some(Rule::ReplayRefused),
    source: "RFC 7519 section 4.1.7",
    build: again,
}];

fn again(site: Site<'_>) -> Vec<Scenario> {
    if site.party.replay != Some(Replay::Refuse) {
        return Vec::new();
    }
    let first = "first";
    let again = || the_same_again(first);
    let mut scenarios = Vec::new();
    for trust in site.trusts() {
        let named = Step::Present(Present {
            name: Some(first.to_owned()),
            to: site.party.alias.clone(),
            honest: trust.honest(),
            acts: Vec::new(),
        });
        scenarios.push(site.steps(vec![named.clone(), trust.present(again())]));
        scenarios.push(site.steps(vec![named, Step::AdvanceClock(Span(60)), trust.present(again())]));
    }
    scenarios
}
