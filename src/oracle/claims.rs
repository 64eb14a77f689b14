//! Rules about the header's and the payload's members.

use super::{Case, Claimed, Latitude, required};
use crate::jose::{Json, Member, last};
use crate::policy::TrustPolicy;
use crate::rule::Rule;

/// Names that `crit` may not list, since everybody must understand them (RFC 7515 section 4.1.11, RFC 7518).
const REGISTERED: [&str; 11] = ["alg", "jku", "jwk", "kid", "x5u", "x5c", "x5t", "x5t#S256", "typ", "cty", "crit"];

/// The largest whole number that all JSON readers agree on (RFC 8259 section 6).
const INTEROPERABLE: f64 = 9_007_199_254_740_991.0;

impl Case<'_> {
    pub(super) fn header(&mut self, policy: &TrustPolicy, header: &[Member]) {
        self.token_type(policy, header);
        self.crit(policy, header);
        for name in ["jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256"] {
            if last(header, name).is_some() {
                self.leaves_open(Latitude::HeaderKey);
            }
        }
        if last(header, "zip").is_some() {
            self.leaves_open(Latitude::Zip);
        }
        if ["iss", "sub", "aud"].iter().any(|name| last(header, name).is_some()) {
            self.leaves_open(Latitude::ClaimInHeader);
        }
        for name in ["kid", "cty"] {
            if last(header, name).is_some_and(|value| value.as_str().is_none()) {
                self.leaves_open(Latitude::UnreadType);
            }
        }
        match last(header, "b64") {
            None | Some(Json::Bool(true)) => {}
            // RFC 7797 section 7: a JWT is not signed unencoded.
            Some(Json::Bool(false)) => self.breaks(Rule::SerializationExpected),
            Some(_) => self.leaves_open(Latitude::UnreadType),
        }
    }

    /// RFC 8725 section 3.11; RFC 7515 section 4.1.9 on the spelling of media types.
    fn token_type(&mut self, policy: &TrustPolicy, header: &[Member]) {
        let value = last(header, "typ");
        let asked = policy.token_types.as_deref().filter(|types| !types.is_empty());
        let Some(types) = asked else {
            if value.is_some_and(|value| value.as_str().is_none()) {
                self.leaves_open(Latitude::UnreadType);
            }
            return;
        };
        let Some(typ) = value.and_then(Json::as_str) else {
            return self.breaks(Rule::TypeExpected);
        };
        if types.iter().any(|name| name == typ) {
            return;
        }
        let plain = |name: &str| {
            let lower = name.to_ascii_lowercase();
            match lower.strip_prefix("application/") {
                Some(rest) if !rest.contains('/') => rest.to_owned(),
                _ => lower,
            }
        };
        if types.iter().any(|name| plain(name) == plain(typ)) {
            self.leaves_open(Latitude::TypeSpelling);
        } else {
            self.breaks(Rule::TypeExpected);
        }
    }

    /// RFC 7515 section 4.1.11: not empty, no name twice, none registered, each there and understood.
    fn crit(&mut self, policy: &TrustPolicy, header: &[Member]) {
        let Some(crit) = last(header, "crit") else { return };
        let understood = |name: &str| policy.crit_understood.iter().flatten().any(|known| known == name);
        let good = match crit {
            Json::Array(names) => {
                let texts: Vec<_> = names.iter().map(Json::as_str).collect();
                let fine = |(index, name): (usize, &Option<&str>)| {
                    name.is_some_and(|text| {
                        !REGISTERED.contains(&text)
                            && understood(text)
                            && last(header, text).is_some()
                            && !texts[..index].contains(name)
                    })
                };
                !texts.is_empty() && texts.iter().enumerate().all(fine)
            }
            _ => false,
        };
        if !good {
            self.breaks(Rule::CritUnderstood);
        }
    }

    pub(super) fn claims(
        &mut self,
        policy: &TrustPolicy,
        claimed: Option<&Claimed<'_>>,
        header: &[Member],
        payload: &[Member],
    ) {
        self.required_claims(policy, payload);
        self.audience(policy, claimed, payload);
        self.time(policy, payload);
        let Some(claimed) = claimed else { return };
        self.tenant(claimed, payload);
        if let Some(subjects) = &claimed.trusted.subjects {
            match last(payload, "sub") {
                None => self.breaks(Rule::RequiredClaimsPresent),
                Some(sub) if sub.as_str().is_some_and(|sub| subjects.iter().any(|s| s == sub)) => {}
                Some(_) => self.breaks(Rule::SubjectAdmitted),
            }
        }
        if let Some(signer) = &claimed.trusted.signer
            && last(header, "signer").and_then(Json::as_str) != Some(signer)
        {
            self.breaks(Rule::SignerNamed);
        }
    }

    fn required_claims(&mut self, policy: &TrustPolicy, payload: &[Member]) {
        for name in policy.required_claims.iter().flatten() {
            let missing = match (name.as_str(), last(payload, name)) {
                (_, None) => true,
                ("sub" | "jti" | "tid", Some(value)) => value.as_str().is_none_or(str::is_empty),
                ("iat", Some(value)) => !matches!(value, Json::Number(_)),
                // `iss`, `aud`, `exp` and `nbf` are read by rules of their own, which say what a wrong type breaks.
                ("iss" | "aud" | "exp" | "nbf", Some(Json::Null)) => false,
                (_, Some(value)) => *value == Json::Null || value.as_str() == Some(""),
            };
            // A wrong type is the business of the rule that reads the claim, and the tenant claim has one.
            let read_elsewhere = name == "tid" && last(payload, "tid").is_some_and(|value| value.as_str().is_none());
            if missing && !(read_elsewhere && tenant_is_read(policy, payload)) {
                self.breaks(Rule::RequiredClaimsPresent);
            }
        }
        for name in ["sub", "jti"] {
            if !required(policy, name) && last(payload, name).is_some_and(|value| value.as_str().is_none()) {
                self.leaves_open(Latitude::UnreadType);
            }
        }
        if !required(policy, "iat") && last(payload, "iat").is_some_and(|value| !matches!(value, Json::Number(_))) {
            self.leaves_open(Latitude::UnreadType);
        }
    }

    /// RFC 7519 section 4.1.3, RFC 8725 section 3.9. The party's own list and the issuer's must both be met.
    fn audience(&mut self, policy: &TrustPolicy, claimed: Option<&Claimed<'_>>, payload: &[Member]) {
        let own = policy.audiences.as_deref();
        let narrowed = claimed.and_then(|claimed| claimed.trusted.audiences.as_deref());
        let value = last(payload, "aud");
        for names in [own, narrowed].into_iter().flatten() {
            match value {
                None if names.is_empty() => {}
                None => self.breaks(Rule::RequiredClaimsPresent),
                Some(Json::String(text)) if text.is_empty() && required(policy, "aud") => {
                    self.breaks(Rule::RequiredClaimsPresent);
                }
                Some(value) => self.names_us(names, value),
            }
        }
    }

    fn names_us(&mut self, names: &[String], value: &Json) {
        let ours = |text: &str| names.iter().any(|name| name == text);
        match value {
            Json::String(text) if ours(text) => {}
            Json::Array(items) => {
                let texts: Option<Vec<&str>> = items.iter().map(Json::as_str).collect();
                match texts {
                    Some(texts) if texts.iter().any(|text| ours(text)) => {
                        if texts.len() > 1 {
                            self.leaves_open(Latitude::SeveralAudiences);
                        }
                    }
                    _ => self.breaks(Rule::AudienceIncludesUs),
                }
            }
            _ => self.breaks(Rule::AudienceIncludesUs),
        }
    }

    /// RFC 7519 sections 4.1.4 and 4.1.5: valid while nbf - leeway <= now < exp + leeway.
    fn time(&mut self, policy: &TrustPolicy, payload: &[Member]) {
        // Every number here is far below 2^53, so that doubles hold it exactly.
        #[expect(
            clippy::cast_precision_loss,
            reason = "seconds and leeway are small; odd numbers only need their side"
        )]
        let (now, leeway) = (self.now.0 as f64, policy.leeway.unwrap_or(0).min(1 << 50) as f64);
        self.moment(policy, payload, "exp", Rule::NotExpired, |exp| now < exp + leeway);
        self.moment(policy, payload, "nbf", Rule::NotBeforeReached, |nbf| now >= nbf - leeway);
    }

    /// A claim that is a date where it is there; an empty text where the claim is required counts as absent.
    fn moment(
        &mut self,
        policy: &TrustPolicy,
        payload: &[Member],
        name: &str,
        rule: Rule,
        in_time: impl Fn(f64) -> bool,
    ) {
        let good = match last(payload, name) {
            None => true,
            Some(Json::Number(literal)) => in_time(self.seconds(literal)),
            Some(value) => value.as_str() == Some("") && required(policy, name),
        };
        if !good {
            self.breaks(rule);
        }
    }

    fn seconds(&mut self, literal: &str) -> f64 {
        let number: f64 = literal.parse().unwrap_or(f64::INFINITY);
        let odd = !number.is_finite() || number.abs() > INTEROPERABLE || literal.contains(['e', 'E']);
        if odd || literal.contains('.') && number < 0.0 {
            self.leaves_open(Latitude::OddNumber);
        }
        number
    }

    /// The segment of a template is the tenant claim's value, and an admitted tenant.
    fn tenant(&mut self, claimed: &Claimed<'_>, payload: &[Member]) {
        let Some(tenant) = &claimed.tenant else { return };
        let claim = claimed.trusted.tenant_claim.as_deref().unwrap_or("tid");
        match last(payload, claim) {
            None => self.breaks(Rule::RequiredClaimsPresent),
            Some(value) if value.as_str() == Some("") => self.breaks(Rule::RequiredClaimsPresent),
            Some(value) if value.as_str() != Some(tenant) => self.breaks(Rule::TenantAdmitted),
            Some(_) => {}
        }
        if claimed.trusted.tenants.as_ref().is_some_and(|tenants| !tenants.contains(tenant)) {
            self.breaks(Rule::TenantAdmitted);
        }
    }
}

/// Whether the tenant claim is read by a rule of its own: the claimed issuer's name is a template.
fn tenant_is_read(policy: &TrustPolicy, payload: &[Member]) -> bool {
    let iss = last(payload, "iss").and_then(Json::as_str);
    iss.and_then(|iss| policy.issuer_named(iss)).is_some_and(super::TrustedIssuer::is_template)
}
