//! Whether a forger can do what a scenario asks, told from the scenario and its world alone. It says no where it cannot
//! tell, so that generators need no forge to keep to what can be played.

use crate::jose::{Family, Layout, Material, Primitive, Serialization};
use crate::policy::KeySource;
use crate::scenario::{
    Act, Honest, KeyHeader, Kid, MAX_ACTS, MAX_DEPTH, MAX_STEPS, Present, PublicForm, Raw, Scalar, Scenario, Segment,
    SignWith, Splice, Step, Value,
};
use crate::world::{Key, Party, Publication, World};
use std::collections::BTreeMap;

/// Whether every step and act of the scenario can be played in this world.
#[must_use]
pub fn is_playable(scenario: &Scenario, world: &World) -> bool {
    Player { world, publication: Publication::of(world), tokens: BTreeMap::new() }.plays(scenario).is_some()
}

/// `Some` where something can be played: read as "and then".
type Plays = Option<()>;

struct Player<'w> {
    world: &'w World,
    /// Which keys are listed by now.
    publication: Publication,
    /// Named tokens: which of their parts are raw.
    tokens: BTreeMap<String, Parts>,
}

/// What has become of a draft.
#[derive(Clone, Copy, Default)]
struct Parts {
    raw_header: bool,
    raw_payload: bool,
    /// Whether an act has signed or stripped: the honest signature is no longer needed.
    settled: bool,
    /// Whether the next signature must be an ECDSA one.
    seeking: bool,
}

fn is(truth: bool) -> Plays {
    truth.then_some(())
}

impl Player<'_> {
    fn plays(&mut self, scenario: &Scenario) -> Plays {
        is(scenario.world == self.world.name && scenario.steps.len() <= MAX_STEPS)?;
        is(scenario.presents().next().is_some())?;
        for step in &scenario.steps {
            match step {
                Step::Present(present) => {
                    let party = self.world.party(&present.to)?;
                    is(party.key_sources.contains(&scenario.key_source))?;
                    self.present(party, present)?;
                }
                Step::AdvanceClock(span) => is(span.0 >= 0)?,
                Step::JwksUnreachable { .. } | Step::JwksReachable { .. }
                    if scenario.key_source != KeySource::Fetched =>
                {
                    return None;
                }
                Step::RotateKey { .. }
                | Step::RemoveKey { .. }
                | Step::DisableIssuer { .. }
                | Step::JwksUnreachable { .. }
                | Step::JwksReachable { .. }
                | Step::UpdatePolicy { .. } => {
                    self.publication.apply(self.world, step, "").ok()?;
                }
                Step::Together(_) | Step::Exchange { .. } => return None,
            }
        }
        Some(())
    }

    fn present(&mut self, party: &Party, present: &Present) -> Plays {
        let parts = self.draft(party, &present.honest, &present.acts, 0)?;
        if let Some(name) = &present.name {
            self.tokens.insert(name.clone(), parts);
        }
        Some(())
    }

    fn draft(&self, party: &Party, honest: &Honest, acts: &[Act], depth: usize) -> Option<Parts> {
        is(acts.len() <= MAX_ACTS && depth <= MAX_DEPTH)?;
        let issuer = self.world.issuer(&honest.issuer)?;
        if let Some(tenant) = &honest.tenant {
            is(!issuer.tenants.is_empty())?;
            self.world.tenant(tenant)?;
        }
        if let Some(subject) = &honest.subject {
            self.world.subject(subject)?;
        }
        let key = self.honest_key(party, honest)?;
        is(fits(key, honest.alg.as_deref()))?;
        let mut parts = Parts::default();
        for act in acts {
            self.act(party, key, act, depth, &mut parts)?;
        }
        settle(key, &mut parts)?;
        Some(parts)
    }

    /// The key that signs unless an act says otherwise.
    fn honest_key<'a>(&'a self, party: &'a Party, honest: &'a Honest) -> Option<&'a Key> {
        match &honest.key {
            Some(alias) => self.world.key(alias),
            None => self.world.default_key(party, &honest.issuer, &self.publication),
        }
    }

    fn act(&self, party: &Party, honest: &Key, act: &Act, depth: usize, parts: &mut Parts) -> Plays {
        match act {
            Act::SignWith(sign) => {
                is(!parts.raw_header && !parts.raw_payload)?;
                self.sign(honest, sign)?;
                let signer = sign.key.as_ref().map_or(Some(honest), |alias| self.world.key(alias))?;
                is(!parts.seeking || sign.secret.is_none() && is_curve(signer))?;
                parts.seeking = false;
                parts.settled = true;
                Some(())
            }
            Act::SetClaim(set) => {
                is(!parts.raw_payload)?;
                self.value(&set.value).map(drop)
            }
            Act::SetHeader(set) => {
                is(!parts.raw_header)?;
                self.value(&set.value).map(drop)
            }
            Act::DuplicateClaim(twice) => {
                is(!parts.raw_payload)?;
                self.value(&twice.value).map(drop)
            }
            Act::DuplicateHeader(twice) => {
                is(!parts.raw_header)?;
                self.value(&twice.value).map(drop)
            }
            Act::DropClaim(_) => is(!parts.raw_payload),
            Act::DropHeader(_) => is(!parts.raw_header),
            Act::Splice(splice) => {
                settle(honest, parts)?;
                self.splice(party, splice, depth, parts)
            }
            Act::EmbedKey { r#as, key } => {
                is(!parts.raw_header)?;
                let key = self.world.key(key)?;
                let secret = matches!(key.jwk.material, Material::Oct { .. });
                let has_place = || is(self.has_place(key));
                match r#as {
                    KeyHeader::Jwk => is(!secret),
                    KeyHeader::Jku => has_place(),
                    KeyHeader::X5u => is(!secret).and_then(|()| has_place()),
                    KeyHeader::X5c | KeyHeader::X5t | KeyHeader::X5tS256 => is(has_certificate(key)),
                }
            }
            Act::Serialize { r#as } => is(!matches!(r#as, Serialization::General | Serialization::Nested)),
            Act::Raw(Raw::Text { part, .. } | Raw::FlipBit { part, .. }) => {
                settle(honest, parts)?;
                match part {
                    Segment::Header => parts.raw_header = true,
                    Segment::Payload => parts.raw_payload = true,
                    Segment::Signature => {}
                }
                Some(())
            }
            Act::MangleSignature(_) | Act::Raw(_) => settle(honest, parts),
            Act::SeekLeadingZero { .. } => {
                parts.seeking = true;
                is(!parts.raw_payload)
            }
            Act::StripSignature {} => {
                parts.settled = true;
                Some(())
            }
            Act::Spell { .. } => Some(()),
        }
    }

    /// Whether something about a key can be put at its owner's host, or at the attacker's.
    fn has_place(&self, key: &Key) -> bool {
        let home = key.owner.as_ref().and_then(|owner| self.world.issuer(owner));
        home.is_none_or(|owner| owner.address().is_some())
    }

    fn sign(&self, honest: &Key, sign: &SignWith) -> Plays {
        if let Kid::Of(other) = &sign.kid {
            self.world.key(other)?;
        }
        match (&sign.secret, &sign.key) {
            (Some(_), Some(_)) => None,
            (Some(secret), None) => {
                let key = self.world.key(&secret.of)?;
                if let PublicForm::Layout(layout) = secret.form {
                    is(has_layout(key, layout))?;
                }
                let alg = sign.alg.as_deref().unwrap_or("HS256");
                is(Primitive::from_name(alg)?.family() == Family::Hmac)
            }
            (None, Some(alias)) => is(can_sign(self.world.key(alias)?, sign.alg.as_deref())),
            (None, None) => is(can_sign(honest, sign.alg.as_deref())),
        }
    }

    fn splice(&self, party: &Party, splice: &Splice, depth: usize, parts: &mut Parts) -> Plays {
        let donor = match (&splice.from, &splice.of) {
            (Some(name), None) => *self.tokens.get(name)?,
            (None, Some(donor)) => self.draft(party, &donor.honest, &donor.acts, depth + 1)?,
            _ => return None,
        };
        match splice.part {
            Segment::Header => parts.raw_header = donor.raw_header,
            Segment::Payload => parts.raw_payload = donor.raw_payload,
            Segment::Signature => {}
        }
        Some(())
    }

    /// Whether a value stands for something, and whether that is text.
    fn value(&self, value: &Value) -> Option<bool> {
        let world = self.world;
        Some(match value {
            Value::Literal(Scalar::Text(_)) | Value::Text(_) | Value::TimeText(_) => true,
            Value::Literal(_) | Value::Time(_) | Value::TimeAs { .. } | Value::Number(_) => false,
            Value::List(items) => {
                for item in items {
                    self.value(item)?;
                }
                false
            }
            Value::Json(text) => serde_json::from_str::<serde_json::Value>(text).ok()?.is_string(),
            Value::Issuer { of, tenant } => {
                world.issuer(of)?;
                tenant.as_ref().is_none_or(|tenant| world.tenant(tenant).is_some()).then_some(true)?
            }
            Value::IssuerWith { of, segment } => {
                world.issuer(of)?;
                self.value(segment)?.then_some(true)?
            }
            Value::Tenant(alias) => world.tenant(alias).is_some().then_some(true)?,
            Value::Subject(alias) => world.subject(alias).is_some().then_some(true)?,
            Value::Audience(alias) => world.party(alias).is_some().then_some(true)?,
            Value::Kid(alias) | Value::Thumbprint(alias) => world.key(alias).is_some().then_some(true)?,
            Value::AudienceOf { party, issuer } => {
                let trusted = world.party(party)?.issuers.iter().any(|trust| trust.alias == *issuer);
                trusted.then_some(true)?
            }
            Value::Certificate(alias) => has_certificate(world.key(alias)?).then_some(true)?,
            Value::Url { of, .. } => self.has_place(world.key(of)?).then_some(true)?,
            Value::Quoted(of) => {
                self.value(of)?;
                true
            }
            Value::Signer(alias) => world.signer(alias).is_some().then_some(true)?,
            Value::Jwk(alias) => {
                let secret = matches!(world.key(alias)?.jwk.material, Material::Oct { .. });
                (!secret).then_some(false)?
            }
            Value::Object(members) => {
                for value in members.values() {
                    self.value(value)?;
                }
                false
            }
            Value::Edited { of, .. } => self.value(of)?.then_some(true)?,
        })
    }
}

/// Signs with the honest key unless an act has signed.
fn settle(honest: &Key, parts: &mut Parts) -> Plays {
    is(parts.settled || honest.private.is_some() && (!parts.seeking || is_curve(honest)))?;
    parts.settled = true;
    Some(())
}

/// Whether signatures by this key have an R and an S.
fn is_curve(key: &Key) -> bool {
    matches!(key.jwk.material, Material::Ec { .. })
}

/// Whether the key has a certificate, or can make one.
fn has_certificate(key: &Key) -> bool {
    !matches!(key.jwk.material, Material::Oct { .. }) && (key.private.is_some() || !key.jwk.x5c.is_empty())
}

fn can_sign(key: &Key, alg: Option<&str>) -> bool {
    key.private.is_some() && fits(key, alg)
}

fn fits(key: &Key, alg: Option<&str>) -> bool {
    let signs = |alg| match &key.private {
        Some(private) => private.can_sign(alg),
        None => key.jwk.material.fits(alg),
    };
    alg.is_none_or(|name| Primitive::from_name(name).is_some_and(signs))
}

/// Whether the public half of the key can be written in that layout.
pub(super) fn has_layout(key: &Key, layout: Layout) -> bool {
    let jwk = &key.jwk;
    match (&jwk.material, layout) {
        (_, Layout::Kid | Layout::Path) => jwk.kid.is_some(),
        (_, Layout::Alg) => jwk.alg.is_some(),
        (_, Layout::Empty | Layout::Kty) => true,
        (Material::Oct { .. }, _) => false,
        (_, Layout::CertificatePem | Layout::CertificateDer | Layout::X5c) => !jwk.x5c.is_empty(),
        (Material::Rsa { .. }, layout) => layout != Layout::Point,
        (
            _,
            Layout::Pkcs1Pem
            | Layout::Pkcs1PemTrimmed
            | Layout::Pkcs1PemCrlf
            | Layout::Pkcs1PemLeadingNewline
            | Layout::Pkcs1Der
            | Layout::Exponent,
        ) => false,
        (Material::Ec { crv, .. }, Layout::Openssh | Layout::OpensshNewline) => crv != "secp256k1",
        (Material::Ec { .. }, _) => true,
        (Material::Okp { .. }, layout) => layout != Layout::Point,
    }
}
