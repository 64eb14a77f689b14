//! The attack classes: each a sentence, a source and the scenarios that try it wherever it can be expressed; and those that
//! are not there.

mod absent;
mod algorithm;
mod audience;
mod configuration;
mod control;
mod discovery;
mod encoding;
mod form;
mod identity;
mod issuer_name;
mod key_scope;
mod lifecycle;
mod public_text;
mod replay;
mod resolution;
mod signature;
mod state;
mod storm;
mod time;
mod trust_scope;

pub use absent::{Absent, Interface, absent};

use super::site::Site;
use crate::rule::Rule;
use crate::scenario::Scenario;
use std::sync::LazyLock;

/// One way to attack a validator, or a positive control.
#[derive(Clone, Copy, Debug)]
pub struct Class {
    /// Its id: of the group and number of the catalogue (`KS-01`), or the path of a published incident.
    pub id: &'static str,
    /// What is tried, in one sentence.
    pub title: &'static str,
    /// The rule that it aims at; `None` for a positive control. What is lawful the oracle concludes for itself.
    pub aims: Option<Rule>,
    /// Where it comes from.
    pub source: &'static str,
    build: fn(Site<'_>) -> Vec<Scenario>,
}

impl Class {
    /// The scenarios of this class at a site; none where the site has nothing to express it with.
    #[must_use]
    pub fn scenarios(&self, site: &Site<'_>) -> Vec<Scenario> {
        (self.build)(*site)
    }

    /// Whether the same token may fare otherwise where keys come from another source: what is tried has to do with keys.
    fn depends_on_key_source(&self) -> bool {
        // Whom and for whom the token says it is does not depend on keys.
        if ["KS-19", "KS-21", "KS-36", "KS-37", "KS-39", "KS-40"].contains(&self.id) {
            return false;
        }
        ["KS-", "KL-", "KR-", "ST-", "PC-", "storm-0558/"].iter().any(|group| self.id.starts_with(group))
    }
}

static CLASSES: LazyLock<Vec<Class>> = LazyLock::new(|| {
    let groups = [
        storm::CLASSES,
        key_scope::FIRST,
        key_scope::CLASSES,
        trust_scope::CLASSES,
        lifecycle::CLASSES,
        resolution::CLASSES,
        discovery::CLASSES,
        configuration::ISSUERS,
        configuration::KEYS,
        state::CLASSES,
        replay::CLASSES,
        public_text::CLASSES,
        resolution::BY_KID,
        resolution::BY_PLACE,
        algorithm::CLASSES,
        identity::CLASSES,
        issuer_name::CLASSES,
        audience::CLASSES,
        time::CLASSES,
        form::CLASSES,
        encoding::CLASSES,
        signature::CLASSES,
        control::CLASSES,
    ];
    groups.concat()
});

/// Every class, the ones this project exists for first.
#[must_use]
pub fn classes() -> &'static [Class] {
    &CLASSES
}

/// The class of that id.
#[must_use]
pub fn class(id: &str) -> Option<&'static Class> {
    classes().iter().find(|class| class.id == id)
}

/// Honest tokens: one for each issuer, admitted tenant, key and algorithm at this site.
#[must_use]
pub fn baseline(site: &Site<'_>) -> Vec<Scenario> {
    control::honest_tokens(*site)
}

/// The class under which HMAC over what a validator itself says it holds as keys is tried; see [`over_key_texts`].
#[must_use]
pub fn class_of_key_texts() -> Option<&'static Class> {
    class(public_text::OTHER_TEXTS)
}

/// Tokens that are HMACs over exactly these texts, which a validator says it holds as keys at this site.
#[must_use]
pub fn over_key_texts(site: &Site<'_>, texts: &[String]) -> Vec<Scenario> {
    public_text::held_texts(*site, texts)
}

/// Every scenario of the selected classes at these sites with the index of its class in [`classes`]: by class first, so
/// that an early class has been tried at every site before a later one begins. A class to which it is all one where keys
/// come from is tried once at each relying party, with the first key source among these sites.
#[must_use]
pub fn catalogue(sites: &[Site<'_>], selected: &dyn Fn(&Class) -> bool) -> Vec<(usize, Scenario)> {
    let mut all = Vec::new();
    for (index, class) in classes().iter().enumerate().filter(|(_, class)| selected(class)) {
        let mut tried: Vec<(&str, &str)> = Vec::new();
        for site in sites {
            let party = (site.world.name.as_str(), site.party.alias.as_str());
            if !class.depends_on_key_source() && tried.contains(&party) {
                continue;
            }
            tried.push(party);
            all.extend(class.scenarios(site).into_iter().map(|scenario| (index, scenario)));
        }
    }
    all
}
