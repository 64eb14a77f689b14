//! Which rules of conduct the judging of a token gives occasion to break. That none was broken is worth as much as there was
//! occasion to.

use crate::jose::{Json, last};
use crate::policy::{KeySource, TrustPolicy};
use crate::provenance::{Presented, Provenance};
use crate::rule::Rule;
use std::collections::BTreeSet;

/// Rules of conduct that whoever judges this token under that policy may be tempted to break.
pub(super) fn tempted(policy: Option<&TrustPolicy>, provenance: &Provenance) -> BTreeSet<Rule> {
    let mut rules = BTreeSet::new();
    let Some(policy) = policy else { return rules };
    if policy.secret_octets().next().is_some() {
        rules.insert(Rule::SecretNotPrinted);
    }
    // Where keys are handed over nothing is fetched that could be seen.
    if policy.key_source == KeySource::Fetched && names_a_foreign_url(policy, provenance) {
        rules.insert(Rule::UrlNotFetched);
    }
    rules
}

/// Whether the header names a URL, or `iss` one that nobody trusted goes by.
fn names_a_foreign_url(policy: &TrustPolicy, provenance: &Provenance) -> bool {
    let Presented::Jws(jws) = &provenance.presented else { return false };
    let url = |value: &Json| value.as_str().filter(|text| text.contains("//")).map(str::to_owned);
    let header = jws.header.members().unwrap_or_default();
    let foreign = |iss: String| policy.issuer_named(&iss).is_none();
    header.iter().any(|member| url(&member.value).is_some())
        || jws.payload.members().and_then(|claims| url(last(claims, "iss")?)).is_some_and(foreign)
}
