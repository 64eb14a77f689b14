//! What the claims must say, once it is known whose they are: what is required, when, for whom and about whom.

use super::trust::Claimed;
use super::{Flaw, Flawed, Refusal};
use crate::jose::NumericDate;
use crate::policy::TrustPolicy;
use serde_json::{Map, Number, Value};
use std::cmp::Ordering;
use std::time::Duration;

impl Flawed {
    pub(super) fn check_required_claims(
        &self,
        policy: &TrustPolicy,
        claims: &Map<String, Value>,
    ) -> Result<(), Refusal> {
        for name in policy.required_claims.iter().flatten() {
            let excused = match self.flaw {
                Some(Flaw::RequiredClaimsIgnored) => name != "iss",
                Some(Flaw::MissingIssuerAllowed | Flaw::EmptyIssuerMatchesMissing) => name == "iss",
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
    pub(super) fn check_times(
        &self,
        policy: &TrustPolicy,
        claims: &Map<String, Value>,
        now: NumericDate,
    ) -> Result<(), Refusal> {
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

    pub(super) fn check_audience(
        &self,
        policy: &TrustPolicy,
        claimed: &Claimed<'_>,
        claims: &Map<String, Value>,
    ) -> Result<(), Refusal> {
        let mut lists: Vec<Vec<&String>> =
            policy.audiences.iter().chain(&claimed.issuer.audiences).map(|list| list.iter().collect()).collect();
        match self.flaw {
            Some(Flaw::AudiencesPooled) if claimed.issuer.audiences.is_some() => {
                lists.pop();
                lists.push(policy.issuers.iter().flat_map(|issuer| &issuer.audiences).flatten().collect());
            }
            Some(Flaw::EmptyAudienceMeansAny) => lists.retain(|list| !list.is_empty()),
            _ => {}
        }
        if lists.is_empty() || self.flaw == Some(Flaw::AudienceIgnored) {
            return Ok(());
        }
        let nameless = lists.iter().all(Vec::is_empty);
        let is_ours = |audience: &str| {
            lists.iter().all(|list| {
                list.iter().any(|&ours| match self.flaw {
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

    pub(super) fn check_subject(
        &self,
        claimed: &Claimed<'_>,
        claims: &Map<String, Value>,
    ) -> Result<Option<String>, Refusal> {
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
}

/// Compares a JSON number with a whole one; fractions count.
fn compare(number: &Number, whole: i128) -> Option<Ordering> {
    let exact = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
    match exact {
        Some(exact) => Some(exact.cmp(&whole)),
        None => number.as_f64()?.partial_cmp(&(whole as f64)),
    }
}
