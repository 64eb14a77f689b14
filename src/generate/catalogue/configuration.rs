//! Hostile configuration: the token is one that a sound validator would judge by rote, and what is wrong stands in the policy.

use super::Class;
use super::key_scope::stranger_for_itself;
use crate::generate::acts::{set_claim, sign_public_text};
use crate::generate::site::{Site, Trust, is_rsa, is_secret};
use crate::jose::{Family, Layout, Primitive};
use crate::policy::{KeySource, TENANT_PLACE};
use crate::rule::Rule;
use crate::scenario::{
    Act, Edit, Honest, KeyIssuer, Kid, PolicyAct, PublicForm, PublicText, Scenario, SignWith, Spoil, Step, Value,
};
use crate::world::Key;

/// Who a token is from, under a policy that cannot tell.
pub(super) const ISSUERS: &[Class] = &[
    Class {
        id: "IA-28",
        title: "No claim is required, as where a missing one is let pass, and a token comes of an issuer that nobody trusts.",
        aims: Some(Rule::IssuerTrusted),
        source: "CVE-2021-21378; RFC 8725 section 3.8; policy (`required_claims` absent)",
        build: nothing_required,
    },
    Class {
        id: "IA-36",
        title: "The relying party is configured with no audience at all, which must not mean any: a token that names one comes.",
        aims: Some(Rule::AudienceIncludesUs),
        source: "RFC 7519 section 4.1.3; CVE-2026-30223; CVE-2026-55689; policy (`audiences` empty)",
        build: no_audience,
    },
];

/// Keys that are none, or stand where they should not.
pub(super) const KEYS: &[Class] = &[
    Class {
        id: "KL-14",
        title: "The issuer's key set is empty, absent, or holds only keys of an unknown kind, and the issuer's key signs.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 7517 section 5; RFC 8725 section 3.8",
        build: no_keys,
    },
    Class {
        id: "KL-15",
        title: "Beside the issuer's good key its set holds one that is malformed or unknown: the good one must still be used.",
        aims: None,
        source: "RFC 7517 section 5 (a key that is not understood is passed over)",
        build: one_bad_key,
    },
    Class {
        id: "KL-17",
        title: "The secret that the party shares with the issuer is empty, or shorter than the hash, and signs.",
        aims: Some(Rule::KeyAcceptable),
        source: "RFC 7518 section 3.2; CVE-2026-45363",
        build: |site| {
            let short = |text: &str| PublicForm::Text(text.to_owned());
            secrets(site, &[PublicForm::Layout(Layout::Empty), short(" "), short("secret")])
        },
    },
    Class {
        id: "KL-18",
        title: "A shared secret stands in the published key set, and signs by HMAC, which the issuer is not allowed.",
        aims: Some(Rule::AlgorithmAllowed),
        source: "RFC 7517 section 9.2; RFC 8725 section 3.1",
        build: published_secret,
    },
    Class {
        id: "KL-19",
        title: "Two keys of one set have the same `kid`, and each signs: whichever is meant, it is the issuer's.",
        aims: None,
        source: "RFC 7517 section 4.5",
        build: same_kid_twice,
    },
    Class {
        id: "KL-20",
        title: "The issuer's key is listed with a point that is not on the curve, another curve or another `kty`, and signs all \
                the same.",
        aims: Some(Rule::KeyAcceptable),
        source: "RFC 7518 sections 3.4 and 6.2.1; RFC 8725 section 3.4",
        build: misshapen,
    },
    Class {
        id: "KL-21",
        title: "The issuer may use HMAC and no secret is found: under an unknown `kid` or with none configured, an empty one \
                must not stand in.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "CVE-2026-45363; RFC 7518 section 3.2",
        build: no_secret_found,
    },
    Class {
        id: "KL-22",
        title: "HMAC keyed with the text of the issuer's public key after white space or a comment, which hides what it is.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "CVE-2026-34950; RFC 8725 section 2.1",
        build: hidden_public_text,
    },
];

impl<'w> Trust<'w> {
    /// A token of this issuer at a validator that was configured so from the start.
    fn configured(self, policy: Vec<PolicyAct>, acts: Vec<Act>) -> Scenario {
        self.configured_by(policy, self.honest(), acts)
    }

    fn configured_by(self, policy: Vec<PolicyAct>, honest: Honest, acts: Vec<Act>) -> Scenario {
        let site = self.site;
        let update = Step::UpdatePolicy { party: site.party.alias.clone(), acts: policy };
        site.steps(vec![update, site.present(honest, acts)])
    }

    fn rename(self, name: &str) -> PolicyAct {
        PolicyAct::RenameIssuer { issuer: self.issuer.alias.clone(), name: name.to_owned() }
    }

    /// Keys in service that stand in a published set.
    fn public_keys(self) -> Vec<&'w Key> {
        self.honest_keys().into_iter().filter(|key| key.published).collect()
    }
}

/// The one provider is configured under no name, or a blank one: its tokens are nobody's, and those of others are too.
pub(super) fn nameless_provider(site: Site<'_>) -> Vec<Scenario> {
    let ([_], Some(trust)) = (site.party.issuers.as_slice(), site.first().next()) else { return Vec::new() };
    let nameless = |name| vec![trust.rename(name)];
    let mut scenarios = ["", " "].map(|name| trust.configured(nameless(name), Vec::new())).to_vec();
    if let Some(stranger) = site.world.issuers.iter().find(|other| other.alias != trust.issuer.alias) {
        let iss = set_claim("iss", Value::issuer(&stranger.alias));
        scenarios.push(trust.configured(nameless(""), vec![iss]));
    }
    scenarios
}

/// The provider is configured under no name, and so does this to the token.
pub(super) fn nameless_both(site: Site<'_>, act: &Act) -> Vec<Scenario> {
    site.first().map(|trust| trust.configured(vec![trust.rename("")], vec![act.clone()])).collect()
}

/// A template in which the tenant stands twice or not at all is no name of anybody.
pub(super) fn spoiled_template(site: Site<'_>) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for trust in site.trusts().filter(|trust| trust.issuer.name.contains(TENANT_PLACE)) {
        for place in [format!("{TENANT_PLACE}/{TENANT_PLACE}"), TENANT_PLACE.repeat(2), "common".to_owned()] {
            let edit = Edit::Replace(TENANT_PLACE.to_owned(), place);
            let act = PolicyAct::EditIssuer { issuer: trust.issuer.alias.clone(), edit };
            scenarios.push(trust.configured(vec![act], Vec::new()));
        }
    }
    scenarios
}

pub(super) fn key_of_nobody(site: Site<'_>) -> Vec<Scenario> {
    if site.key_source != KeySource::Converged {
        return Vec::new();
    }
    let mut scenarios = Vec::new();
    for trust in site.trusts() {
        let Some(key) = trust.public_keys().into_iter().next() else { continue };
        let text = |text: &str| KeyIssuer::Text(text.to_owned());
        let mut values = vec![text(""), text(" "), KeyIssuer::Json("7".to_owned()), KeyIssuer::Json("{}".to_owned())];
        values.push(KeyIssuer::Absent);
        let other = site.world.issuers.iter().find(|other| other.alias != trust.issuer.alias);
        values.extend(other.map(|issuer| KeyIssuer::Of(issuer.alias.clone())));
        for to in values {
            let act = PolicyAct::SetKeyIssuer { key: key.alias.clone(), to };
            scenarios.push(trust.configured_by(vec![act], trust.honest_by(key), Vec::new()));
        }
    }
    scenarios
}

/// Where the party has names, so that honest tokens name one.
fn no_audience(site: Site<'_>) -> Vec<Scenario> {
    let named = site.trusts().filter(|_| !site.party.audiences.is_empty());
    named.map(|trust| trust.configured(vec![PolicyAct::SetAudiences(Vec::new())], Vec::new())).collect()
}

fn nothing_required(site: Site<'_>) -> Vec<Scenario> {
    let unset = || vec![PolicyAct::Unset("required_claims".to_owned())];
    let update = || Step::UpdatePolicy { party: site.party.alias.clone(), acts: unset() };
    let mut scenarios = Vec::new();
    for token in stranger_for_itself(site) {
        scenarios.push(site.steps([vec![update()], token.steps].concat()));
    }
    for trust in site.first() {
        for edit in [Edit::Suffix(".example".to_owned()), Edit::CutEnd(1)] {
            let iss = Value::issuer(&trust.issuer.alias).edited(edit);
            scenarios.push(trust.configured(unset(), vec![set_claim("iss", iss)]));
        }
    }
    scenarios
}

fn no_keys(site: Site<'_>) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for trust in site.trusts() {
        let alias = || trust.issuer.alias.clone();
        scenarios.push(trust.configured(vec![PolicyAct::ListNoKeys(alias())], Vec::new()));
        // Once is enough for what only looks like a set.
        if scenarios.len() > 1 {
            continue;
        }
        scenarios.push(trust.configured(vec![PolicyAct::ForgetKeys(alias())], Vec::new()));
        if let Some(key) = site.attacker_keys().find(|key| !is_secret(key)) {
            let list = PolicyAct::ListKey { key: key.alias.clone(), issuer: alias() };
            let spoil = PolicyAct::SpoilKey { key: key.alias.clone(), how: Spoil::UnknownKty };
            scenarios.push(trust.configured(vec![PolicyAct::ListNoKeys(alias()), list, spoil], Vec::new()));
        }
    }
    scenarios
}

/// The bad one is somebody's key that is listed for the issuer and then spoiled.
fn one_bad_key(site: Site<'_>) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for trust in site.first() {
        let Some(good) = trust.public_keys().into_iter().next() else { continue };
        for how in Spoil::ALL {
            let elsewhere = || site.attacker_keys().filter(|key| !is_secret(key));
            let Some(bad) = elsewhere().find(|key| fits(key, how)) else { continue };
            let list = PolicyAct::ListKey { key: bad.alias.clone(), issuer: trust.issuer.alias.clone() };
            let spoil = PolicyAct::SpoilKey { key: bad.alias.clone(), how };
            scenarios.push(trust.configured_by(vec![list, spoil], trust.honest_by(good), Vec::new()));
        }
    }
    scenarios
}

/// Whether this kind of key can be spoiled that way to some effect.
fn fits(key: &Key, how: Spoil) -> bool {
    match how {
        Spoil::UnknownKty | Spoil::NoKty | Spoil::NoNumber | Spoil::OtherKty => true,
        Spoil::OtherCurve | Spoil::OffCurve => key.signs.iter().any(|alg| alg.family() == Family::Ecdsa),
        Spoil::ExponentOne | Spoil::EvenModulus => is_rsa(key),
    }
}

fn misshapen(site: Site<'_>) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for trust in site.trusts() {
        for key in trust.public_keys() {
            for how in [Spoil::OffCurve, Spoil::OtherCurve, Spoil::OtherKty].into_iter().filter(|&how| fits(key, how)) {
                let spoil = PolicyAct::SpoilKey { key: key.alias.clone(), how };
                scenarios.push(trust.configured_by(vec![spoil], trust.honest_by(key), Vec::new()));
            }
        }
    }
    scenarios
}

/// Issuers that may use HMAC, with a secret that they share with the party.
fn sharing(site: Site<'_>) -> impl Iterator<Item = (Trust<'_>, &Key)> {
    site.trusts().filter_map(|trust| {
        let key = trust.honest_keys().into_iter().find(|key| is_secret(key))?;
        Some((trust, key))
    })
}

/// HMAC over this text, under the `kid` of that key.
fn hmac(text: &PublicText, kid: Kid) -> Act {
    Act::SignWith(SignWith { key: None, secret: Some(text.clone()), alg: None, kid })
}

fn secrets(site: Site<'_>, forms: &[PublicForm]) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for (trust, key) in sharing(site) {
        for form in forms {
            let text = PublicText { of: key.alias.clone(), form: form.clone() };
            let act = PolicyAct::SetSecret { issuer: trust.issuer.alias.clone(), secret: text.clone() };
            scenarios.push(trust.configured(vec![act], vec![hmac(&text, Kid::Of(key.alias.clone()))]));
        }
    }
    scenarios
}

fn published_secret(site: Site<'_>) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    let Some(secret) = site.world.keys.iter().find(|key| is_secret(key)) else { return scenarios };
    for trust in site.trusts().filter(|trust| !trust.allows(Primitive::HS256)) {
        let act = PolicyAct::ListKey { key: secret.alias.clone(), issuer: trust.issuer.alias.clone() };
        scenarios.push(trust.configured(vec![act], vec![trust.sign_with(secret, Kid::Own)]));
    }
    scenarios
}

fn same_kid_twice(site: Site<'_>) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for trust in site.trusts() {
        let keys = trust.public_keys();
        let [first, second, ..] = keys.as_slice() else { continue };
        let act = PolicyAct::SetKid { key: second.alias.clone(), of: first.alias.clone() };
        for key in [first, second] {
            let sign = trust.sign_with(key, Kid::Of(first.alias.clone()));
            scenarios.push(trust.configured(vec![act.clone()], vec![sign]));
        }
    }
    scenarios
}

fn no_secret_found(site: Site<'_>) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for (trust, key) in sharing(site) {
        let of = trust.claimed_keys().into_iter().find(|key| !is_secret(key)).unwrap_or(key).alias.clone();
        let text = PublicText { of, form: PublicForm::Layout(Layout::Empty) };
        let kids = [Kid::Of(key.alias.clone()), Kid::Text("nobody".to_owned()), Kid::Text(String::new()), Kid::None];
        for kid in kids {
            if !matches!(kid, Kid::Of(_)) {
                scenarios.push(trust.token(vec![hmac(&text, kid.clone())]));
            }
            let forget = PolicyAct::ForgetKeys(trust.issuer.alias.clone());
            scenarios.push(trust.configured(vec![forget], vec![hmac(&text, kid)]));
        }
    }
    scenarios
}

fn hidden_public_text(site: Site<'_>) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for trust in site.claimable().take(1) {
        let Some(key) = trust.claimed_keys().into_iter().find(|key| !is_secret(key)) else { continue };
        let texts = [(Layout::SpkiPemLeadingNewline, "HS256"), (Layout::SpkiPemComment, "HS256")];
        let longer = ["HS384", "HS512"].map(|alg| (Layout::SpkiPemLeadingNewline, alg));
        for (layout, alg) in texts.into_iter().chain(longer) {
            scenarios.push(trust.token(vec![sign_public_text(key, layout, Some(alg))]));
        }
    }
    scenarios
}
