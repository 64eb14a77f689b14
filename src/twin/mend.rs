//! Policy twins: mend the policy, rule by rule, until the oracle says that the token may be accepted.

use crate::jose::{Json, Jwk, JwkSet, Material, Member, NumericDate, last};
use crate::oracle::{Expectation, Latitude, Told, expect};
use crate::policy::{KeySource, Replay, TrustPolicy, TrustedIssuer, tenant_in};
use crate::provenance::{Presented, Provenance, SigningEvent};
use crate::rule::Rule;
use std::borrow::Cow;

/// A leeway beyond this is no leeway that anybody configures.
const MAX_LEEWAY: i64 = 10 * 365 * 86_400;

/// A rule mended can bring another to light, since premises order the rules; there are fewer rounds than rules.
const MAX_ROUNDS: usize = 8;

/// Spelling, `none`, `crit`: no policy makes these good.
const BEYOND_POLICY: [Rule; 4] =
    [Rule::SignatureMatches, Rule::ReceivedBytesVerified, Rule::WellFormed, Rule::CritUnderstood];

/// The nearest policy under which accepting this very token is lawful, `original` being what is lawful under the policies
/// handed over; `None` where the policy cannot help.
#[must_use]
pub fn policy_twin(
    told: &[Told<'_>],
    provenance: &Provenance,
    now: NumericDate,
    original: &Expectation,
) -> Option<TrustPolicy> {
    let at = told.last()?.at;
    let permits = |policy: &TrustPolicy| expect(&[Told { at, policy }], provenance, now);
    // What has gone out of service was in order under a policy handed over earlier.
    if original.broken().contains(&Rule::KeyInService) {
        let earlier = told.iter().rev().find(|told| permits(told.policy).acceptable().is_some());
        return earlier.map(|told| told.policy.undisturbed());
    }
    let Presented::Jws(jws) = &provenance.presented else { return None };
    let token = Token {
        header: jws.header.members()?,
        payload: jws.payload.members()?,
        signer: provenance.events.iter().find(|event| event.input == jws.input && event.signature == jws.signature),
        serialization: jws.serialization,
        now,
    };
    // Under a policy that was never changed, and for a token never seen before, that is what it says by itself too.
    let same = told.len() == 1 && provenance.earlier.is_empty();
    let mut expectation = if same { Cow::Borrowed(original) } else { Cow::Owned(permits(told.last()?.policy)) };
    // What no policy makes good is not worth copying one for.
    if expectation.broken().iter().any(|rule| BEYOND_POLICY.contains(rule)) {
        return None;
    }
    // Where keys cannot be had, a refusal shows nothing.
    let mut policy = told.last()?.policy.undisturbed();
    for _ in 0..MAX_ROUNDS {
        if expectation.acceptable().is_some() {
            // Whoever refuses every name that stands twice may: a token that says it once shows more.
            if expectation.latitudes().contains(&Latitude::DuplicateMember) {
                return None;
            }
            // An issuer that was added by its literal name, and whose key says a template: list the key plainly.
            if expectation.latitudes().contains(&Latitude::TemplateForLiteral) {
                token.mend(&mut policy, Rule::KeyBelongsToIssuer)?;
            }
            return Some(policy);
        }
        for &rule in expectation.broken() {
            token.mend(&mut policy, rule)?;
        }
        expectation = Cow::Owned(permits(&policy));
    }
    None
}

/// What mending needs to know of the presented token.
struct Token<'t> {
    header: &'t [Member],
    payload: &'t [Member],
    signer: Option<&'t SigningEvent>,
    serialization: crate::jose::Serialization,
    now: NumericDate,
}

impl Token<'_> {
    fn claim(&self, name: &str) -> Option<&str> {
        last(self.payload, name).and_then(Json::as_str)
    }

    fn mend(&self, policy: &mut TrustPolicy, rule: Rule) -> Option<()> {
        let iss = self.claim("iss");
        match rule {
            Rule::IssuerTrusted => {
                let name = iss.filter(|name| !name.is_empty() && !name.contains('{'))?;
                let mut issuer = TrustedIssuer { issuer: name.to_owned(), ..TrustedIssuer::default() };
                issuer.algorithms = Some(vec![self.signer?.primitive.name().to_owned()]);
                if policy.key_source == KeySource::PerIssuer {
                    issuer.jwks = Some(JwkSet::default());
                }
                policy.issuers.push(issuer);
            }
            Rule::KeyBelongsToIssuer => self.list_signer(policy, iss?)?,
            Rule::KeyLifetimeHonoured => policy.enforce_key_lifetime = Some(false),
            Rule::TenantAdmitted => {
                let told = claimed(policy, iss?)?;
                let tenant = tenant_in(&told.issuer, iss?)?.to_owned();
                if self.claim(told.tenant_claim.as_deref().unwrap_or("tid")) != Some(&tenant) {
                    return None;
                }
                told.tenants.as_mut()?.push(tenant);
            }
            Rule::CloudMatches => policy.cloud_instance = self.listing(policy)?.cloud_instance_name.clone(),
            Rule::SubjectAdmitted => {
                let subject = self.claim("sub")?.to_owned();
                claimed(policy, iss?)?.subjects.as_mut()?.push(subject);
            }
            Rule::SignerNamed => {
                let signer = last(self.header, "signer");
                claimed(policy, iss?)?.signer = match signer {
                    None => None,
                    Some(value) => Some(value.as_str()?.to_owned()),
                };
            }
            Rule::AlgorithmAllowed => {
                let name = self.signer?.primitive.name();
                if let Some(listing) = self.listing(policy)
                    && listing.alg.is_some()
                {
                    listing.alg = Some(name.to_owned());
                }
                permit(&mut policy.algorithms, name);
                permit(&mut claimed(policy, iss?)?.algorithms, name);
            }
            Rule::AudienceIncludesUs => {
                let name = match last(self.payload, "aud")? {
                    Json::Array(items) if items.iter().all(|item| item.as_str().is_some()) => {
                        items.first()?.as_str()?
                    }
                    value => value.as_str()?,
                };
                permit(&mut policy.audiences, name);
                if let Some(told) = iss.and_then(|iss| claimed(policy, iss)) {
                    permit(&mut told.audiences, name);
                }
            }
            Rule::RequiredClaimsPresent => self.ask_for_less(policy)?,
            Rule::KeyUsePermits => {
                let listing = self.listing(policy)?;
                (listing.key_use, listing.key_ops) = (None, None);
            }
            Rule::NotExpired => {
                let Json::Number(literal) = last(self.payload, "exp")? else { return None };
                widen(policy, self.now.0.checked_sub(literal.parse().ok()?)?)?;
            }
            Rule::NotBeforeReached => {
                let Json::Number(literal) = last(self.payload, "nbf")? else { return None };
                widen(policy, literal.parse::<i64>().ok()?.checked_sub(self.now.0)?)?;
            }
            Rule::ReplayRefused => policy.replay = Some(Replay::Allow),
            Rule::TypeExpected => match last(self.header, "typ") {
                Some(Json::String(typ)) if !typ.is_empty() => permit(&mut policy.token_types, typ),
                _ => policy.token_types = None,
            },
            Rule::SerializationExpected => {
                if self.serialization == crate::jose::Serialization::Detached
                    || last(self.header, "b64").is_some()
                    || policy.serializations.as_ref().is_some_and(|list| list.contains(&self.serialization))
                {
                    return None;
                }
                policy.serializations.get_or_insert_default().push(self.serialization);
            }
            // Listed in a form that makes no key of it: the key itself in its place. One that is no good itself stays so.
            Rule::KeyAcceptable if self.listing(policy).is_none() => self.list_signer(policy, iss?)?,
            // A short key and BEYOND_POLICY.
            _ => return None,
        }
        Some(())
    }

    /// Lists the key that signed for the issuer that the token claims, under the `kid` that the token names, in the place of
    /// whatever stood there: a validator that follows `kid` then finds it.
    fn list_signer(&self, policy: &mut TrustPolicy, iss: &str) -> Option<()> {
        let event = self.signer?;
        // A secret is not listed: HMAC over public text has a token twin.
        if matches!(event.key, Material::Oct { .. }) {
            return None;
        }
        let mut jwk = Jwk::new(event.key.clone());
        let kid = last(self.header, "kid").and_then(Json::as_str);
        jwk.kid = Some(kid.map_or_else(|| event.key.thumbprint(), str::to_owned));
        let source = policy.key_source;
        let told = claimed(policy, iss)?;
        let set = match source {
            KeySource::Converged => {
                jwk.issuer = Some(told.issuer.clone());
                policy.converged_jwks.get_or_insert_default()
            }
            KeySource::PerIssuer | KeySource::Fetched => told.jwks.get_or_insert_default(),
        };
        set.keys.retain(|other| other.kid != jwk.kid && other.material != jwk.material);
        set.keys.push(jwk);
        set.strays.clear();
        Some(())
    }

    /// Where the signing key is listed for the claimed issuer.
    fn listing<'p>(&self, policy: &'p mut TrustPolicy) -> Option<&'p mut Jwk> {
        let material = &self.signer?.key;
        let iss = self.claim("iss")?;
        let name = claimed(policy, iss)?.issuer.clone();
        match policy.key_source {
            KeySource::Converged => {
                let owned = |jwk: &Jwk| jwk.issuer.as_ref().is_some_and(|owner| *owner == name || owner == iss);
                let keys = &mut policy.converged_jwks.as_mut()?.keys;
                keys.iter_mut().find(|jwk| jwk.material == *material && owned(jwk))
            }
            KeySource::PerIssuer | KeySource::Fetched => {
                let told = claimed(policy, iss)?;
                let sets = told.jwks.iter_mut().chain(&mut told.secrets);
                sets.flat_map(|set| &mut set.keys).find(|jwk| jwk.material == *material)
            }
        }
    }

    fn ask_for_less(&self, policy: &mut TrustPolicy) -> Option<()> {
        let absent = |name: &str| match last(self.payload, name) {
            None | Some(Json::Null) => true,
            Some(value) => value.as_str() == Some(""),
        };
        if absent("iss")
            || self
                .claim("iss")
                .and_then(|iss| claimed(policy, iss))
                .is_some_and(|told| told.is_template() && absent(told.tenant_claim.as_deref().unwrap_or("tid")))
        {
            return None;
        }
        // Nobody need take one of another type, required or not.
        let of_another_type = |name: &str| match (name, last(self.payload, name)) {
            ("sub" | "jti", Some(value)) => value.as_str().is_none(),
            ("iat", Some(value)) => !matches!(value, Json::Number(_)),
            _ => false,
        };
        let required = policy.required_claims.get_or_insert_default();
        if required.iter().any(|name| of_another_type(name)) {
            return None;
        }
        required.retain(|name| !absent(name));
        if last(self.payload, "aud").is_none() {
            policy.audiences = None;
        }
        Some(())
    }
}

fn claimed<'p>(policy: &'p mut TrustPolicy, iss: &str) -> Option<&'p mut TrustedIssuer> {
    let name = policy.issuer_named(iss)?.issuer.clone();
    policy.issuers.iter_mut().find(|issuer| issuer.issuer == name)
}

/// Adds a name to a list that is asked for.
fn permit(list: &mut Option<Vec<String>>, name: &str) {
    if let Some(names) = list
        && !names.iter().any(|known| known == name)
    {
        names.push(name.to_owned());
    }
}

/// Widens the leeway beyond this distance, with room for the clock to go on.
fn widen(policy: &mut TrustPolicy, distance: i64) -> Option<()> {
    let leeway = distance.checked_add(300).filter(|leeway| (0..=MAX_LEEWAY).contains(leeway))?;
    policy.leeway = Some(u64::try_from(leeway).ok()?.max(policy.leeway.unwrap_or(0)));
    Some(())
}
