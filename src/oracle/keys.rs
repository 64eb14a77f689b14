//! Rules about the signature, its algorithm and the key that made it.

use super::{Case, Claimed, Latitude};
use crate::jose::{Family, Json, Jwk, Material, Member, NumericDate, Primitive, encode_base64, encode_base64url, last};
use crate::policy::{KeySource, TrustPolicy, TrustedIssuer, tenant_in};
use crate::provenance::{Jws, Provenance, SigningEvent};
use crate::rule::Rule;

impl<'p> Case<'p> {
    /// Who made the presented signature, by the primitive that `alg` names: same input octets, same signature octets, and
    /// the same thing computed, as far as that is a matter of the algorithm. The curve is the key's (RFC 7518 section 3.4).
    pub(super) fn signature<'e>(
        &mut self,
        jws: &Jws,
        header: &[Member],
        payload: &[Member],
        provenance: &'e Provenance,
    ) -> Option<Signer<'e>> {
        let alg = last(header, "alg").and_then(Json::as_str);
        let fully_specified = alg.and_then(Primitive::from_fully_specified);
        let named = alg.and_then(Primitive::from_name).or(fully_specified);
        if fully_specified.is_some() {
            self.leaves_open(Latitude::FullySpecifiedName);
        }
        let computed = |event: &SigningEvent| named.is_some_and(|named| named.computes_like(event.primitive));
        let same = |event: &&SigningEvent| computed(event) && event.signature == jws.signature;
        let mirrored = |event: &&SigningEvent| {
            computed(event) && event.mirror.as_ref().is_some_and(|mirror| *mirror == jws.signature)
        };
        let signer = |event: &'e SigningEvent| {
            let fully_specified = fully_specified.is_some();
            named.map(|primitive| Signer { key: &event.key, primitive, fully_specified })
        };
        let events = &provenance.events;
        if let Some(event) = events.iter().filter(|event| event.input == jws.input).find(same) {
            return signer(event);
        }
        if let Some(event) = events.iter().filter(|event| event.input == jws.input).find(mirrored) {
            self.leaves_open(Latitude::MirroredSignature);
            return signer(event);
        }
        // Signed in another spelling of the same content (RFC 7515 section 5.2: the octets as received are verified).
        let content = |event: &&SigningEvent| **event.header == *header && **event.payload == *payload;
        let event = events.iter().filter(content).find(|event| same(event) || mirrored(event));
        self.breaks(if event.is_some() { Rule::ReceivedBytesVerified } else { Rule::SignatureMatches });
        event.and_then(signer)
    }

    /// RFC 8725 section 3.1: what the party and the issuer allow. What the key is listed for is asked with the key.
    pub(super) fn algorithm(&mut self, policy: &TrustPolicy, claimed: &Claimed<'_>, signer: &Signer<'_>) {
        for list in [&policy.algorithms, &claimed.trusted.algorithms].into_iter().flatten() {
            match list.iter().map(|name| signer.is_called(name)).max() {
                Some(Called::So) => {}
                Some(Called::Otherwise) => self.leaves_open(Latitude::FullySpecifiedName),
                Some(Called::Never) | None => self.breaks(Rule::AlgorithmAllowed),
            }
        }
    }

    pub(super) fn key(
        &mut self,
        policy: &'p TrustPolicy,
        claimed: &Claimed<'p>,
        header: &[Member],
        signer: &Signer<'_>,
    ) -> Option<Material> {
        let told = self.told;
        let is_signer = |jwk: &&Jwk| jwk.material.verifies_like(signer.key, signer.primitive);
        let listed = listed_for(policy, claimed);
        let mut listings: Vec<&Jwk> = listed.iter().copied().filter(is_signer).collect();
        if listings.is_empty() {
            let gone = told.windows(2).rev().find_map(|pair| {
                let was = listed_for(pair[0].policy, claimed).into_iter().filter(is_signer).collect::<Vec<_>>();
                (!was.is_empty()).then_some((pair[1].at, was))
            });
            let Some((at, was)) = gone else {
                let spoiled = is_spoiled(policy, claimed, signer.key);
                self.breaks(if spoiled { Rule::KeyAcceptable } else { Rule::KeyBelongsToIssuer });
                return None;
            };
            self.out_of_service_since(at);
            listings = was;
        } else if self.is_news(claimed, &listings) {
            self.leaves_open(Latitude::StillCached);
        }
        if policy.enforce_key_lifetime != Some(false) {
            for lifetime in listings.iter().filter_map(|jwk| jwk.lifetime()) {
                for end in [lifetime.not_before, lifetime.not_after].into_iter().flatten() {
                    self.compares(end, policy.leeway.unwrap_or(0));
                }
            }
        }
        // A key listed more than once may be used as any of its listings says; their order means nothing.
        let verdicts = listings.iter().map(|jwk| Listing::of(policy, jwk, claimed, header, signer, self.now));
        let strictness = |a: &Listing<'_>, b: &Listing<'_>| {
            let key = |it: &Listing<'_>| (it.broken.len(), it.open.len());
            key(a).cmp(&key(b)).then_with(|| (&a.broken, &a.open).cmp(&(&b.broken, &b.open)))
        };
        let best = verdicts.min_by(strictness)?;
        // RFC 7517 section 4.5: within a set they should be distinct. Where they are not, either key may be the one meant.
        let kid = last(header, "kid").and_then(Json::as_str);
        if listed.iter().any(|jwk| jwk.kid.as_deref() == kid && *jwk != best.jwk) {
            self.leaves_open(Latitude::KidHint);
        }
        self.broken.extend(best.broken);
        self.latitudes.extend(best.open);
        Some(best.jwk.material.clone())
    }

    /// Whether a set of this issuer that may still be used has none of these listings.
    fn is_news(&mut self, claimed: &Claimed<'_>, listings: &[&Jwk]) -> bool {
        let told = self.told;
        told.windows(2).any(|pair| {
            if !self.may_be_cached(pair[1].at) {
                return false;
            }
            let old = pair[0].policy;
            let has_set = old.key_source == KeySource::Converged || old.issuer_named(&claimed.name).is_some();
            let known = listed_for(old, claimed);
            has_set && listings.iter().all(|jwk| !known.contains(jwk))
        })
    }
}

/// What a policy says of the claimed issuer. Where several of its templates fit, the one that was read is meant.
fn entry_of<'k>(policy: &'k TrustPolicy, claimed: &Claimed<'_>) -> Option<&'k TrustedIssuer> {
    let same = |trusted: &&TrustedIssuer| trusted.issuer == claimed.trusted.issuer;
    policy.issuers_named(&claimed.name).find(same).or_else(|| policy.issuer_named(&claimed.name))
}

/// The keys that a policy lists for the claimed issuer.
fn listed_for<'k>(policy: &'k TrustPolicy, claimed: &Claimed<'_>) -> Vec<&'k Jwk> {
    let Some(trusted) = entry_of(policy, claimed) else { return Vec::new() };
    let own = trusted.own_keys();
    match policy.key_source {
        KeySource::Converged => {
            let set = policy.converged_jwks.iter().flat_map(|set| &set.keys);
            own.chain(set.filter(|jwk| belongs(jwk, trusted, claimed))).collect()
        }
        KeySource::PerIssuer | KeySource::Fetched => own.collect(),
    }
}

/// A JWK of a converged set belongs to the issuer that its `issuer` member names, once the tenant stands in the template:
/// the one in `iss` (whether that is the tenant claim's is asked elsewhere), and for a literal issuer the tenant claim's.
fn belongs(jwk: &Jwk, trusted: &TrustedIssuer, claimed: &Claimed<'_>) -> bool {
    let Some(owner) = &jwk.issuer else { return false };
    if *owner == claimed.name {
        return true;
    }
    let tenant = if trusted.is_template() { &claimed.tenant } else { &claimed.tenant_claim };
    tenant_in(owner, &claimed.name).is_some_and(|segment| tenant.as_deref() == Some(segment))
}

/// The key that made the presented signature, and the algorithm that the token names for it.
pub(super) struct Signer<'e> {
    pub(super) key: &'e Material,
    pub(super) primitive: Primitive,
    /// By its fully specified name.
    fully_specified: bool,
}

/// Whether a name is the one of the algorithm that a token gives.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Called {
    Never,
    /// It is its other name.
    Otherwise,
    So,
}

impl Signer<'_> {
    fn is_called(&self, name: &str) -> Called {
        let polymorphic = Primitive::from_name(name) == Some(self.primitive);
        let fully_specified = Primitive::from_fully_specified(name) == Some(self.primitive);
        match (polymorphic, fully_specified) {
            (false, false) => Called::Never,
            _ if fully_specified == self.fully_specified => Called::So,
            _ => Called::Otherwise,
        }
    }
}

/// What one listing of the signing key says.
struct Listing<'k> {
    jwk: &'k Jwk,
    broken: Vec<Rule>,
    open: Vec<Latitude>,
}

impl<'k> Listing<'k> {
    fn of(
        policy: &TrustPolicy,
        jwk: &'k Jwk,
        claimed: &Claimed<'_>,
        header: &[Member],
        signer: &Signer<'_>,
        now: NumericDate,
    ) -> Listing<'k> {
        let mut broken = Vec::new();
        let mut open = Vec::new();
        // RFC 7517 sections 4.2 and 4.3.
        let use_permits = jwk.key_use.as_deref().is_none_or(|key_use| key_use == "sig");
        let ops_permit = jwk.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if !use_permits || !ops_permit {
            broken.push(Rule::KeyUsePermits);
        }
        if jwk.key_ops.as_ref().is_some_and(|ops| is_odd(ops, jwk.key_use.as_deref())) {
            open.push(Latitude::KeyOperations);
        }
        // RFC 7517 section 4.4.
        match jwk.alg.as_deref().map(|alg| signer.is_called(alg)) {
            None | Some(Called::So) => {}
            Some(Called::Otherwise) => open.push(Latitude::FullySpecifiedName),
            Some(Called::Never) => broken.push(Rule::AlgorithmAllowed),
        }
        // RFC 7518 section 3.4: each ECDSA algorithm has its curve.
        if !jwk.material.fits(signer.primitive) || !strong_enough(&jwk.material, signer.primitive) {
            broken.push(Rule::KeyAcceptable);
        }
        if let (Some(ours), Some(theirs)) = (&policy.cloud_instance, &jwk.cloud_instance_name)
            && ours != theirs
        {
            broken.push(Rule::CloudMatches);
        }
        if policy.enforce_key_lifetime != Some(false)
            && let Some(lifetime) = jwk.lifetime()
        {
            let leeway = i64::try_from(policy.leeway.unwrap_or(0)).unwrap_or(i64::MAX);
            let within = |slack: i64| {
                lifetime.not_before.is_none_or(|start| now >= start.plus(-slack))
                    && lifetime.not_after.is_none_or(|end| now <= end.plus(slack))
            };
            if !within(leeway) && policy.enforce_key_lifetime == Some(true) {
                broken.push(Rule::KeyLifetimeHonoured);
            } else if !within(0) {
                open.push(Latitude::LifetimeWithinLeeway);
            }
        }
        if jwk.revoked.is_some() {
            open.push(Latitude::MarkedRevoked);
        }
        let kid = last(header, "kid").and_then(Json::as_str);
        if kid != jwk.kid.as_deref() {
            open.push(Latitude::KidHint);
        }
        if let Material::Oct { k } = &jwk.material {
            let mut secrets = claimed.trusted.secrets.iter().flat_map(|set| &set.keys);
            if !secrets.any(|secret| secret == jwk) {
                open.push(Latitude::SecretPublished);
            }
            if is_guessable(policy, k) {
                open.push(Latitude::SecretGuessable);
            }
        }
        let of_template = |owner: &String| *owner != claimed.name && !claimed.trusted.is_template();
        if policy.key_source == KeySource::Converged && jwk.issuer.as_ref().is_some_and(of_template) {
            open.push(Latitude::TemplateForLiteral);
        }
        Listing { jwk, broken, open }
    }
}

/// RFC 7517 section 4.3: no operation twice, and none that `use` does not convey (section 4.2).
fn is_odd(operations: &[String], key_use: Option<&str>) -> bool {
    let twice = operations.iter().enumerate().any(|(index, one)| operations[..index].contains(one));
    let signing = |one: &String| matches!(one.as_str(), "sign" | "verify");
    twice || (key_use == Some("sig") && !operations.iter().all(signing))
}

/// Whether the numbers of this key are listed for the claimed issuer in a form that makes no key of them: it is the issuer's,
/// and nobody can verify with it as it stands there (RFC 7517 section 5, RFC 7518 section 6).
fn is_spoiled(policy: &TrustPolicy, claimed: &Claimed<'_>, key: &Material) -> bool {
    let number = |material: &Material| match material {
        Material::Rsa { n, .. } => Some(n.clone()),
        Material::Ec { x, .. } | Material::Okp { x, .. } => Some(x.clone()),
        Material::Oct { .. } => None,
    };
    let Some(own) = number(key) else { return false };
    if listed_for(policy, claimed).into_iter().any(|jwk| number(&jwk.material).as_ref() == Some(&own)) {
        return true;
    }
    let Some(trusted) = entry_of(policy, claimed) else { return false };
    match policy.key_source {
        KeySource::Converged => {
            let owners = policy.converged_jwks.iter().flat_map(|set| set.strays_with(&own));
            owners.flatten().any(|owner| owner == trusted.issuer || owner == claimed.name)
        }
        KeySource::PerIssuer | KeySource::Fetched => {
            trusted.jwks.iter().any(|set| set.strays_with(&own).next().is_some())
        }
    }
}

/// Whether a secret is one octet over and over, or the text or octets of a public key that whoever reads the policy can see.
fn is_guessable(policy: &TrustPolicy, secret: &[u8]) -> bool {
    let holds = |part: &[u8]| !part.is_empty() && secret.windows(part.len()).any(|window| window == part);
    // In base64 the same octets look different by where a group of three begins; either alphabet will do.
    let spells = |number: &[u8]| {
        (0..3_usize.min(number.len())).any(|skip| {
            let whole = (number.len() - skip) / 3 * 3;
            let octets = &number[skip..skip + whole];
            holds(encode_base64url(octets).as_bytes()) || holds(encode_base64(octets).as_bytes())
        })
    };
    let shows = |number: &[u8]| holds(number) || spells(number);
    let own = policy.issuers.iter().flat_map(|issuer| &issuer.jwks);
    let mut keys = own.chain(&policy.converged_jwks).flat_map(|set| &set.keys);
    secret.windows(2).all(|pair| pair[0] == pair[1])
        || [&b"-----BEGIN "[..], b"\"kty\":", b"ssh-rsa ", b"ssh-ed25519 ", b"ecdsa-sha2-"].into_iter().any(holds)
        || keys.any(|jwk| match &jwk.material {
            Material::Rsa { n, .. } => shows(n),
            Material::Ec { x, .. } | Material::Okp { x, .. } => shows(x),
            Material::Oct { .. } => false,
        })
}

/// RFC 7518 sections 3.2 (a secret at least as long as the hash), 3.3 and 3.5 (2048 bits); RFC 8017 section 3.1 (the modulus is
/// a product of odd primes, the exponent odd and at least 3).
fn strong_enough(material: &Material, primitive: Primitive) -> bool {
    if let Material::Rsa { n, e } = material {
        let odd = |octets: &[u8]| octets.last().is_some_and(|last| last % 2 == 1);
        if !odd(n) || !odd(e) || e.as_slice() == [1] {
            return false;
        }
    }
    match (primitive.family(), material.bits()) {
        (Family::RsaPkcs1 | Family::RsaPss, Some(bits)) => bits >= 2048,
        (Family::Hmac, Some(bits)) => bits >= primitive.hash().octets() * 8,
        _ => true,
    }
}
