//! Names taken for what they are not: every way to compare an issuer's name otherwise than as it stands is one flaw.

use super::Flaw;
use super::trust::{Claimed, Trust, name_within, tenant_claim};
use crate::policy::{TENANT_PLACE, TrustedIssuer, tenant_in};
use serde_json::{Map, Value};

/// The trusted issuer that the flaw sees in a name that no trusted issuer has.
pub(super) fn claimed_loosely<'t>(
    flaw: Option<Flaw>,
    trust: &'t Trust,
    iss: &str,
    claims: &Map<String, Value>,
) -> Option<Claimed<'t>> {
    let issuers = &trust.policy.issuers;
    let found = |issuer: &TrustedIssuer, name: String| trust.claimed(issuer, name, Some(iss.to_owned()));
    let within = |anywhere| {
        issuers.iter().find_map(|issuer| found(issuer, name_within(&issuer.issuer, iss, anywhere)?.to_owned()))
    };
    let named = |name: &str| trust.named(name).map(|claimed| Claimed { iss: Some(iss.to_owned()), ..claimed });
    match flaw? {
        Flaw::IssuerByPrefix => within(false),
        Flaw::IssuerBySubstring => within(true),
        Flaw::IssuerSlashIgnored => named(iss.trim_end_matches('/')),
        Flaw::IssuerCaseFolded => named(&iss.to_lowercase()),
        Flaw::IssuerPercentDecoded => named(&percent_decoded(iss)),
        Flaw::IssuerUrlNormalised => named(&url_normalised(iss)?),
        Flaw::IssuerTrimmed => named(iss.trim()),
        Flaw::IssuerUntilNul => named(iss.split('\0').next()?),
        Flaw::IssuerByLine => iss.lines().find_map(named),
        Flaw::IssuerAsPattern => issuers.iter().find_map(|issuer| found(issuer, by_pattern(&issuer.issuer, iss)?)),
        Flaw::IssuerTemplateTrusted => {
            let issuer = issuers.iter().find(|issuer| issuer.is_template() && issuer.issuer == iss)?;
            let tenant = claims.get(tenant_claim(issuer)).and_then(Value::as_str)?;
            found(issuer, iss.replace(TENANT_PLACE, tenant))
        }
        _ => None,
    }
}

/// RFC 3986 section 2.1, undone.
fn percent_decoded(text: &str) -> String {
    let mut octets = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        let digits = behind.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| *first == b'%') {
            Some(octet) => {
                octets.push(octet);
                rest = &behind[2..];
            }
            None => {
                octets.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&octets).into_owned()
}

/// Some of RFC 3986 section 6.2.2 and 6.2.3.
fn url_normalised(text: &str) -> Option<String> {
    let (host, path) = text.strip_prefix("https://")?.split_once('/').unwrap_or((text.strip_prefix("https://")?, ""));
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    let path: String = segments.iter().flat_map(|segment| ["/", segment]).collect();
    Some(format!("https://{}{path}", host.strip_suffix(":443").unwrap_or(host)))
}

/// The trusted name that an unescaped pattern made of it finds in a name: its dots stand for anything.
fn by_pattern(trusted: &str, name: &str) -> Option<String> {
    let fits = |pattern: &str, text: &str| {
        pattern.chars().count() == text.chars().count()
            && pattern.chars().zip(text.chars()).all(|(wanted, found)| wanted == '.' || wanted == found)
    };
    let Some((before, after)) = trusted.split_once(TENANT_PLACE) else {
        return fits(trusted, name).then(|| trusted.to_owned());
    };
    let count = name.chars().count().checked_sub(before.chars().count() + after.chars().count())?;
    let mut rest = name.chars();
    let start: String = rest.by_ref().take(before.chars().count()).collect();
    let tenant: String = rest.by_ref().take(count).collect();
    let filled = trusted.replace(TENANT_PLACE, &tenant);
    (fits(before, &start) && fits(after, rest.as_str()) && tenant_in(trusted, &filled).is_some()).then_some(filled)
}
