//! Rules about the header's and the payload's members.

use super::{Case, Claimed, Latitude, required};
use crate::jose::{Json, Member, NumericDate, last};
use crate::policy::TrustPolicy;
use crate::rule::Rule;

/// Names that `crit` may not list, since everybody must understand them (RFC 7515 section 4.1.11, RFC 7518).
const REGISTERED: [&str; 11] = ["alg", "jku", "jwk", "kid", "x5u", "x5c", "x5t", "x5t#S256", "typ", "cty", "crit"];

/// The largest whole number that all JSON readers agree on (RFC 8259 section 6).
const INTEROPERABLE: f64 = 9_007_199_254_740_991.0;

/// The last second of the year 9999: later ones have no RFC 3339 form, and many calendars end there.
const LAST_DATE: f64 = 253_402_300_799.0;

/// So deep every parser goes; the lowest limits that are in use lie at 64.
const MAX_DEPTH: usize = 32;

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
        if last(header, "cty").and_then(Json::as_str).is_some_and(|cty| media_type(cty) == "jwt") {
            self.leaves_open(Latitude::ContentType);
        }
        let critical = matches!(last(header, "crit"), Some(Json::Array(names)) if names.contains(&Json::string("b64")));
        match last(header, "b64") {
            None | Some(Json::Bool(true)) => {}
            // RFC 7797 section 7: a JWT is not signed unencoded.
            Some(Json::Bool(false)) if critical => self.breaks(Rule::SerializationExpected),
            Some(Json::Bool(false)) => self.leaves_open(Latitude::Unencoded),
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
        if types.iter().any(|name| media_type(name) == media_type(typ)) {
            self.leaves_open(Latitude::TypeSpelling);
        } else {
            self.breaks(Rule::TypeExpected);
        }
    }

    /// RFC 7515 section 4.1.11: a list of names that are understood. Whatever else is wrong with the list, a recipient may
    /// refuse it for; an empty one it must, by the contract.
    fn crit(&mut self, policy: &TrustPolicy, header: &[Member]) {
        let names = match last(header, "crit") {
            None => return,
            Some(Json::Array(names)) if !names.is_empty() => names,
            Some(_) => return self.breaks(Rule::CritUnderstood),
        };
        for (index, name) in names.iter().enumerate() {
            let Some(text) = name.as_str() else { return self.breaks(Rule::CritUnderstood) };
            let registered = REGISTERED.contains(&text);
            let understood = policy.crit_understood.iter().flatten().any(|known| known == text);
            // Not asked; among the extensions that anybody writes this is the one that libraries know (RFC 7797).
            let perhaps = policy.crit_understood.is_none() && text == "b64";
            if !registered && !understood && !perhaps {
                self.breaks(Rule::CritUnderstood);
            }
            if registered || perhaps || last(header, text).is_none() || names[..index].contains(name) {
                self.leaves_open(Latitude::CritList);
            }
        }
    }

    pub(super) fn claims(
        &mut self,
        policy: &TrustPolicy,
        claimed: Option<&Claimed<'_>>,
        header: &[Member],
        payload: &[Member],
    ) {
        self.required_claims(policy, claimed, payload);
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

    /// Absent is what is not there, and an empty text. A wrong type is the business of the rule that reads the claim.
    fn required_claims(&mut self, policy: &TrustPolicy, claimed: Option<&Claimed<'_>>, payload: &[Member]) {
        let audience_is_read = audience_lists(policy, claimed).next().is_some();
        let template = claimed.map(|claimed| claimed.trusted).filter(|trusted| trusted.is_template());
        let read_by_template = template.map(Claimed::tenant_claim_name);
        for name in policy.required_claims.iter().flatten() {
            let Some(value) = last(payload, name) else {
                self.breaks(Rule::RequiredClaimsPresent);
                continue;
            };
            let missing = match (name.as_str(), value) {
                ("iat", value) => !matches!(value, Json::Number(_)),
                (_, Json::String(text)) => text.is_empty(),
                ("iss" | "exp" | "nbf", _) => false,
                ("aud", value) => *value == Json::Null && !audience_is_read,
                ("sub" | "jti", _) => true,
                (name, value) => *value == Json::Null && read_by_template != Some(name),
            };
            if missing {
                self.breaks(Rule::RequiredClaimsPresent);
            }
        }
        for name in ["sub", "jti", "tid"] {
            if last(payload, name).is_some_and(|value| value.as_str().is_none()) {
                self.leaves_open(Latitude::UnreadType);
            }
        }
        match last(payload, "iat") {
            None => {}
            Some(Json::Number(literal)) => {
                let (_, latest) = self.seconds(literal);
                self.compares_about(latest, 0);
                #[expect(clippy::cast_precision_loss, reason = "now is far below 2^53")]
                if latest > self.now.0 as f64 {
                    self.leaves_open(Latitude::IssuedAhead);
                }
            }
            Some(_) => self.leaves_open(Latitude::UnreadType),
        }
    }

    /// RFC 7519 section 4.1.3, RFC 8725 section 3.9. The party's own list and the issuer's must both be met.
    fn audience(&mut self, policy: &TrustPolicy, claimed: Option<&Claimed<'_>>, payload: &[Member]) {
        let value = last(payload, "aud");
        if value.is_some() && audience_lists(policy, claimed).next().is_none() {
            self.leaves_open(Latitude::AudienceNotAsked);
        }
        if let Some(azp) = last(payload, "azp")
            && !azp.as_str().is_some_and(|azp| policy.audiences.iter().flatten().any(|name| name == azp))
        {
            self.leaves_open(Latitude::AuthorizedParty);
        }
        for names in audience_lists(policy, claimed) {
            match value {
                None if names.is_empty() => {}
                None => self.misses_a_bound(),
                Some(Json::String(text)) if text.is_empty() && required(policy, "aud") => {
                    self.misses_a_bound();
                }
                Some(value) => self.names_us(names, value),
            }
        }
    }

    fn names_us(&mut self, names: &[String], value: &Json) {
        let ours = |item: &Json| item.as_str().is_some_and(|text| names.iter().any(|name| name == text));
        match value {
            // Names nobody, to a party that has no name.
            Json::Array(items) if items.is_empty() && names.is_empty() => {
                self.leaves_open(Latitude::AudienceNotAsked);
            }
            Json::Array(items) if items.iter().any(ours) => {
                if items.len() > 1 {
                    self.leaves_open(Latitude::SeveralAudiences);
                }
            }
            value if ours(value) => {}
            _ => self.breaks(Rule::AudienceIncludesUs),
        }
    }

    /// RFC 7519 sections 4.1.4 and 4.1.5: valid while nbf - leeway <= now < exp + leeway.
    fn time(&mut self, policy: &TrustPolicy, payload: &[Member]) {
        #[expect(
            clippy::cast_precision_loss,
            reason = "what doubles do not hold exactly is no nearer than they blur it"
        )]
        let (now, leeway) = (self.now.0 as f64, policy.leeway.unwrap_or(0) as f64);
        let blur = blur(leeway);
        self.moment(policy, payload, "exp", Rule::NotExpired, blur, |exp| now < exp + leeway);
        self.moment(policy, payload, "nbf", Rule::NotBeforeReached, blur, |nbf| now >= nbf - leeway);
    }

    /// A claim that is a date where it is there; an empty text where the claim is required counts as absent.
    fn moment(
        &mut self,
        policy: &TrustPolicy,
        payload: &[Member],
        name: &str,
        rule: Rule,
        blur: f64,
        in_time: impl Fn(f64) -> bool,
    ) {
        let good = match last(payload, name) {
            None => true,
            Some(Json::Number(literal)) => {
                let (earliest, latest) = self.seconds(literal);
                let (earliest, latest) = (earliest - blur, latest + blur);
                let grace = policy.leeway.unwrap_or(0);
                self.compares_about(earliest, grace);
                self.compares_about(latest, grace);
                // Between two seconds: a clock that shows whole ones cannot tell.
                if in_time(earliest) != in_time(latest) {
                    self.leaves_open(Latitude::OddNumber);
                }
                in_time(earliest) || in_time(latest)
            }
            Some(value) => value.as_str() == Some("") && required(policy, name),
        };
        if !good {
            self.breaks(rule);
        }
    }

    /// As [`Case::compares`], for a moment that may be out of range, and lies there.
    fn compares_about(&mut self, moment: f64, grace: u64) {
        #[expect(clippy::cast_possible_truncation, reason = "a cast stops at the ends of the range")]
        self.compares(NumericDate(moment as i64), grace);
    }

    /// The whole seconds between which a date lies; both are the date where it is whole.
    fn seconds(&mut self, literal: &str) -> (f64, f64) {
        // A date before 1970 is none that POSIX defines, to whose seconds RFC 7519 section 2 refers.
        let scaled = literal.contains(['e', 'E']);
        if scaled || literal.starts_with('-') {
            self.leaves_open(Latitude::OddNumber);
        }
        let (whole, fraction) = literal.split_once('.').unwrap_or((literal, ""));
        if scaled {
            let number: f64 = literal.parse().unwrap_or(f64::INFINITY);
            // A double holds fifteen digits; what is longer may have been rounded to this second.
            let blur = if literal.len() > 15 { blur(number).max(1.0) } else { 0.0 };
            if number > LAST_DATE {
                self.leaves_open(Latitude::OddNumber);
            }
            return (number.floor() - blur, number.ceil() + blur);
        }
        let whole: f64 = whole.parse().unwrap_or(f64::INFINITY);
        if whole > LAST_DATE {
            self.leaves_open(Latitude::OddNumber);
        }
        let further = if fraction.bytes().any(|digit| digit != b'0') { 1.0 } else { 0.0 };
        let blur = blur(whole);
        if literal.starts_with('-') {
            (whole - further - blur, whole + blur)
        } else {
            (whole - blur, whole + further + blur)
        }
    }

    /// What parsers of JSON do with values at any place: the grammar binds, names should be unique, numbers and depth have
    /// limits (RFC 8259 sections 4, 6 and 9).
    pub(super) fn values(&mut self, members: &[Member], depth: usize) {
        for (index, member) in members.iter().enumerate() {
            if depth > 1 && members[..index].iter().any(|earlier| earlier.name == member.name) {
                self.leaves_open(Latitude::DuplicateMember);
            }
            self.value(&member.value, depth);
        }
    }

    fn value(&mut self, value: &Json, depth: usize) {
        if depth > MAX_DEPTH {
            self.leaves_open(Latitude::DeepNesting);
            return;
        }
        match value {
            Json::Null | Json::Bool(_) | Json::String(_) => {}
            Json::Number(literal) if !is_number(literal) => self.breaks(Rule::WellFormed),
            Json::Number(literal) => {
                if literal.parse::<f64>().is_ok_and(|number| number.abs() > INTEROPERABLE) {
                    self.leaves_open(Latitude::OddNumber);
                }
            }
            Json::Array(items) => items.iter().for_each(|item| self.value(item, depth + 1)),
            Json::Object(members) => self.values(members, depth + 1),
        }
    }

    /// The segment of a template is the tenant claim's value, and an admitted tenant.
    fn tenant(&mut self, claimed: &Claimed<'_>, payload: &[Member]) {
        let Some(tenant) = &claimed.tenant else { return };
        match last(payload, Claimed::tenant_claim_name(claimed.trusted)) {
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

/// How far a double may lie from the whole number that it stands for.
fn blur(number: f64) -> f64 {
    if number.is_finite() && number.abs() > INTEROPERABLE { number.abs() * f64::EPSILON } else { 0.0 }
}

/// The lists of names of which one must stand in `aud`.
fn audience_lists<'l>(policy: &'l TrustPolicy, claimed: Option<&'l Claimed<'_>>) -> impl Iterator<Item = &'l [String]> {
    let narrowed = claimed.and_then(|claimed| claimed.trusted.audiences.as_deref());
    policy.audiences.as_deref().into_iter().chain(narrowed)
}

/// A media type in the form in which it is compared (RFC 7515 section 4.1.9, RFC 2045 section 5.1).
fn media_type(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    match lower.strip_prefix("application/") {
        Some(rest) if !rest.contains('/') => rest.to_owned(),
        _ => lower,
    }
}

/// The grammar of RFC 8259 section 6.
fn is_number(literal: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
    let unsigned = literal.strip_prefix('-').unwrap_or(literal);
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    digits(whole) && (whole == "0" || !whole.starts_with('0')) && digits(fraction) && digits(exponent)
}
