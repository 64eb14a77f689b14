//! What one relying party is told, and all that a validator is configured with: public data, plus the party's own secrets.
//!
//! An absent member means "not asked"; an empty list means "none". The JSON form is the `policy` object of protocol version 1.

use crate::jose::{Jwk, JwkSet, Material, Serialization, encode_base64, encode_base64url};
use serde::{Deserialize, Serialize};

/// Where a relying party's keys come from; exactly the members that belong to it are filled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeySource {
    /// Every issuer has a set of its own: `issuers[].jwks` and `issuers[].secrets`.
    #[default]
    PerIssuer,
    /// One set for all, where the `issuer` member of each JWK says whose it is: `converged_jwks`.
    Converged,
    /// URLs only: `issuers[].jwks_uri` or `discovery_url`.
    Fetched,
}

impl KeySource {
    /// The name in policies, flags and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            KeySource::PerIssuer => "per-issuer",
            KeySource::Converged => "converged",
            KeySource::Fetched => "fetched",
        }
    }
}

/// Which of several signatures must hold (RFC 7515 section 7.2.1 leaves it to the application).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signatures {
    /// One is enough.
    Any,
    /// Every one.
    All,
}

/// What to do with a token seen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Replay {
    /// Accept it again.
    Allow,
    /// Refuse it.
    Refuse,
}

/// What is wrong where an issuer publishes. Whoever fetches finds it out alone.
///
/// The other issuer stands by its alias in a scenario and by its name in a policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Disturbance {
    /// Connections are cut without an answer.
    #[default]
    Cut,
    /// Answers come late, though in time for whoever waits.
    Slow,
    /// The answer is 503 and no document (RFC 9110 section 15.6.4).
    Status,
    /// Documents end in the middle.
    Truncated,
    /// Every answer leads to the attacker's host (RFC 9110 section 15.4).
    Redirect,
    /// The discovery document is another issuer's, which names itself and its own key set (RFC 8414 section 3.3 has it not used).
    DiscoveryOf(String),
    /// The discovery document names another issuer, and the key set that it leads to is this one's own.
    PosesAs(String),
}

impl Disturbance {
    /// The other issuer, where there is one.
    #[must_use]
    pub fn other(&self) -> Option<&str> {
        match self {
            Disturbance::DiscoveryOf(other) | Disturbance::PosesAs(other) => Some(other),
            _ => None,
        }
    }

    /// The same with the other issuer as `named` has it; `None` where that has none.
    #[must_use]
    pub fn naming(&self, named: impl FnOnce(&str) -> Option<String>) -> Option<Disturbance> {
        Some(match self {
            Disturbance::DiscoveryOf(other) => Disturbance::DiscoveryOf(named(other)?),
            Disturbance::PosesAs(other) => Disturbance::PosesAs(named(other)?),
            plain => plain.clone(),
        })
    }
}

/// The trust of one relying party.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustPolicy {
    /// Version of this form: 1.
    pub policy: u8,
    /// A name for logs; it decides nothing.
    pub relying_party: String,
    /// Where keys come from.
    pub key_source: KeySource,
    /// Names of this party: one of them must stand in `aud` (RFC 7519 section 4.1.3). Empty: the party has no name, so a token that names any is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audiences: Option<Vec<String>>,
    /// Algorithms for all issuers; an issuer's own list narrows it (RFC 8725 section 3.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithms: Option<Vec<String>>,
    /// Permitted `typ` values; where not empty, `typ` must be there (RFC 8725 section 3.11).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_types: Option<Vec<String>>,
    /// Claims that must be there; an empty string counts as absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required_claims: Option<Vec<String>>,
    /// Clock skew to allow, in seconds (RFC 7519 section 4.1.4). Absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leeway: Option<u64>,
    /// Permitted serializations (RFC 7519 section 1: a JWT is compact).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serializations: Option<Vec<Serialization>>,
    /// Which of several signatures must hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signatures: Option<Signatures>,
    /// Extensions that may stand in `crit` (RFC 7515 section 4.1.11).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crit_understood: Option<Vec<String>>,
    /// The cloud that keys must belong to, where they name one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud_instance: Option<String>,
    /// For how many seconds an earlier key set may still be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_max_age: Option<u64>,
    /// Whether the lifetime that a JWK shows binds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enforce_key_lifetime: Option<bool>,
    /// What to do with a token seen before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<Replay>,
    /// The party's own decryption keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decryption_keys: Option<JwkSet>,
    /// Where every host name leads, with key source `fetched`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolver: Option<String>,
    /// Whom to trust. The order means nothing; no issuer stands there twice.
    pub issuers: Vec<TrustedIssuer>,
    /// The one key set of key source `converged`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub converged_jwks: Option<JwkSet>,
}

/// One issuer that a relying party trusts, with what it may sign.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustedIssuer {
    /// The value of `iss`, or a template in which `{tenantid}` stands for one path segment.
    pub issuer: String,
    /// The claim that must equal the template's segment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_claim: Option<String>,
    /// Admitted tenants; absent: any well-formed one. Ignored on a literal issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenants: Option<Vec<String>>,
    /// Algorithms of this issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithms: Option<Vec<String>>,
    /// Audiences that this issuer may address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audiences: Option<Vec<String>>,
    /// Subjects that this issuer may name (RFC 8725 section 3.8).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subjects: Option<Vec<String>>,
    /// The value that the header member `signer` must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// Keys in service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<JwkSet>,
    /// Secrets shared with this issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrets: Option<JwkSet>,
    /// Where the set is served, with key source `fetched`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// Where the discovery document is served, with key source `fetched`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discovery_url: Option<String>,
    /// What is wrong where it publishes, with key source `fetched`. It is no part of what is handed over.
    #[serde(skip)]
    pub disturbed: Option<Disturbance>,
}

/// The place in an issuer template where the tenant stands.
pub const TENANT_PLACE: &str = "{tenantid}";

/// The tenant that an issuer name has at the place where the template has `{tenantid}`: one path segment, not empty and
/// compared case-sensitively. `None` where the name is not of that shape, or the template has no such place or two.
#[must_use]
pub fn tenant_in<'n>(template: &str, name: &'n str) -> Option<&'n str> {
    let (before, after) = template.split_once(TENANT_PLACE)?;
    if after.contains(TENANT_PLACE) {
        return None;
    }
    let segment = name.strip_prefix(before)?.strip_suffix(after)?;
    let well_formed = !segment.is_empty()
        && !segment.contains(|c: char| matches!(c, '/' | '?' | '#' | '\\') || c.is_control() || c.is_whitespace())
        && segment != "."
        && segment != ".."
        && segment != TENANT_PLACE;
    well_formed.then_some(segment)
}

/// The forms in which a secret is looked for where it must not be: as it is, in hex and in base64. Of one with less than
/// eight octets there are none: it stands anywhere by chance.
#[must_use]
pub fn secret_forms(secret: &[u8]) -> Vec<Vec<u8>> {
    if secret.len() < 8 {
        return Vec::new();
    }
    let hex: String = secret.iter().map(|octet| format!("{octet:02x}")).collect();
    let plain = encode_base64(secret).trim_end_matches('=').as_bytes().to_vec();
    let mut forms = vec![
        secret.to_vec(),
        hex.to_uppercase().into_bytes(),
        hex.into_bytes(),
        encode_base64url(secret).into(),
        plain,
    ];
    forms.sort();
    forms.dedup();
    forms
}

impl TrustedIssuer {
    /// Whether the name is a template.
    #[must_use]
    pub fn is_template(&self) -> bool {
        self.issuer.contains(TENANT_PLACE)
    }

    /// Every key and secret listed for this issuer by a policy with key source `per-issuer`.
    pub fn own_keys(&self) -> impl Iterator<Item = &Jwk> {
        self.jwks.iter().chain(&self.secrets).flat_map(|set| &set.keys)
    }
}

impl TrustPolicy {
    /// The issuer that a name stands for: a literal one first, then a template of that shape.
    #[must_use]
    pub fn issuer_named(&self, name: &str) -> Option<&TrustedIssuer> {
        self.issuers_named(name).next()
    }

    /// Every issuer that a name may stand for: the literal one, or else each template of that shape. More than one is an
    /// ambiguity of the policy, since the order of issuers means nothing.
    pub fn issuers_named<'p>(&'p self, name: &str) -> impl Iterator<Item = &'p TrustedIssuer> {
        let literal = self.issuers.iter().find(|issuer| !issuer.is_template() && issuer.issuer == name);
        let fits = move |issuer: &&TrustedIssuer| literal.is_none() && tenant_in(&issuer.issuer, name).is_some();
        literal.into_iter().chain(self.issuers.iter().filter(fits))
    }

    /// Every secret in it, for searches that must find none elsewhere.
    pub fn secret_octets(&self) -> impl Iterator<Item = &[u8]> {
        let sets = self.issuers.iter().filter_map(|issuer| issuer.secrets.as_ref()).chain(&self.decryption_keys);
        sets.flat_map(|set| &set.keys).filter_map(|jwk| match &jwk.material {
            Material::Oct { k } => Some(k.as_slice()),
            _ => None,
        })
    }

    /// The same policy without the party's own secrets: what of it is public.
    #[must_use]
    pub fn without_secrets(&self) -> TrustPolicy {
        let mut policy = self.clone();
        policy.decryption_keys = None;
        for issuer in &mut policy.issuers {
            issuer.secrets = None;
        }
        policy
    }

    /// The same policy with every issuer's documents to be had.
    #[must_use]
    pub fn undisturbed(&self) -> TrustPolicy {
        let mut policy = self.clone();
        policy.issuers.iter_mut().for_each(|issuer| issuer.disturbed = None);
        policy
    }

    /// The same policy with issuers and keys in another order, which means the same. Different numbers give different orders.
    #[must_use]
    pub fn reordered(&self, number: u64) -> TrustPolicy {
        fn turn<T>(items: &mut [T], number: u64) {
            if items.is_empty() {
                return;
            }
            let by = usize::try_from(number % items.len() as u64).unwrap_or(0);
            items.rotate_left(by);
            if number / 2 % 2 == 1 {
                items.reverse();
            }
        }
        let mut policy = self.clone();
        turn(&mut policy.issuers, number);
        for issuer in &mut policy.issuers {
            for set in issuer.jwks.iter_mut().chain(&mut issuer.secrets) {
                turn(&mut set.keys, number);
            }
        }
        if let Some(set) = &mut policy.converged_jwks {
            turn(&mut set.keys, number);
        }
        policy
    }
}

#[cfg(test)]
mod tests {
    use super::tenant_in;

    #[test]
    fn a_template_takes_one_well_formed_segment() {
        let template = "https://login.example/{tenantid}/v2.0";
        assert_eq!(tenant_in(template, "https://login.example/t1/v2.0"), Some("t1"));
        for name in [
            "https://login.example//v2.0",
            "https://login.example/a/b/v2.0",
            "https://login.example/{tenantid}/v2.0",
            "https://login.example/t1/v2.0/",
            "https://login.example/../v2.0",
            "https://login.example/v2.0",
            "http://login.example/t1/v2.0",
        ] {
            assert_eq!(tenant_in(template, name), None, "{name}");
        }
        assert_eq!(tenant_in("https://l.example/{tenantid}/{tenantid}", "https://l.example/a/a"), None);
    }
}
