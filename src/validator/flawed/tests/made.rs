//! Keys, tokens and policies made by hand for the tests beside this file.

use crate::jose::{Jwk, JwkSet, Material, NumericDate, Serialization, Token, encode_base64, encode_base64url};
use crate::policy::{KeySource, Replay, TrustPolicy, TrustedIssuer};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
    RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair, RsaPublicKeyComponents,
};
use aws_lc_rs::{hmac, rsa::KeySize};
use serde_json::{Value, json};
use std::sync::LazyLock;

pub(super) const NOW: NumericDate = NumericDate(1_800_000_000);
pub(super) const A: &str = "https://a.example";
pub(super) const B: &str = "https://b.example";
pub(super) const TEMPLATE: &str = "https://t.example/{tenantid}/v2.0";
pub(super) const OURS: &str = "https://mail.example";

pub(super) enum Pair {
    Secret(Vec<u8>),
    Rsa(RsaKeyPair),
    ShortRsa(Box<rsa::RsaPrivateKey>),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

pub(super) struct Signer {
    pub(super) jwk: Jwk,
    pub(super) pair: Pair,
}

impl Signer {
    pub(super) fn new(kid: &str, material: Material, pair: Pair) -> Self {
        let mut jwk = Jwk::new(material);
        jwk.kid = Some(kid.to_owned());
        Signer { jwk, pair }
    }

    pub(super) fn ed(kid: &str, seed: u8) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let x = pair.public_key().as_ref().to_vec();
        Signer::new(kid, Material::Okp { crv: "Ed25519".to_owned(), x }, Pair::Ed(pair))
    }

    pub(super) fn ec(kid: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let point = pair.public_key().as_ref();
        let (x, y) = (point[1..33].to_vec(), point[33..].to_vec());
        Signer::new(kid, Material::Ec { crv: "P-256".to_owned(), x, y }, Pair::Ec(pair))
    }

    pub(super) fn rsa(kid: &str) -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let RsaPublicKeyComponents { n, e } = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
        Signer::new(kid, Material::Rsa { n, e }, Pair::Rsa(pair))
    }

    /// The key of a shipped certificate, and that as `x5c` writes it.
    pub(super) fn certified(kid: &str) -> (Self, String) {
        let der = |pem: &str| x509_cert::der::pem::decode_vec(pem.as_bytes()).unwrap().1;
        let pair = RsaKeyPair::from_pkcs8(&der(include_str!("../../../world/keys/rsa-2.pem"))).unwrap();
        let RsaPublicKeyComponents { n, e } = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
        let certificate = encode_base64(&der(include_str!("../../../world/keys/rsa-2.cert.pem")));
        (Signer::new(kid, Material::Rsa { n, e }, Pair::Rsa(pair)), certificate)
    }

    pub(super) fn short_rsa(kid: &str) -> Self {
        use rand_chacha::rand_core::SeedableRng as _;
        use rsa::traits::PublicKeyParts as _;
        let pair = rsa::RsaPrivateKey::new(&mut rand_chacha::ChaCha20Rng::from_seed([7; 32]), 1024).unwrap();
        let material = Material::Rsa { n: pair.n().to_bytes_be(), e: pair.e().to_bytes_be() };
        Signer::new(kid, material, Pair::ShortRsa(Box::new(pair)))
    }

    pub(super) fn secret(kid: &str, k: &[u8]) -> Self {
        Signer::new(kid, Material::Oct { k: k.to_vec() }, Pair::Secret(k.to_vec()))
    }

    pub(super) fn with(mut self, change: impl FnOnce(&mut Jwk)) -> Self {
        change(&mut self.jwk);
        self
    }

    pub(super) fn sign(&self, alg: &str, input: &[u8]) -> Vec<u8> {
        match &self.pair {
            Pair::Secret(k) => {
                let hash = match alg {
                    "HS256" => hmac::HMAC_SHA256,
                    "HS384" => hmac::HMAC_SHA384,
                    _ => hmac::HMAC_SHA512,
                };
                hmac::sign(&hmac::Key::new(hash, k), input).as_ref().to_vec()
            }
            Pair::Rsa(pair) => {
                let encoding: &dyn RsaEncoding = match alg {
                    "RS256" => &RSA_PKCS1_SHA256,
                    "RS384" => &RSA_PKCS1_SHA384,
                    "RS512" => &RSA_PKCS1_SHA512,
                    "PS256" => &RSA_PSS_SHA256,
                    "PS384" => &RSA_PSS_SHA384,
                    _ => &RSA_PSS_SHA512,
                };
                let mut octets = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &SystemRandom::new(), input, &mut octets).unwrap();
                octets
            }
            Pair::ShortRsa(pair) => {
                use sha2::Digest as _;
                pair.sign(rsa::Pkcs1v15Sign::new::<sha2::Sha256>(), &sha2::Sha256::digest(input)).unwrap()
            }
            Pair::Ec(pair) => pair.sign(&SystemRandom::new(), input).unwrap().as_ref().to_vec(),
            Pair::Ed(pair) => pair.sign(input).as_ref().to_vec(),
        }
    }
}

pub(super) static RSA: LazyLock<Signer> = LazyLock::new(|| Signer::rsa("rsa"));
pub(super) static SECRET: [u8; 64] = [3; 64];

/// A token before it is signed.
#[derive(Clone)]
pub(super) struct Draft {
    pub(super) header: Value,
    pub(super) claims: Value,
}

impl Draft {
    pub(super) fn of(iss: &str, signer: &Signer, alg: &str) -> Self {
        Draft {
            header: json!({"alg": alg, "kid": signer.jwk.kid, "typ": "at+jwt"}),
            claims: json!({
                "iss": iss, "sub": "alice", "aud": OURS, "exp": NOW.0 + 600, "nbf": NOW.0 - 600, "iat": NOW.0
            }),
        }
    }

    pub(super) fn claim(mut self, name: &str, value: Value) -> Self {
        self.claims[name] = value;
        self
    }

    pub(super) fn header(mut self, name: &str, value: Value) -> Self {
        self.header[name] = value;
        self
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        self.claims.as_object_mut().unwrap().remove(name);
        self.header.as_object_mut().unwrap().remove(name);
        self
    }

    pub(super) fn input(&self) -> String {
        let part = |value: &Value| encode_base64url(value.to_string().as_bytes());
        format!("{}.{}", part(&self.header), part(&self.claims))
    }

    pub(super) fn sign(&self, signer: &Signer) -> Token {
        sign_text(&self.input(), signer, self.header["alg"].as_str().unwrap())
    }
}

pub(super) fn sign_text(input: &str, signer: &Signer, alg: &str) -> Token {
    Token::new(format!("{input}.{}", encode_base64url(&signer.sign(alg, input.as_bytes()))))
}

pub(super) fn issuer(name: &str, keys: &[&Signer]) -> TrustedIssuer {
    let (secrets, keys): (Vec<Jwk>, Vec<Jwk>) =
        keys.iter().map(|key| key.jwk.clone()).partition(|jwk| matches!(jwk.material, Material::Oct { .. }));
    TrustedIssuer {
        issuer: name.to_owned(),
        jwks: Some(JwkSet::of(keys)),
        secrets: (!secrets.is_empty()).then_some(JwkSet::of(secrets)),
        ..TrustedIssuer::default()
    }
}

pub(super) fn texts(list: &[&str]) -> Option<Vec<String>> {
    Some(list.iter().map(ToString::to_string).collect())
}

pub(super) fn policy(issuers: Vec<TrustedIssuer>) -> TrustPolicy {
    TrustPolicy {
        policy: 1,
        relying_party: "mail".to_owned(),
        key_source: KeySource::PerIssuer,
        audiences: texts(&[OURS]),
        algorithms: None,
        token_types: texts(&["at+jwt"]),
        required_claims: texts(&["iss", "sub", "aud", "exp"]),
        leeway: Some(0),
        serializations: Some(vec![Serialization::Compact]),
        signatures: None,
        crit_understood: Some(Vec::new()),
        cloud_instance: Some("public".to_owned()),
        jwks_max_age: None,
        enforce_key_lifetime: Some(true),
        replay: Some(Replay::Allow),
        decryption_keys: None,
        resolver: None,
        issuers,
        converged_jwks: None,
    }
}

pub(super) fn converged(mut policy: TrustPolicy, keys: &[&Signer]) -> TrustPolicy {
    policy.key_source = KeySource::Converged;
    for issuer in &mut policy.issuers {
        (issuer.jwks, issuer.secrets) = (None, None);
    }
    policy.converged_jwks = Some(JwkSet::of(keys.iter().map(|key| key.jwk.clone()).collect()));
    policy
}

pub(super) fn every_signer() -> Vec<(Signer, Vec<&'static str>)> {
    vec![
        (Signer::secret("secret", &SECRET), vec!["HS256", "HS384", "HS512"]),
        (Signer::rsa("rsa"), vec!["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]),
        (Signer::ec("ec"), vec!["ES256"]),
        (Signer::ed("ed", 1), vec!["EdDSA"]),
    ]
}
