//! Validators that are known to be wrong: one sound pipeline, with one mistake at the place where a flaw makes it.
//!
//! They measure the harness: each must be found out, and the one without a flaw must come through clean.

mod flaw;
mod key;
mod names;
mod read;
#[cfg(test)]
mod tests;
mod trust;

pub use flaw::Flaw;

use super::{Clock, Configured, Description, Fault, Identity, Maker, Validator, Verdict};
use crate::jose::{Family, Jwk, NumericDate, Primitive, Token};
use crate::policy::{Replay, TENANT_PLACE, TrustPolicy, TrustedIssuer, tenant_in};
use key::Key;
use names::claimed_loosely;
use read::Jws;
use serde_json::{Map, Number, Value};
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use trust::{Claimed, Trust, tenant_claim, unsupported};

/// Why a token is refused, for people.
type Refusal = &'static str;

/// Header names that RFC 7515 and RFC 7518 define, which `crit` must not list (RFC 7515 section 4.1.11).
const REGISTERED: [&str; 20] = [
    "alg", "jku", "jwk", "kid", "x5u", "x5c", "x5t", "x5t#S256", "typ", "cty", "crit", "enc", "zip", "epk", "apu",
    "apv", "iv", "tag", "p2s", "p2c",
];

/// Makes fresh validators with this flaw, or sound ones.
#[must_use]
pub fn maker(flaw: Option<Flaw>) -> Maker {
    Arc::new(move || Box::new(Flawed::new(flaw)))
}

/// A validator that makes one mistake, or none.
pub struct Flawed {
    flaw: Option<Flaw>,
    trust: Option<Trust>,
    /// Keys of accepted tokens; filled only with [`Flaw::KidCacheAcrossIssuers`].
    cache: HashMap<String, Arc<Key>>,
    /// Accepted tokens by `iss` and `jti`, or whole where they have none, for policies that refuse them a second time.
    accepted: HashSet<(String, String)>,
    /// The subject of the last accepted token; read only with [`Flaw::SwapsSubject`].
    last_subject: Option<Option<String>>,
}

/// A token that passed, who it is and whose signature it has.
struct Accepted {
    identity: Identity,
    key: Option<Arc<Key>>,
}

impl Flawed {
    /// A validator with this flaw, or a sound one.
    #[must_use]
    pub fn new(flaw: Option<Flaw>) -> Self {
        Flawed { flaw, trust: None, cache: HashMap::new(), accepted: HashSet::new(), last_subject: None }
    }
}

impl Validator for Flawed {
    fn describe(&self) -> Description {
        let name = self.flaw.map_or_else(|| "sound".to_owned(), |flaw| format!("flawed-{}", flaw.name()));
        let mut description = Description::new(name, env!("CARGO_PKG_VERSION"), Clock::Settable);
        description.algorithms = key::ALGORITHMS.map(String::from).into();
        description
    }

    fn configure(&mut self, policy: &TrustPolicy) -> Result<Configured, Fault> {
        let before = self.trust.take();
        self.cache.clear();
        if let Some(reason) = unsupported(policy) {
            return Ok(Configured::Skip(reason.to_owned()));
        }
        let mut policy = policy.clone();
        if let Some(before) = before {
            trust::carry_over(self.flaw, before.policy, &mut policy);
        }
        self.trust = Some(Trust::new(policy));
        Ok(Configured::Ready)
    }

    fn validate(&mut self, token: &Token, now: NumericDate) -> Result<Verdict, Fault> {
        let Some(trust) = &self.trust else {
            return Err(Fault::Broken("it has no policy".to_owned()));
        };
        match self.flaw {
            Some(Flaw::AcceptAll) => return Ok(Verdict::accept(identity_unverified(&trust.policy, token))),
            Some(Flaw::RejectAll) => return Ok(Verdict::Reject("no".to_owned())),
            _ => {}
        }
        let judged = Jws::read(token, self.flaw).and_then(|jws| Ok((self.judge(trust, &jws, now)?, jws)));
        let (accepted, jws) = match judged {
            Ok(accepted) => accepted,
            Err(refusal) => return Ok(Verdict::Reject(self.worded(trust, refusal))),
        };
        let Accepted { mut identity, key } = accepted;
        if trust.policy.replay == Some(Replay::Refuse) && self.flaw != Some(Flaw::ReplayAccepted) {
            let jti = jws.claims.get("jti").and_then(Value::as_str).map(str::to_owned);
            let id = jti.unwrap_or_else(|| String::from_utf8_lossy(token.as_bytes()).into_owned());
            if !self.accepted.insert((identity.iss.clone().unwrap_or_default(), id)) {
                return Ok(Verdict::Reject("accepted before".to_owned()));
            }
        }
        if let (Some(Flaw::KidCacheAcrossIssuers), Some(kid), Some(key)) = (self.flaw, jws.kid(), &key) {
            self.cache.insert(kid.to_owned(), Arc::clone(key));
        }
        let previous = self.last_subject.replace(identity.sub.clone());
        if self.flaw == Some(Flaw::SwapsSubject)
            && let Some(previous) = previous
        {
            identity.sub = previous;
        }
        let key = key.map(|key| key.jwk.material.thumbprint());
        Ok(Verdict::Accept { identity: Some(identity), key })
    }
}

impl Flawed {
    /// The pipeline. Every rejection of the sound validator is in here, and every mistake stands where it is made.
    fn judge(&self, trust: &Trust, jws: &Jws, now: NumericDate) -> Result<Accepted, Refusal> {
        if trust.policy.serializations.as_ref().is_some_and(Vec::is_empty) {
            return Err("no serialization is permitted");
        }
        self.check_header(&trust.policy, &jws.header)?;
        let primitive = self.algorithm(&jws.header)?;
        let mut refusal = "no issuer is trusted";
        for claimed in self.claimed_issuers(trust, jws)? {
            match self.judge_for(trust, &claimed, jws, primitive, now) {
                Ok(accepted) => return Ok(accepted),
                Err(because) => refusal = because,
            }
        }
        Err(refusal)
    }

    /// The rest of the pipeline, once it is clear which issuer's rules hold. No primitive: nothing is to be verified.
    fn judge_for(
        &self,
        trust: &Trust,
        claimed: &Claimed<'_>,
        jws: &Jws,
        primitive: Option<Primitive>,
        now: NumericDate,
    ) -> Result<Accepted, Refusal> {
        let tenant = self.check_tenant(claimed, &jws.claims)?;
        self.check_signer(claimed, &jws.header)?;
        let key = match primitive {
            Some(primitive) => self.verify(trust, claimed, jws, primitive, now)?,
            None => None,
        };
        self.check_required_claims(&trust.policy, &jws.claims)?;
        self.check_times(&trust.policy, &jws.claims, now)?;
        self.check_audience(&trust.policy, claimed, &jws.claims)?;
        let mut sub = self.check_subject(claimed, &jws.claims)?;
        if self.flaw == Some(Flaw::SubjectFromUsername) {
            let names = ["preferred_username", "email"].iter().filter_map(|name| jws.claims.get(*name)?.as_str());
            sub = names.map(str::to_owned).next().or(sub);
        }
        Ok(Accepted { identity: Identity { iss: claimed.iss.clone(), sub, tenant }, key })
    }

    fn check_header(&self, policy: &TrustPolicy, header: &Map<String, Value>) -> Result<(), Refusal> {
        match header.get("kid") {
            None if self.flaw == Some(Flaw::RefusesNoKid) => return Err("no kid"),
            None | Some(Value::String(_)) => {}
            Some(_) => return Err("kid is not text"),
        }
        // RFC 7797 section 7: not in a JWT, whether `crit` says so or not.
        if header.get("b64").is_some_and(|value| *value != Value::Bool(true)) {
            return Err("the payload is not encoded");
        }
        if let Some(crit) = header.get("crit")
            && self.flaw != Some(Flaw::CritIgnored)
        {
            check_crit(policy, header, crit)?;
        }
        match policy.token_types.as_deref() {
            None | Some([]) => Ok(()),
            Some(_) if self.flaw == Some(Flaw::TypeIgnored) => Ok(()),
            Some(types) => {
                let typ = header.get("typ").and_then(Value::as_str).map(media_type).ok_or("no typ")?;
                types.iter().any(|one| media_type(one) == typ).then_some(()).ok_or("another typ")
            }
        }
    }

    /// What `alg` names; `Ok(None)` is the mistake of [`Flaw::AcceptsNone`].
    fn algorithm(&self, header: &Map<String, Value>) -> Result<Option<Primitive>, Refusal> {
        let name = header.get("alg").and_then(Value::as_str).ok_or("no alg")?;
        if self.flaw == Some(Flaw::AcceptsNone) && name.eq_ignore_ascii_case("none") {
            return Ok(None);
        }
        let primitive = Primitive::from_name(name).ok_or("unknown alg")?;
        if self.flaw == Some(Flaw::RefusesPs256) && primitive == Primitive::PS256 {
            return Err("no PS256 today");
        }
        Ok(Some(primitive))
    }

    /// Whom the token claims to be from: exactly one trusted issuer, unless a flaw sees more in it.
    fn claimed_issuers<'t>(&self, trust: &'t Trust, jws: &Jws) -> Result<Vec<Claimed<'t>>, Refusal> {
        let claims = &jws.claims;
        let repeated = jws.header.get("iss").filter(|_| self.flaw == Some(Flaw::IssuerFromHeader));
        match repeated.or_else(|| claims.get("iss")) {
            Some(Value::String(iss)) if self.flaw == Some(Flaw::IssuerByKey) && trust.named(iss).is_none() => {
                Ok(claimed_by_anybody(trust, claims, Some(iss)))
            }
            Some(Value::String(iss)) => {
                let claimed = trust.named(iss).or_else(|| claimed_loosely(self.flaw, trust, iss, claims));
                assert!(
                    claimed.is_some() || self.flaw != Some(Flaw::PanicsOnUnknownIssuer),
                    "an issuer that is not in the table"
                );
                Ok(vec![claimed.ok_or("the issuer is not trusted")?])
            }
            Some(Value::Array(names)) if self.flaw == Some(Flaw::IssuerArray) => {
                let claimed = names.iter().filter_map(Value::as_str).find_map(|name| trust.named(name));
                Ok(vec![claimed.ok_or("no issuer of the list is trusted")?])
            }
            None if self.flaw == Some(Flaw::MissingIssuerAllowed) => Ok(claimed_by_anybody(trust, claims, None)),
            None => Err("no iss"),
            Some(_) => Err("iss is not text"),
        }
    }

    fn check_tenant(&self, claimed: &Claimed<'_>, claims: &Map<String, Value>) -> Result<Option<String>, Refusal> {
        if !claimed.issuer.is_template() {
            return Ok(None);
        }
        let tenant = claims.get(tenant_claim(claimed.issuer)).and_then(Value::as_str).ok_or("no tenant claim")?;
        let named = tenant_in(&claimed.issuer.issuer, &claimed.name);
        let same = |one: &str| match self.flaw {
            Some(Flaw::TenantCaseFolded) => one.eq_ignore_ascii_case(tenant),
            _ => one == tenant,
        };
        if !named.is_some_and(same) && self.flaw != Some(Flaw::TenantMismatchIgnored) {
            return Err("the tenant claim is not the tenant of the issuer");
        }
        let admitted = claimed.issuer.tenants.as_ref().is_none_or(|tenants| tenants.iter().any(|one| same(one)));
        if !admitted && self.flaw != Some(Flaw::TenantAllowListIgnored) {
            return Err("the tenant is not admitted");
        }
        Ok(Some(tenant.to_owned()))
    }

    fn check_signer(&self, claimed: &Claimed<'_>, header: &Map<String, Value>) -> Result<(), Refusal> {
        let Some(signer) = &claimed.issuer.signer else {
            return Ok(());
        };
        let named = header.get("signer").and_then(Value::as_str) == Some(signer);
        if named || self.flaw == Some(Flaw::SignerIgnored) { Ok(()) } else { Err("another signer") }
    }

    /// Finds the key that signed; `Ok(None)` where a flaw verifies with no listed key.
    fn verify(
        &self,
        trust: &Trust,
        claimed: &Claimed<'_>,
        jws: &Jws,
        primitive: Primitive,
        now: NumericDate,
    ) -> Result<Option<Arc<Key>>, Refusal> {
        let candidates = self.candidates(trust, claimed, jws);
        let mut refusal = "no key of the issuer";
        for key in &candidates {
            match self.check_key(&trust.policy, claimed, key, primitive, now) {
                Ok(()) if self.is_signed_by(key, primitive, jws) => return Ok(Some(Arc::clone(key))),
                Ok(()) => refusal = "the signature does not match",
                Err(because) => refusal = because,
            }
        }
        let unknown = jws.kid().is_some_and(|kid| candidates.iter().all(|key| key.jwk.kid.as_deref() != Some(kid)));
        if self.flaw == Some(Flaw::LookupByKidEmptySecret)
            && unknown
            && primitive == Primitive::HS256
            && lists_permit(&trust.policy, claimed.issuer, primitive)
            && key::hmac_verifies(primitive, &[], &jws.signing_input, &jws.signature)
        {
            return Ok(None);
        }
        Err(refusal)
    }

    /// The keys to try: those of the claimed issuer, by `kid` where it names one of them.
    fn candidates(&self, trust: &Trust, claimed: &Claimed<'_>, jws: &Jws) -> Vec<Arc<Key>> {
        let kid = jws.kid();
        if self.flaw == Some(Flaw::EmbeddedJwkTrusted)
            && let Some(embedded) = jws.header.get("jwk")
            && let Ok(jwk) = serde_json::from_value::<Jwk>(embedded.clone())
        {
            return vec![Arc::new(Key::new(jwk))];
        }
        if self.flaw == Some(Flaw::SignatureOnlyOverMergedKeys) {
            return trust.own.iter().flatten().chain(&trust.converged).cloned().collect();
        }
        let is_named = |key: &Key| kid.is_some() && key.jwk.kid.as_deref() == kid;
        let by_kid = self.flaw == Some(Flaw::ConvergedByKid);
        let belongs = |key: &Key| self.belongs(key, claimed, &jws.claims) || (by_kid && is_named(key));
        let own: Vec<_> = claimed.own.iter().chain(trust.converged.iter().filter(|key| belongs(key))).collect();
        let any_named = own.iter().any(|key| is_named(key));
        let own = own.into_iter().filter(|key| !any_named || is_named(key));
        let cached = kid.and_then(|kid| self.cache.get(kid));
        cached.into_iter().chain(own).cloned().collect()
    }

    /// Whether a key of the converged set names this issuer, once the tenant is put into its template.
    fn belongs(&self, key: &Key, claimed: &Claimed<'_>, claims: &Map<String, Value>) -> bool {
        let Some(owner) = key.jwk.issuer.as_deref() else {
            return self.flaw == Some(Flaw::KeyIssuerCheckPassesWithoutIssuer);
        };
        if !owner.contains(TENANT_PLACE) {
            return owner == claimed.name;
        }
        // A literal issuer has no tenant that could be put into a template.
        if !claimed.issuer.is_template() {
            return false;
        }
        let tenant = claims.get(tenant_claim(claimed.issuer)).and_then(Value::as_str);
        let named = tenant_in(owner, &claimed.name);
        named.is_some() && (named == tenant || self.flaw == Some(Flaw::TenantMismatchIgnored))
    }

    fn check_key(
        &self,
        policy: &TrustPolicy,
        claimed: &Claimed<'_>,
        key: &Key,
        primitive: Primitive,
        now: NumericDate,
    ) -> Result<(), Refusal> {
        let jwk = &key.jwk;
        if !self.takes_public_text(key, primitive) {
            if !jwk.material.fits(primitive) {
                return Err("the key does not have this algorithm");
            }
            let from_header = self.flaw == Some(Flaw::AlgorithmFromHeader);
            if !from_header && !lists_permit(policy, claimed.issuer, primitive) {
                return Err("the algorithm is not permitted");
            }
            let own = jwk.alg.as_deref().is_none_or(|alg| alg == primitive.name());
            if !own && !from_header && self.flaw != Some(Flaw::JwkAlgIgnored) {
                return Err("the key is for another algorithm");
            }
        }
        if !key.is_long_enough(primitive) && self.flaw != Some(Flaw::ShortKeysAccepted) {
            return Err("the key is too short");
        }
        if jwk.key_use.as_deref().is_some_and(|key_use| key_use != "sig") && self.flaw != Some(Flaw::UseEncAccepted) {
            return Err("the key is not for signatures");
        }
        let verifies = jwk.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if !verifies && self.flaw != Some(Flaw::KeyOpsIgnored) {
            return Err("the key may not verify");
        }
        if let (Some(ours), Some(theirs)) = (&policy.cloud_instance, &jwk.cloud_instance_name)
            && ours != theirs
            && self.flaw != Some(Flaw::CloudIgnored)
        {
            return Err("the key belongs to another cloud");
        }
        if let (Some(true), Some(lifetime)) = (policy.enforce_key_lifetime, jwk.lifetime()) {
            let alive = lifetime.not_before.is_none_or(|first| first <= now)
                && lifetime.not_after.is_none_or(|last| now <= last);
            if !alive && self.flaw != Some(Flaw::LifetimeIgnored) {
                return Err("the key is not within its lifetime");
            }
        }
        Ok(())
    }

    /// Whether the key's public text is to be the secret of an HMAC.
    fn takes_public_text(&self, key: &Key, primitive: Primitive) -> bool {
        self.flaw == Some(Flaw::HmacOverPublicPem) && primitive.family() == Family::Hmac && !key.is_secret()
    }

    fn is_signed_by(&self, key: &Key, primitive: Primitive, jws: &Jws) -> bool {
        match self.flaw {
            Some(Flaw::SignatureNotVerified) => return true,
            Some(Flaw::UnsignedIfEmpty) if jws.signature.is_empty() => return true,
            _ => {}
        }
        let verifies = |input: &[u8]| match self.flaw {
            Some(Flaw::HmacOverPublicPem) if self.takes_public_text(key, primitive) => {
                key.spki_pem().is_some_and(|pem| key::hmac_verifies(primitive, pem.as_bytes(), input, &jws.signature))
            }
            Some(Flaw::ShortKeysAccepted) if !key.is_long_enough(primitive) => {
                key.verifies_at_any_length(primitive, input, &jws.signature)
            }
            _ => key.verifies(primitive, input, &jws.signature),
        };
        verifies(&jws.signing_input) || jws.respelled_input.as_deref().is_some_and(verifies)
    }

    fn check_required_claims(&self, policy: &TrustPolicy, claims: &Map<String, Value>) -> Result<(), Refusal> {
        for name in policy.required_claims.iter().flatten() {
            let excused = match self.flaw {
                Some(Flaw::RequiredClaimsIgnored) => name != "iss",
                Some(Flaw::MissingIssuerAllowed) => name == "iss",
                Some(Flaw::AudienceOptional) => name == "aud",
                _ => false,
            };
            // RFC 7519 section 4.1: these are text, and `iat` a number; other types are checked where they are read.
            let there = match (name.as_str(), claims.get(name)) {
                (_, None | Some(Value::Null)) => false,
                ("iat", Some(value)) => value.is_number(),
                (_, Some(Value::String(text))) => !text.is_empty(),
                ("sub" | "jti" | "tid", Some(_)) => false,
                (_, Some(_)) => true,
            };
            if !there && !excused {
                return Err("a required claim is missing");
            }
        }
        Ok(())
    }

    /// `nbf - leeway <= now < exp + leeway`, written so that nothing can overflow.
    fn check_times(&self, policy: &TrustPolicy, claims: &Map<String, Value>, now: NumericDate) -> Result<(), Refusal> {
        let (now, mut leeway) = (i128::from(now.0), i128::from(policy.leeway.unwrap_or(0)));
        if self.flaw == Some(Flaw::LeewayWraps) {
            leeway = i128::from(policy.leeway.unwrap_or(0).cast_signed());
        }
        if self.flaw != Some(Flaw::ExpiryIgnored)
            && let Some(exp) = self.time(claims, "exp")?
        {
            let minute = if self.flaw == Some(Flaw::ExpiredByAMinute) { 60 } else { 0 };
            let passed = match compare(&exp, now - leeway - minute) {
                Some(Ordering::Greater) => false,
                Some(Ordering::Equal) => self.flaw != Some(Flaw::ExpiryInclusive),
                Some(Ordering::Less) | None => true,
            };
            if passed {
                self.stand_still();
                return Err("it has expired");
            }
        }
        if self.flaw != Some(Flaw::NotBeforeIgnored)
            && let Some(nbf) = self.time(claims, "nbf")?
            && !matches!(compare(&nbf, now + leeway), Some(Ordering::Less | Ordering::Equal))
        {
            return Err("it is not valid yet");
        }
        Ok(())
    }

    fn time(&self, claims: &Map<String, Value>, name: &str) -> Result<Option<Number>, Refusal> {
        match claims.get(name) {
            None => Ok(None),
            Some(Value::Number(number)) => Ok(self.date(number)),
            Some(Value::String(_)) if self.flaw == Some(Flaw::NumericStringExp) => Ok(None),
            Some(_) => Err("a time is not a number"),
        }
    }

    /// The date that a number stands for; a flaw may see another one, or none.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "these are the mistakes")]
    fn date(&self, number: &Number) -> Option<Number> {
        const END_OF_9999: f64 = 253_402_300_800.0;
        let whole = number.as_i64();
        match self.flaw {
            Some(Flaw::OnlyWholeDatesRead) => whole.map(Number::from),
            Some(Flaw::DatesIn32Bits) => Some(whole.map_or_else(|| number.clone(), |whole| Number::from(whole as u32))),
            Some(Flaw::MillisecondsGuessed) if number.as_f64().is_some_and(|date| date >= END_OF_9999) => {
                Some(whole.map_or_else(|| number.clone(), |whole| Number::from(whole / 1000)))
            }
            _ => Some(number.clone()),
        }
    }

    fn stand_still(&self) {
        if self.flaw == Some(Flaw::HangsOnExpired) {
            (0..3600).for_each(|_| std::thread::sleep(Duration::from_secs(1)));
        }
    }

    fn check_audience(
        &self,
        policy: &TrustPolicy,
        claimed: &Claimed<'_>,
        claims: &Map<String, Value>,
    ) -> Result<(), Refusal> {
        let lists: Vec<&Vec<String>> = policy.audiences.iter().chain(&claimed.issuer.audiences).collect();
        if lists.is_empty() || self.flaw == Some(Flaw::AudienceIgnored) {
            return Ok(());
        }
        let nameless = lists.iter().all(|list| list.is_empty());
        let is_ours = |audience: &str| {
            lists.iter().all(|list| {
                list.iter().any(|ours| match self.flaw {
                    Some(Flaw::AudienceByPrefix) => audience.starts_with(ours),
                    Some(Flaw::AudienceWildcard) => audience == ours || audience == "*",
                    _ => audience == ours,
                })
            })
        };
        let named: Vec<&str> = match claims.get("aud") {
            None if nameless || self.flaw == Some(Flaw::AudienceOptional) => return Ok(()),
            None => return Err("no aud"),
            Some(Value::String(audience)) if self.flaw == Some(Flaw::AudienceSplit) => {
                audience.split([' ', ',']).collect()
            }
            Some(Value::String(audience)) => vec![audience],
            Some(Value::Array(audiences)) => {
                let texts: Option<_> = audiences.iter().map(Value::as_str).collect();
                texts.ok_or("an audience is not text")?
            }
            Some(_) => return Err("aud is neither text nor a list"),
        };
        named.into_iter().any(is_ours).then_some(()).ok_or("for another audience")
    }

    fn check_subject(&self, claimed: &Claimed<'_>, claims: &Map<String, Value>) -> Result<Option<String>, Refusal> {
        let sub = match claims.get("sub") {
            None => None,
            Some(Value::String(sub)) => Some(sub),
            Some(_) => return Err("sub is not text"),
        };
        if let Some(subjects) = &claimed.issuer.subjects
            && !sub.is_some_and(|sub| subjects.contains(sub))
            && self.flaw != Some(Flaw::SubjectIgnored)
        {
            return Err("the issuer may not name this subject");
        }
        Ok(sub.cloned())
    }

    fn worded(&self, trust: &Trust, refusal: Refusal) -> String {
        if self.flaw == Some(Flaw::PrintsSecret)
            && let Some(secret) = trust.policy.secret_octets().next()
        {
            let hex: String = secret.iter().map(|octet| format!("{octet:02x}")).collect();
            return format!("{refusal} (key {hex})");
        }
        refusal.to_owned()
    }
}

/// Every trusted issuer, for flaws that let the key decide whose token it is.
fn claimed_by_anybody<'t>(trust: &'t Trust, claims: &Map<String, Value>, iss: Option<&str>) -> Vec<Claimed<'t>> {
    let claimed = trust.policy.issuers.iter().filter_map(|issuer| {
        let tenant = claims.get(tenant_claim(issuer)).and_then(Value::as_str).unwrap_or_default();
        trust.claimed(issuer, issuer.issuer.replace(TENANT_PLACE, tenant), iss.map(str::to_owned))
    });
    claimed.collect()
}

/// RFC 7515 section 4.1.11.
fn check_crit(policy: &TrustPolicy, header: &Map<String, Value>, crit: &Value) -> Result<(), Refusal> {
    let names = crit.as_array().filter(|names| !names.is_empty()).ok_or("crit is not a list of names")?;
    for (index, name) in names.iter().enumerate() {
        let text = name.as_str().ok_or("crit is not a list of names")?;
        let understood = policy.crit_understood.iter().flatten().any(|one| one == text);
        if !understood || REGISTERED.contains(&text) || !header.contains_key(text) || names[..index].contains(name) {
            return Err("an extension is not understood");
        }
    }
    Ok(())
}

/// A `typ` in the form in which it is compared (RFC 7515 section 4.1.9).
fn media_type(typ: &str) -> String {
    let typ = typ.to_ascii_lowercase();
    match typ.strip_prefix("application/") {
        Some(rest) if !rest.contains('/') => rest.to_owned(),
        _ => typ,
    }
}

/// Whether policy and issuer permit the algorithm; an issuer's list narrows the policy's.
fn lists_permit(policy: &TrustPolicy, issuer: &TrustedIssuer, primitive: Primitive) -> bool {
    let mut lists = policy.algorithms.iter().chain(&issuer.algorithms);
    lists.all(|list| list.iter().any(|name| name == primitive.name()))
}

/// Compares a JSON number with a whole one; fractions count.
fn compare(number: &Number, whole: i128) -> Option<Ordering> {
    let exact = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
    match exact {
        Some(exact) => Some(exact.cmp(&whole)),
        None => number.as_f64()?.partial_cmp(&(whole as f64)),
    }
}

/// What a token says of itself, believed as it stands.
fn identity_unverified(policy: &TrustPolicy, token: &Token) -> Identity {
    let claims = read::claims_unverified(token).unwrap_or_default();
    let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
    let iss = text("iss");
    let issuer = iss.as_deref().and_then(|iss| policy.issuer_named(iss)).filter(|issuer| issuer.is_template());
    Identity { sub: text("sub"), tenant: issuer.and_then(|issuer| text(tenant_claim(issuer))), iss }
}
