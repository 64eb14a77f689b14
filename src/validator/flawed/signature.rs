//! Who signed: the keys that are tried, what is asked of each, and whether the signature is by it.

use super::issuer::{is_in_every_object, key_of_the_subject};
use super::key::{self, Key, key_of_the_certificate};
use super::read::Jws;
use super::trust::{Claimed, Trust, name_within, tenant_claim};
use super::{Flaw, Flawed, Refusal};
use crate::jose::{Family, Jwk, Material, NumericDate, Primitive};
use crate::policy::{TENANT_PLACE, TrustPolicy, TrustedIssuer, tenant_in};
use serde::Deserialize as _;
use serde_json::{Map, Value};
use std::sync::Arc;

impl Flawed {
    /// Finds the key that signed; `Ok(None)` where a flaw verifies with no listed key.
    pub(super) fn verify(
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
        if self.flaw == Some(Flaw::EmptySetLetsPass) && candidates.is_empty() {
            return Ok(None);
        }
        if self.finds_an_empty_secret(claimed, &candidates, jws.kid())
            && primitive == Primitive::HS256
            && self.lists_permit(&trust.policy, claimed.issuer, primitive)
            && key::hmac_verifies(primitive, &[], &jws.signing_input, &jws.signature)
        {
            return Ok(None);
        }
        Err(refusal)
    }

    /// Whether a lookup by name hands out an empty secret.
    fn finds_an_empty_secret(&self, claimed: &Claimed<'_>, candidates: &[Arc<Key>], kid: Option<&str>) -> bool {
        match self.flaw {
            Some(Flaw::LookupByKidEmptySecret) => {
                kid.is_some_and(|kid| candidates.iter().all(|key| key.jwk.kid.as_deref() != Some(kid)))
            }
            Some(Flaw::PrototypeNames) => is_in_every_object(&claimed.name) || kid.is_some_and(is_in_every_object),
            _ => false,
        }
    }

    /// A key that the token itself brings, for flaws that verify with it.
    fn carried(&self, jws: &Jws) -> Option<Arc<Key>> {
        let jwk = match self.flaw? {
            Flaw::EmbeddedJwkTrusted => Jwk::deserialize(jws.header.get("jwk")?).ok(),
            Flaw::EmbeddedCertificateTrusted => key_of_the_certificate(&jws.header),
            Flaw::ConfirmationKeyTrusted => Jwk::deserialize(jws.claims.get("cnf")?.get("jwk")?).ok(),
            Flaw::SelfIssuedTrusted => key_of_the_subject(&jws.claims),
            _ => None,
        };
        jwk.map(|jwk| Arc::new(Key::new(jwk)))
    }

    /// The keys to try: those of the claimed issuer, by `kid` where it names one of them.
    fn candidates(&self, trust: &Trust, claimed: &Claimed<'_>, jws: &Jws) -> Vec<Arc<Key>> {
        let kid = jws.kid();
        let carried = self.carried(jws);
        let instead = matches!(self.flaw, Some(Flaw::EmbeddedJwkTrusted | Flaw::EmbeddedCertificateTrusted));
        if let (true, Some(key)) = (instead, &carried) {
            return vec![Arc::clone(key)];
        }
        if self.flaw == Some(Flaw::SignatureOnlyOverMergedKeys) {
            return trust.own.iter().flatten().chain(&trust.converged).cloned().collect();
        }
        if self.flaw == Some(Flaw::KidTableOfAllIssuers)
            && let Some(key) = kid.and_then(|kid| trust.last_of(kid))
        {
            return vec![Arc::clone(key)];
        }
        let is_named = |key: &Key| kid.is_some() && key.jwk.kid.as_deref() == kid;
        let by_kid = self.flaw == Some(Flaw::ConvergedByKid);
        let belongs = |key: &Key| self.belongs(key, claimed, &jws.claims) || (by_kid && is_named(key));
        let own = claimed.own.iter().chain(self.of_shorter_names(trust, claimed));
        let own: Vec<_> = own.chain(trust.converged.iter().filter(|key| belongs(key))).collect();
        // As `keys[kid]` does in JavaScript, and in PHP for whoever numbers keys that have no name.
        if self.flaw == Some(Flaw::KidAsIndex)
            && let Some(key) = kid.and_then(|kid| own.get(kid.parse::<usize>().ok()?))
        {
            return vec![Arc::clone(key)];
        }
        let any_named = own.iter().any(|key| is_named(key));
        let own = own.into_iter().filter(|key| !any_named || is_named(key));
        let cached = kid.and_then(|kid| self.cache.get(kid));
        carried.iter().chain(cached).chain(own).cloned().collect()
    }

    /// Keys of the other issuers with whose names the claimed one's begins; none but with [`Flaw::KeysByIssuerPrefix`].
    fn of_shorter_names<'t>(&self, trust: &'t Trust, claimed: &Claimed<'_>) -> impl Iterator<Item = &'t Arc<Key>> {
        let begins = |issuer: &TrustedIssuer| {
            self.flaw == Some(Flaw::KeysByIssuerPrefix)
                && issuer.issuer != claimed.issuer.issuer
                && name_within(&issuer.issuer, &claimed.name, false).is_some()
        };
        let issuers = trust.policy.issuers.iter().zip(&trust.own);
        issuers.filter(move |(issuer, _)| begins(issuer)).flat_map(|(_, own)| own)
    }

    /// Whether a key of the converged set names this issuer, once the tenant is put into its template.
    fn belongs(&self, key: &Key, claimed: &Claimed<'_>, claims: &Map<String, Value>) -> bool {
        let Some(owner) = key.jwk.issuer.as_deref() else {
            return self.flaw == Some(Flaw::KeyIssuerCheckPassesWithoutIssuer);
        };
        match self.flaw {
            Some(Flaw::BlankKeyIssuerPasses) if owner.trim().is_empty() => return true,
            Some(Flaw::KeysByIssuerPrefix) if name_within(owner, &claimed.name, false).is_some() => return true,
            _ => {}
        }
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
            if !jwk.material.fits(primitive) && !self.takes_any_curve(key, primitive) {
                return Err("the key does not have this algorithm");
            }
            let from_header = self.flaw == Some(Flaw::AlgorithmFromHeader);
            if !from_header && !self.lists_permit(policy, claimed.issuer, primitive) {
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

    /// Whether policy and issuer permit the algorithm; an issuer's list narrows the policy's.
    fn lists_permit(&self, policy: &TrustPolicy, issuer: &TrustedIssuer, primitive: Primitive) -> bool {
        let permits = |list: &Vec<String>| {
            list.iter().any(|name| name == primitive.name())
                || (list.is_empty() && self.flaw == Some(Flaw::EmptyAlgorithmsPermitAll))
        };
        let pooled = self.flaw == Some(Flaw::AlgorithmsPooled);
        let by_issuer = |issuer: &TrustedIssuer| issuer.algorithms.as_ref().is_none_or(permits);
        policy.algorithms.as_ref().is_none_or(permits)
            && (by_issuer(issuer) || (pooled && policy.issuers.iter().any(by_issuer)))
    }

    /// Whether the key's public text is to be the secret of an HMAC.
    fn takes_public_text(&self, key: &Key, primitive: Primitive) -> bool {
        let takes =
            matches!(self.flaw, Some(Flaw::HmacOverPublicPem | Flaw::HmacOverJwkText | Flaw::HmacOverOpensshLine));
        takes && primitive.family() == Family::Hmac && !key.is_secret()
    }

    /// That text.
    fn public_text(&self, key: &Key) -> Option<String> {
        match self.flaw? {
            Flaw::HmacOverPublicPem => key.spki_pem(),
            Flaw::HmacOverJwkText => serde_json::to_string(&key.jwk).ok(),
            Flaw::HmacOverOpensshLine => key.openssh_line(),
            _ => None,
        }
    }

    /// Whether the key is to be used on its own curve, though the algorithm is for another.
    fn takes_any_curve(&self, key: &Key, primitive: Primitive) -> bool {
        let kind = matches!(
            (&key.jwk.material, primitive.family()),
            (Material::Ec { .. }, Family::Ecdsa) | (Material::Okp { .. }, Family::EdDsa)
        );
        self.flaw == Some(Flaw::CurveNotCompared) && kind
    }

    fn is_signed_by(&self, key: &Key, primitive: Primitive, jws: &Jws) -> bool {
        match self.flaw {
            Some(Flaw::SignatureNotVerified) => return true,
            Some(Flaw::UnsignedIfEmpty) if jws.signature.is_empty() => return true,
            _ => {}
        }
        let verifies = |input: &[u8]| match self.flaw {
            Some(_) if self.takes_public_text(key, primitive) => self
                .public_text(key)
                .is_some_and(|text| key::hmac_verifies(primitive, text.as_bytes(), input, &jws.signature)),
            Some(_) if self.takes_any_curve(key, primitive) && !key.jwk.material.fits(primitive) => {
                key.verifies_on_its_curve(primitive, input, &jws.signature)
            }
            Some(Flaw::ShortKeysAccepted) if !key.is_long_enough(primitive) => {
                key.verifies_at_any_length(primitive, input, &jws.signature)
            }
            _ => key.verifies(primitive, input, &jws.signature),
        };
        verifies(&jws.signing_input) || jws.respelled_input.as_deref().is_some_and(verifies)
    }
}
