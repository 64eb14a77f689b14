//! Between `wrongkey` and the service: hands over the policy as production would be configured, and decides nothing.

use own_validator::{Config, Gate, Issuer};
use std::str::FromStr as _;
use wrongkey::jose::{NumericDate, Serialization, Token};
use wrongkey::policy::{KeySource, Replay, TrustPolicy, TrustedIssuer};
use wrongkey::validator::{Clock, Configured, Description, Fault, Identity, Validator, Verdict};

/// The service's gate, to be judged.
#[derive(Default)]
pub struct OurGate(Gate);

impl Validator for OurGate {
    fn describe(&self) -> Description {
        let mut description = Description::new("own-validator", env!("CARGO_PKG_VERSION"), Clock::System);
        description.issuer_templates = false;
        description.key_sources = [KeySource::PerIssuer].into();
        description
    }

    fn configure(&mut self, policy: &TrustPolicy) -> Result<Configured, Fault> {
        Ok(match config(policy) {
            Ok(config) => {
                self.0 = Gate::new(config);
                Configured::Ready
            }
            Err(unsupported) => Configured::Skip(unsupported.to_owned()),
        })
    }

    /// The service reads the machine's clock.
    fn validate(&mut self, token: &Token, _: NumericDate) -> Result<Verdict, Fault> {
        let text = String::from_utf8_lossy(token.as_bytes());
        Ok(match self.0.authenticate(&text) {
            Ok(user) => Verdict::accept(Identity { iss: Some(user.iss), sub: Some(user.sub), ..Identity::default() }),
            Err(why) => Verdict::Reject(why),
        })
    }
}

/// `Err` says for what the service has no setting.
fn config(policy: &TrustPolicy) -> Result<Config, &'static str> {
    let compact = |list: &Vec<Serialization>| list.as_slice() == [Serialization::Compact];
    let token_type = match policy.token_types.as_deref() {
        None | Some([]) => None,
        Some([one]) => Some(one.clone()),
        Some(_) => return Err("one type of tokens"),
    };
    let audiences = policy.audiences.clone().filter(|names| !names.is_empty()).ok_or("we always have a name")?;
    let required = policy.required_claims.clone().unwrap_or_default();
    let known = ["iss", "sub", "aud", "exp", "nbf"];
    let refused = [
        (!required.iter().all(|name| known.contains(&name.as_str())), "a claim that we do not ask for"),
        (policy.replay == Some(Replay::Refuse), "no replay store"),
        (policy.serializations.as_ref().is_some_and(|list| !compact(list)), "compact tokens only"),
        (policy.enforce_key_lifetime == Some(true), "no lifetimes of keys"),
        (policy.cloud_instance.is_some(), "one cloud"),
        (policy.issuers.iter().any(|issuer| issuer.issuer.is_empty()), "every issuer has a name"),
        (policy.leeway.is_some_and(|seconds| seconds > 3600), "an hour of leeway at most"),
        (policy.crit_understood.as_ref().is_some_and(|names| !names.is_empty()), "no extensions"),
    ];
    if let Some((_, reason)) = refused.iter().find(|(refused, _)| *refused) {
        return Err(reason);
    }
    let issuers = policy.issuers.iter().map(|issuer| Ok((issuer.issuer.clone(), trusted(policy, issuer)?)));
    let issuers = issuers.collect::<Result<_, &'static str>>()?;
    Ok(Config { audiences, token_type, required, leeway: policy.leeway.unwrap_or(0), issuers })
}

fn trusted(policy: &TrustPolicy, issuer: &TrustedIssuer) -> Result<Issuer, &'static str> {
    if issuer.signer.is_some() || issuer.subjects.is_some() || issuer.audiences.is_some() {
        return Err("nothing beyond keys and algorithms for an issuer");
    }
    let names = issuer.algorithms.as_ref().or(policy.algorithms.as_ref()).ok_or("algorithms are always named")?;
    let algorithms = names.iter().map(|name| jsonwebtoken::Algorithm::from_str(name));
    let algorithms = algorithms.collect::<Result<_, _>>().map_err(|_| "an algorithm that we do not have")?;
    // As a published set is read: what is no key for us is left out.
    let keys = issuer.own_keys().filter_map(|jwk| serde_json::from_value(serde_json::to_value(jwk).ok()?).ok());
    Ok(Issuer { keys: jsonwebtoken::jwk::JwkSet { keys: keys.collect() }, algorithms })
}
