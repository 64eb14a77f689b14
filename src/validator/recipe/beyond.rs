//! Tokens that a crate cannot judge, since it lacks an algorithm which the claimed issuer may use. An adapter skips those,
//! as an application with such an issuer would not have been built on that crate.

use crate::jose::{Token, decode_base64url};
use crate::policy::TrustPolicy;
use serde_json::{Map, Value};

/// The token's algorithm, where the policy allows it to the claimed issuer and it is not among these; `none` never is.
pub(super) fn beyond(policy: &TrustPolicy, algorithms: &[&str], token: &Token) -> Option<String> {
    let mut parts = token.as_str()?.split('.');
    let mut part = || -> Option<Map<String, Value>> { serde_json::from_slice(&decode_base64url(parts.next()?)?).ok() };
    let (header, claims) = (part()?, part()?);
    let alg = header.get("alg")?.as_str().filter(|alg| *alg != "none" && !algorithms.contains(alg))?;
    let issuer = policy.issuer_named(claims.get("iss")?.as_str()?)?;
    let mut lists = policy.algorithms.iter().chain(&issuer.algorithms).peekable();
    lists.peek()?;
    lists.all(|list| list.iter().any(|name| name == alg)).then(|| alg.to_owned())
}
