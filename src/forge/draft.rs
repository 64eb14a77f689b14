//! A token while it is written: acts change it, signing records an event, and what comes after a signature is not signed.

mod mangle;
mod seek;
mod text;

use super::carried::carried;
use super::value::resolve;
use super::{At, Forge, Pen, Situation};
use crate::error::Error;
use crate::jose::{
    Family, Json, Jwk, JwkSet, Member, Primitive, Serialization, Spelling, Token, encode_base64url, spell_octets,
};
use crate::key::{PrivateKey, public_text};
use crate::provenance::{Jws, Presented, Provenance, SigningEvent};
use crate::scenario::{
    Act, Duplicate, EcdsaInteger, Honest, Kid, Mangle, PublicForm, Raw, Segment, SetMember, SignWith, Span, Splice,
};
use crate::world::{Key, World};
use std::collections::BTreeMap;
use std::sync::Arc;
use text::{Text, add, members, replace, set, spell};

/// How long an honest token lives.
const LIFETIME: Span = Span(3600);

#[derive(Clone)]
pub(super) struct Draft {
    honest: Honest,
    key: String,
    alg: Primitive,
    header: Text,
    payload: Text,
    signature: Option<Vec<u8>>,
    /// What the next signature is to begin with a zero octet in.
    sought: Option<EcdsaInteger>,
    signature_spellings: Vec<Spelling>,
    serialization: Serialization,
    around: (String, String),
    segments: u8,
    replaced: Option<String>,
    events: Vec<SigningEvent>,
    depth: usize,
}

impl Draft {
    /// What an honest issuer would write for this party.
    pub(super) fn honest(forge: &Forge, situation: &Situation, party: &str, honest: &Honest) -> Result<Self, Error> {
        Draft::honest_at(forge, situation, party, honest, 0)
    }

    fn honest_at(forge: &Forge, situation: &Situation, to: &str, honest: &Honest, depth: usize) -> Result<Self, Error> {
        let world = forge.world();
        let wrong = |problem: String| Error::Scenario {
            place: format!("{}, honest", At { step: situation.step, act: None }),
            problem,
        };
        let unknown = |what: &str, alias: &str| wrong(format!("world {} has no {what} `{alias}`", world.name));
        let party = world.party(to).ok_or_else(|| unknown("party", to))?;
        let issuer = world.issuer(&honest.issuer).ok_or_else(|| unknown("issuer", &honest.issuer))?;
        let trust = party.issuers.iter().find(|trust| trust.alias == issuer.alias);
        let mut honest = honest.clone();
        if honest.tenant.is_none() {
            let admitted = trust.and_then(|trust| trust.tenants.as_ref()).unwrap_or(&issuer.tenants);
            honest.tenant = admitted.first().filter(|_| !issuer.tenants.is_empty()).cloned();
        } else if issuer.tenants.is_empty() {
            return Err(wrong(format!("issuer `{}` has no tenants", issuer.alias)));
        }
        let tenant = match &honest.tenant {
            Some(alias) => Some(world.tenant(alias).ok_or_else(|| unknown("tenant", alias))?),
            None => None,
        };
        let key = match &honest.key {
            Some(alias) => world.key(alias).ok_or_else(|| unknown("key", alias))?,
            None => world
                .default_key(party, &issuer.alias, &situation.publication)
                .ok_or_else(|| wrong(format!("issuer `{}` has no key to sign with", issuer.alias)))?,
        };
        let alg = match &honest.alg {
            Some(name) => Primitive::from_name(name)
                .ok_or_else(|| wrong(format!("`alg`: {name:?} is no algorithm that anybody can sign with")))?,
            None => own_algorithm(key, trust.and_then(|trust| trust.algorithms.as_ref()).unwrap_or(&issuer.algorithms)),
        };
        let number = situation.nonce.number(situation.step, depth);
        let fresh = |what: &str| world.label(&[what, &number.to_string()]);
        let subject = match (&honest.subject, trust.and_then(|trust| trust.subjects.as_ref())) {
            (Some(alias), _) => world.subject(alias).map(|s| s.id.clone()).ok_or_else(|| unknown("subject", alias))?,
            (None, Some(admitted)) => {
                let named = admitted.first().and_then(|alias| world.subject(alias));
                named.map_or_else(|| fresh("subject"), |subject| subject.id.clone())
            }
            (None, None) => fresh("subject"),
        };
        let mut header = vec![Member::new("alg", Json::string(alg.name()))];
        if let Some(kid) = published_kid(situation, key) {
            header.push(Member::new("kid", Json::string(kid)));
        }
        if let Some(typ) = party.token_types.as_ref().and_then(|types| types.first()) {
            header.push(Member::new("typ", Json::string(typ)));
        }
        if let Some(signer) = trust.and_then(|trust| trust.signer.as_ref()) {
            header.push(Member::new("signer", Json::string(signer)));
        }
        let mut payload = vec![
            Member::new("iss", Json::string(world.issuer_name(issuer, tenant))),
            Member::new("sub", Json::string(subject)),
        ];
        if let Some(audience) = party.audience_for(trust) {
            payload.push(Member::new("aud", Json::string(audience)));
        }
        payload.push(Member::new("exp", Json::integer(situation.calendar.at(LIFETIME).0)));
        payload.push(Member::new("iat", Json::integer(situation.calendar.issued(number).0)));
        payload.push(Member::new("jti", Json::string(fresh("jti"))));
        if let Some(tenant) = tenant {
            payload.push(Member::new("tid", Json::string(&tenant.id)));
        }
        Ok(Draft {
            honest,
            key: key.alias.clone(),
            alg,
            header: Text::of(header),
            payload: Text::of(payload),
            signature: None,
            sought: None,
            signature_spellings: Vec::new(),
            serialization: Serialization::Compact,
            around: (String::new(), String::new()),
            segments: 3,
            replaced: None,
            events: Vec::new(),
            depth,
        })
    }

    /// Applies acts in order.
    pub(super) fn apply(
        &mut self,
        forge: &Forge,
        situation: &Situation,
        party: &str,
        acts: &[Act],
        tokens: &BTreeMap<String, Draft>,
    ) -> Result<(), Error> {
        for (index, act) in acts.iter().enumerate() {
            let place = At { step: situation.step, act: Some((index, act.kind())) };
            let wrong = |problem: &str| Error::Scenario { place: place.to_string(), problem: problem.to_owned() };
            let not_run = |what: String| Error::NotRun { place: place.to_string(), what };
            let value = |draft: &Draft, value| resolve(forge, situation, &draft.honest, value, place);
            match act {
                Act::SetClaim(SetMember { name, value: wanted }) => {
                    let value = value(self, wanted)?;
                    set(members(&mut self.payload, place)?, name, value);
                }
                Act::SetHeader(SetMember { name, value: wanted }) => {
                    let value = value(self, wanted)?;
                    set(members(&mut self.header, place)?, name, value);
                }
                Act::DropClaim(named) => members(&mut self.payload, place)?.retain(|m| m.name != named.name),
                Act::DropHeader(named) => members(&mut self.header, place)?.retain(|m| m.name != named.name),
                Act::DuplicateClaim(Duplicate { name, value: wanted, at }) => {
                    let value = value(self, wanted)?;
                    add(members(&mut self.payload, place)?, Member::new(name, value), *at);
                }
                Act::DuplicateHeader(Duplicate { name, value: wanted, at }) => {
                    let value = value(self, wanted)?;
                    add(members(&mut self.header, place)?, Member::new(name, value), *at);
                }
                Act::SignWith(sign) => self.sign_with(forge, situation, party, sign, place)?,
                Act::SeekLeadingZero { of } => self.sought = Some(*of),
                Act::StripSignature {} => self.signature = Some(Vec::new()),
                Act::Splice(splice) => self.splice(forge, situation, party, splice, tokens, place)?,
                Act::EmbedKey { r#as, key } => {
                    let key = named_key(forge.world(), key).map_err(|problem| wrong(&problem))?;
                    let value = carried(forge.world(), situation, key, *r#as, place.number());
                    set(members(&mut self.header, place)?, r#as.member(), value.map_err(|problem| wrong(&problem))?);
                }
                Act::Serialize { r#as } => match r#as {
                    Serialization::General | Serialization::Nested => {
                        return Err(not_run(format!("serialize as {}", r#as.name())));
                    }
                    serialization => self.serialization = *serialization,
                },
                Act::Spell { part, r#as } => match part {
                    Segment::Signature => self.signature_spellings.push(*r#as),
                    Segment::Header => spell(&mut self.header, *r#as),
                    Segment::Payload => spell(&mut self.payload, *r#as),
                },
                Act::MangleSignature(mangle) => {
                    self.settle(forge, situation)?;
                    self.mangle(mangle);
                }
                Act::Raw(raw) => {
                    self.settle(forge, situation)?;
                    self.raw(raw);
                }
            }
        }
        Ok(())
    }

    /// Signs with the honest key unless an act has signed.
    pub(super) fn settle(&mut self, forge: &Forge, situation: &Situation) -> Result<(), Error> {
        if self.signature.is_some() {
            return Ok(());
        }
        let place = At { step: situation.step, act: None };
        let key = named_key(forge.world(), &self.key)
            .map_err(|problem| Error::Scenario { place: place.to_string(), problem })?;
        let private = key.private.as_ref().ok_or_else(|| no_private(&self.key, place))?;
        self.sign(forge, situation, private, self.alg, place)
    }

    fn sign(
        &mut self,
        forge: &Forge,
        situation: &Situation,
        private: &PrivateKey,
        alg: Primitive,
        place: At,
    ) -> Result<(), Error> {
        let sought = self.sought.take();
        if let Some(of) = sought {
            seek::fits(alg, place)?;
            if situation.pen == Pen::Signs {
                self.seek(forge, private, alg, of, place)?;
            }
        }
        let (Text::Written(header), Text::Written(payload)) = (&self.header, &self.payload) else {
            let problem = "raw octets are not signed: put sign-with before them".to_owned();
            return Err(Error::Scenario { place: place.to_string(), problem });
        };
        let input = format!("{}.{}", self.header.write(), self.payload.write()).into_bytes();
        let signature = match situation.pen {
            Pen::Signs => forge.world().memo.sign(private, alg, &input),
            Pen::Sketches => private.sketch(alg, &input).map(|sketch| seek::as_sought(sketch, sought)),
        }
        .map_err(|error| Error::Scenario { place: place.to_string(), problem: error.to_string() })?;
        self.signature = Some(signature.octets.clone());
        self.events.push(SigningEvent {
            key: private.material().clone(),
            primitive: alg,
            input,
            signature: signature.octets,
            mirror: signature.mirror,
            header: Arc::clone(&header.members),
            payload: Arc::clone(&payload.members),
        });
        Ok(())
    }

    fn sign_with(
        &mut self,
        forge: &Forge,
        situation: &Situation,
        party: &str,
        sign: &SignWith,
        place: At,
    ) -> Result<(), Error> {
        let world = forge.world();
        let wrong = |problem: String| Error::Scenario { place: place.to_string(), problem };
        let alias = sign.secret.as_ref().map_or_else(|| sign.key.as_ref().unwrap_or(&self.key), |secret| &secret.of);
        let key = named_key(world, alias).map_err(wrong)?;
        let asked = match &sign.alg {
            Some(name) => Some(Primitive::from_name(name).ok_or_else(|| {
                wrong(format!(
                    "nobody can sign with {name:?}: set the header and use strip-signature or mangle-signature"
                ))
            })?),
            None => None,
        };
        let public;
        let (private, alg) = match &sign.secret {
            Some(secret) => {
                let text = match &secret.form {
                    PublicForm::Text(text) => text.clone().into_bytes(),
                    PublicForm::Layout(layout) => {
                        let (jwk, set) = as_last_sent(forge, situation, party, key);
                        public_text(&jwk, &set, *layout).map_err(|error| wrong(error.to_string()))?
                    }
                };
                public = PrivateKey::secret(text);
                let alg = asked.unwrap_or(Primitive::HS256);
                if alg.family() != Family::Hmac {
                    return Err(wrong(format!("a secret signs with HMAC, not {alg}")));
                }
                (&public, alg)
            }
            None => {
                let private = key.private.as_ref().ok_or_else(|| no_private(alias, place))?;
                let own = if sign.key.is_none() { self.alg } else { key.signs[0] };
                (private, asked.unwrap_or(own))
            }
        };
        let header = members(&mut self.header, place)?;
        set(header, "alg", Json::string(alg.name()));
        match &sign.kid {
            Kid::Own => match published_kid(situation, key) {
                Some(kid) => set(header, "kid", Json::string(kid)),
                None => header.retain(|member| member.name != "kid"),
            },
            Kid::Keep => {}
            Kid::None => header.retain(|member| member.name != "kid"),
            Kid::Of(other) => {
                let other = named_key(world, other).map_err(wrong)?;
                set(header, "kid", Json::string(published_kid(situation, other).unwrap_or_default()));
            }
            Kid::Text(text) => set(header, "kid", Json::string(text)),
        }
        self.sign(forge, situation, private, alg, place)
    }

    fn splice(
        &mut self,
        forge: &Forge,
        situation: &Situation,
        party: &str,
        splice: &Splice,
        tokens: &BTreeMap<String, Draft>,
        place: At,
    ) -> Result<(), Error> {
        self.settle(forge, situation)?;
        let donor = match (&splice.from, &splice.of) {
            (Some(name), _) => {
                let known = tokens.get(name).cloned();
                known.ok_or_else(|| Error::Scenario {
                    place: place.to_string(),
                    problem: format!("no earlier step presents a token `as` `{name}`"),
                })?
            }
            (None, Some(of)) => {
                let mut draft = Draft::honest_at(forge, situation, party, &of.honest, self.depth + 1)?;
                draft.apply(forge, situation, party, &of.acts, tokens)?;
                draft.settle(forge, situation)?;
                draft
            }
            (None, None) => {
                let problem = "splice needs either `from` or `of`".to_owned();
                return Err(Error::Scenario { place: place.to_string(), problem });
            }
        };
        match splice.part {
            Segment::Header => self.header = donor.header,
            Segment::Payload => self.payload = donor.payload,
            Segment::Signature => {
                self.signature = donor.signature;
                self.signature_spellings = donor.signature_spellings;
            }
        }
        self.events.extend(donor.events);
        Ok(())
    }

    fn raw(&mut self, raw: &Raw) {
        match raw {
            Raw::Token(text) => self.replaced = Some(text.clone()),
            Raw::After(text) => self.around.1.push_str(text),
            Raw::Before(text) => self.around.0.insert_str(0, text),
            Raw::Segments(count) => self.segments = (*count).clamp(1, 3),
            Raw::Text { part: Segment::Header, text } => replace(&mut self.header, text.clone()),
            Raw::Text { part: Segment::Payload, text } => replace(&mut self.payload, text.clone()),
            Raw::Text { part: Segment::Signature, text } => {
                let (header, payload) = (self.header.write(), self.payload.write());
                self.replaced = Some(format!("{header}.{payload}.{text}"));
            }
            Raw::FlipBit { part: Segment::Signature, bit } => self.mangle(&Mangle::FlipBit(*bit)),
            Raw::FlipBit { part, bit } => {
                let text = if *part == Segment::Header { &mut self.header } else { &mut self.payload };
                if let Text::Written(written) = text {
                    let mut octets = Json::Object(written.members.to_vec()).write().into_bytes();
                    flip(&mut octets, *bit);
                    *text = Text::Raw(encode_base64url(&octets));
                }
            }
        }
    }

    /// Around a JSON text white space means nothing (RFC 8259 section 2).
    fn is_surrounded(&self) -> bool {
        let flattened = self.serialization == Serialization::Flattened;
        let means_nothing = |c: char| flattened && matches!(c, ' ' | '\t' | '\n' | '\r');
        let (before, after) = &self.around;
        before.chars().chain(after.chars()).any(|c| !means_nothing(c))
    }

    /// The token and its record.
    pub(super) fn write(self) -> (Token, Provenance) {
        let (header, payload) = (self.header.write(), self.payload.write());
        let surrounded = self.is_surrounded();
        let signature_octets = self.signature.unwrap_or_default();
        let signature = spell_octets(&signature_octets, &self.signature_spellings);
        let whole = format!("{header}.{payload}.{}", signature.text);
        let quoted = |text: &str| Json::string(text).write();
        let plain = match self.serialization {
            Serialization::Flattened => format!(
                r#"{{"payload":{},"protected":{},"signature":{}}}"#,
                quoted(payload),
                quoted(header),
                quoted(&signature.text)
            ),
            Serialization::Detached => format!("{header}..{}", signature.text),
            _ => match self.segments {
                1 => header.to_owned(),
                2 => format!("{header}.{payload}"),
                _ => whole.clone(),
            },
        };
        let text = format!("{}{plain}{}", self.around.0, self.around.1);
        let cut = self.segments < 3 && self.serialization == Serialization::Compact;
        let (text, opaque) = match &self.replaced {
            // Raw text that happens to be what stood there is no raw text.
            Some(raw) if *raw != text => (raw.clone(), true),
            _ => (text, cut && self.segments == 1),
        };
        let presented = if opaque {
            Presented::Opaque
        } else {
            let detached = self.serialization == Serialization::Detached;
            Presented::Jws(Box::new(Jws {
                serialization: self.serialization,
                input: if detached { format!("{header}.") } else { format!("{header}.{payload}") }.into_bytes(),
                header: self.header.part(),
                payload: self.payload.part(),
                signature: if cut { Vec::new() } else { signature_octets },
                signature_departures: signature.departures,
                surrounded,
            }))
        };
        (Token::new(text), Provenance { events: self.events, presented, earlier: Vec::new() })
    }
}

/// The first of a key's algorithms that is allowed, else its first.
fn own_algorithm(key: &Key, allowed: &[String]) -> Primitive {
    let fits = key.signs.iter().find(|alg| allowed.iter().any(|name| name == alg.name()));
    fits.copied().unwrap_or(key.signs[0])
}

/// A key's JWK and the set that it stands in, as the relying party was last told them; where it was not told, as they are
/// published.
fn as_last_sent(forge: &Forge, situation: &Situation, party: &str, key: &Key) -> (Jwk, JwkSet) {
    let world = forge.world();
    let owner = key.owner.as_ref().and_then(|owner| world.issuer(owner)).map(|issuer| &issuer.name);
    let policy = forge.as_last_sent(situation, party);
    let issuers = policy.iter().flat_map(|policy| &policy.issuers);
    // A key of the same material may be listed for others too: its owner's listing comes first.
    let (own, others): (Vec<_>, Vec<_>) = issuers.partition(|issuer| Some(&issuer.issuer) == owner);
    let per_issuer = own.into_iter().chain(others).filter_map(|issuer| issuer.jwks.as_ref());
    let converged = policy.iter().filter_map(|policy| policy.converged_jwks.as_ref());
    for set in per_issuer.chain(converged) {
        let is_it = |jwk: &&Jwk| jwk.material == key.jwk.material;
        let owned = set.keys.iter().filter(is_it).find(|jwk| jwk.issuer.as_ref() == owner);
        if let Some(jwk) = owned.or_else(|| set.keys.iter().find(is_it)) {
            return (jwk.clone(), set.clone());
        }
    }
    let jwk = world.published_jwk(key, published_kid(situation, key).as_deref(), situation.calendar);
    let set = JwkSet::of(vec![jwk.clone()]);
    (jwk, set)
}

fn published_kid(situation: &Situation, key: &Key) -> Option<String> {
    let listed = key.owner.as_ref().and_then(|owner| {
        situation
            .publication
            .listed(owner)
            .iter()
            .find(|(alias, _)| *alias == key.alias)
            .and_then(|(_, kid)| kid.clone())
    });
    listed.or_else(|| key.jwk.kid.clone())
}

fn named_key<'w>(world: &'w World, alias: &str) -> Result<&'w Key, String> {
    world.key(alias).ok_or_else(|| format!("world {} has no key `{alias}`", world.name))
}

fn no_private(alias: &str, place: At) -> Error {
    let problem = format!("the world has only the public half of `{alias}`: it cannot sign");
    Error::Scenario { place: place.to_string(), problem }
}

fn flip(octets: &mut [u8], bit: u32) {
    if octets.is_empty() {
        return;
    }
    let index = bit as usize / 8 % octets.len();
    octets[index] ^= 0x80 >> (bit % 8);
}
