//! What the header says, but for the key: type, extensions, algorithm and signer.

use super::trust::Claimed;
use super::{Flaw, Flawed, Refusal};
use crate::jose::Primitive;
use crate::policy::TrustPolicy;
use serde_json::{Map, Value};

/// Header names that RFC 7515 and RFC 7518 define, which `crit` must not list (RFC 7515 section 4.1.11).
const REGISTERED: [&str; 20] = [
    "alg", "jku", "jwk", "kid", "x5u", "x5c", "x5t", "x5t#S256", "typ", "cty", "crit", "enc", "zip", "epk", "apu",
    "apv", "iv", "tag", "p2s", "p2c",
];

impl Flawed {
    pub(super) fn check_header(&self, policy: &TrustPolicy, header: &Map<String, Value>) -> Result<(), Refusal> {
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
    pub(super) fn algorithm(&self, header: &Map<String, Value>) -> Result<Option<Primitive>, Refusal> {
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

    pub(super) fn check_signer(&self, claimed: &Claimed<'_>, header: &Map<String, Value>) -> Result<(), Refusal> {
        let Some(signer) = &claimed.issuer.signer else {
            return Ok(());
        };
        let named = header.get("signer").and_then(Value::as_str) == Some(signer);
        if named || self.flaw == Some(Flaw::SignerIgnored) { Ok(()) } else { Err("another signer") }
    }
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
