//! Algorithms and keys of the reference validator: each key is parsed once for every algorithm that it may verify.

#[cfg(test)]
mod tests;

use super::issuer::IssuerName;
use crate::jose::{Jwk, Material};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256K1_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519,
    EcdsaVerificationAlgorithm, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    RsaParameters, RsaPublicKeyComponents,
};
use std::ops::RangeInclusive;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

/// What an `alg` value means here.
pub(super) struct Algorithm {
    pub(super) name: &'static str,
    scheme: Scheme,
}

enum Scheme {
    Hmac(&'static hmac::Algorithm),
    Rsa(&'static RsaParameters),
    Ecdsa { crv: &'static str, width: usize, parameters: &'static EcdsaVerificationAlgorithm },
    Ed25519,
}

const fn row(name: &'static str, scheme: Scheme) -> Algorithm {
    Algorithm { name, scheme }
}

/// RFC 7518 section 3.1, RFC 8037 section 3.1 and RFC 8812 section 3.2. `none` is not among them, so nothing can switch it on.
pub(super) static ALGORITHMS: [Algorithm; 14] = [
    row("HS256", Scheme::Hmac(&hmac::HMAC_SHA256)),
    row("HS384", Scheme::Hmac(&hmac::HMAC_SHA384)),
    row("HS512", Scheme::Hmac(&hmac::HMAC_SHA512)),
    row("RS256", Scheme::Rsa(&RSA_PKCS1_2048_8192_SHA256)),
    row("RS384", Scheme::Rsa(&RSA_PKCS1_2048_8192_SHA384)),
    row("RS512", Scheme::Rsa(&RSA_PKCS1_2048_8192_SHA512)),
    row("PS256", Scheme::Rsa(&RSA_PSS_2048_8192_SHA256)),
    row("PS384", Scheme::Rsa(&RSA_PSS_2048_8192_SHA384)),
    row("PS512", Scheme::Rsa(&RSA_PSS_2048_8192_SHA512)),
    row("ES256", Scheme::Ecdsa { crv: "P-256", width: 32, parameters: &ECDSA_P256_SHA256_FIXED }),
    row("ES384", Scheme::Ecdsa { crv: "P-384", width: 48, parameters: &ECDSA_P384_SHA384_FIXED }),
    row("ES512", Scheme::Ecdsa { crv: "P-521", width: 66, parameters: &ECDSA_P521_SHA512_FIXED }),
    row("ES256K", Scheme::Ecdsa { crv: "secp256k1", width: 32, parameters: &ECDSA_P256K1_SHA256_FIXED }),
    row("EdDSA", Scheme::Ed25519),
];

impl Algorithm {
    /// The algorithm of exactly that name.
    pub(super) fn named(name: &str) -> Option<&'static Algorithm> {
        ALGORITHMS.iter().find(|algorithm| algorithm.name == name)
    }

    /// Makes this material ready to verify; `None` where it is of another kind, too weak or no key at all.
    fn prepare(&self, material: &Material) -> Option<Check> {
        match (&self.scheme, material) {
            (Scheme::Hmac(hash), Material::Oct { k }) => {
                // RFC 7518 section 3.2: at least as long as the hash output.
                let enough = k.len() >= hash.digest_algorithm().output_len;
                enough.then(|| Check::Mac(Box::new(hmac::Key::new(**hash, k))))
            }
            (Scheme::Rsa(parameters), Material::Rsa { n, e }) => {
                // RFC 7518 sections 3.3 and 3.5. Aws-lc enforces the bounds too, but only when it verifies.
                let bits = n.len() * 8 - n.first().map_or(0, |first| first.leading_zeros() as usize);
                let components = RsaPublicKeyComponents { n: n.as_slice(), e: e.as_slice() };
                let sound = (2048..=8192).contains(&bits);
                sound.then(|| components.to_parsed_public_key(parameters).ok().map(Check::Signature)).flatten()
            }
            (Scheme::Ecdsa { crv, width, parameters }, Material::Ec { crv: own, x, y })
                if own == crv && x.len() == *width && y.len() == *width =>
            {
                // SEC 1 section 2.3.3: an uncompressed point.
                let point = [&[4], x.as_slice(), y.as_slice()].concat();
                ParsedPublicKey::new(*parameters, point).ok().map(Check::Signature)
            }
            (Scheme::Ed25519, Material::Okp { crv, x }) if crv == "Ed25519" => {
                ParsedPublicKey::new(&ED25519, x).ok().map(Check::Signature)
            }
            _ => None,
        }
    }
}

/// A key made ready for one algorithm.
enum Check {
    Mac(Box<hmac::Key>),
    Signature(ParsedPublicKey),
}

impl Check {
    fn holds(&self, input: &[u8], signature: &[u8]) -> bool {
        match self {
            Check::Mac(key) => hmac::verify(key, input, signature).is_ok(),
            Check::Signature(key) => key.verify_sig(input, signature).is_ok(),
        }
    }
}

/// What the policy asks of keys.
pub(super) struct KeyTerms<'p> {
    pub(super) cloud: Option<&'p str>,
    pub(super) lifetime_binds: bool,
}

/// One JWK made ready.
pub(super) struct Key {
    pub(super) kid: Option<String>,
    /// RFC 7638.
    pub(super) thumbprint: String,
    /// Whose it is, in a set of keys of several issuers.
    pub(super) issuer: Option<IssuerName>,
    /// Why nothing may be verified with it, whatever the token.
    refusal: Option<&'static str>,
    lifetime: Lifetime,
    checks: Vec<(&'static Algorithm, Check)>,
}

impl Key {
    pub(super) fn new(jwk: &Jwk, terms: &KeyTerms<'_>) -> Self {
        let own = |algorithm: &&Algorithm| jwk.alg.as_deref().is_none_or(|alg| alg == algorithm.name);
        let checks = ALGORITHMS.iter().filter(own);
        Key {
            kid: jwk.kid.clone(),
            thumbprint: jwk.material.thumbprint(),
            issuer: jwk.issuer.as_deref().map(IssuerName::read),
            refusal: refusal(jwk, terms),
            lifetime: if terms.lifetime_binds { Lifetime::shown_by(jwk) } else { Lifetime::default() },
            checks: checks.filter_map(|algorithm| Some((algorithm, algorithm.prepare(&jwk.material)?))).collect(),
        }
    }

    /// Whether this key made that signature and may make it now.
    pub(super) fn verify(
        &self,
        algorithm: &Algorithm,
        input: &[u8],
        signature: &[u8],
        now: i64,
    ) -> Result<(), &'static str> {
        if let Some(refusal) = self.refusal {
            return Err(refusal);
        }
        if !self.lifetime.covers(now) {
            return Err("the key is outside its lifetime");
        }
        let check = self.checks.iter().find(|(own, _)| own.name == algorithm.name);
        let (_, check) = check.ok_or("the key does not fit the algorithm, or is too weak for it")?;
        if check.holds(input, signature) { Ok(()) } else { Err("the signature does not verify") }
    }
}

fn refusal(jwk: &Jwk, terms: &KeyTerms<'_>) -> Option<&'static str> {
    if jwk.key_use.as_deref().is_some_and(|key_use| key_use != "sig") {
        return Some("the key is not for signatures");
    }
    if jwk.key_ops.as_ref().is_some_and(|operations| !operations.iter().any(|operation| operation == "verify")) {
        return Some("the key is not for verifying");
    }
    match (terms.cloud, jwk.cloud_instance_name.as_deref()) {
        (Some(ours), Some(theirs)) if ours != theirs => Some("the key belongs to another cloud"),
        _ => None,
    }
}

/// When a JWK says that it may be used; everything that is there must hold.
#[derive(Default)]
struct Lifetime {
    certificate: Option<RangeInclusive<i64>>,
    nbf: Option<i64>,
    exp: Option<i64>,
}

impl Lifetime {
    fn shown_by(jwk: &Jwk) -> Self {
        Lifetime {
            // A certificate that cannot be read covers no time.
            certificate: jwk.x5c.first().map(|der| validity(der).unwrap_or(RangeInclusive::new(1, 0))),
            nbf: jwk.nbf.map(|date| date.0),
            exp: jwk.exp.map(|date| date.0),
        }
    }

    fn covers(&self, now: i64) -> bool {
        self.certificate.as_ref().is_none_or(|validity| validity.contains(&now))
            && self.nbf.is_none_or(|nbf| nbf <= now)
            && self.exp.is_none_or(|exp| now < exp)
    }
}

/// First and last second of a certificate (RFC 5280 section 4.1.2.5).
fn validity(der: &[u8]) -> Option<RangeInclusive<i64>> {
    let validity = Certificate::from_der(der).ok()?.tbs_certificate.validity;
    let first = i64::try_from(validity.not_before.to_unix_duration().as_secs()).ok()?;
    let last = i64::try_from(validity.not_after.to_unix_duration().as_secs()).ok()?;
    Some(first..=last)
}
