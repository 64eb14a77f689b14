//! A listed key, parsed once for each algorithm that it is asked for.

use crate::jose::{Family, Hash, Jwk, Material, Primitive, decode_base64, encode_base64};
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::{hmac, signature};
use rsa::pkcs8::DecodePublicKey as _;
use rsa::traits::PublicKeyParts as _;
use rsa::{BigUint, Pkcs1v15Sign, Pss, RsaPublicKey};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use std::sync::OnceLock;
use x509_cert::Certificate;
use x509_cert::der::{Decode as _, Encode as _};

/// The names of all algorithms that can be verified here.
pub(super) const ALGORITHMS: [&str; 14] = [
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
    "ES256K", "EdDSA",
];

/// Fewest bits of an RSA modulus (RFC 7518 section 3.3).
const RSA_BITS: usize = 2048;

/// A key of the policy and its parsed forms.
pub(super) struct Key {
    pub(super) jwk: Jwk,
    parsed: [OnceLock<Option<Parsed>>; ALGORITHMS.len()],
}

enum Parsed {
    /// Boxed: the two hash states in it are twenty times the size of a public key.
    Secret(Box<hmac::Key>),
    Public(signature::ParsedPublicKey),
}

/// Whether an ECDSA signature over this digest is by the key at this point of the crate's curve.
macro_rules! ecdsa_verifies {
    ($curve:ident, $point:expr, $digest:expr, $octets:expr) => {{
        use $curve::ecdsa::signature::hazmat::PrehashVerifier as _;
        let key = $curve::ecdsa::VerifyingKey::from_sec1_bytes($point);
        let signature = $curve::ecdsa::Signature::from_slice($octets);
        matches!((key, signature), (Ok(key), Ok(signature)) if key.verify_prehash($digest, &signature).is_ok())
    }};
}

impl Key {
    pub(super) fn new(jwk: Jwk) -> Self {
        Key { jwk, parsed: std::array::from_fn(|_| OnceLock::new()) }
    }

    pub(super) fn is_secret(&self) -> bool {
        matches!(self.jwk.material, Material::Oct { .. })
    }

    /// Whether the key is as long as the algorithm demands (RFC 7518 sections 3.2 and 3.3).
    pub(super) fn is_long_enough(&self, primitive: Primitive) -> bool {
        let needed = match primitive.family() {
            Family::Hmac => hash_bits(primitive.hash()),
            Family::RsaPkcs1 | Family::RsaPss => RSA_BITS,
            Family::Ecdsa | Family::EdDsa => 0,
        };
        self.jwk.material.bits().is_none_or(|bits| bits >= needed)
    }

    /// Whether this key made the signature; false for an algorithm that this kind of key does not have.
    pub(super) fn verifies(&self, primitive: Primitive, input: &[u8], octets: &[u8]) -> bool {
        let Some(place) = ALGORITHMS.iter().position(|name| *name == primitive.name()) else {
            return false;
        };
        match self.parsed[place].get_or_init(|| parse(&self.jwk.material, primitive)) {
            Some(Parsed::Secret(key)) => hmac::verify(key, input, octets).is_ok(),
            Some(Parsed::Public(key)) => key.verify_sig(input, octets).is_ok(),
            None => false,
        }
    }

    /// The same for an RSA key of any length, which aws-lc refuses below 2048 bits.
    pub(super) fn verifies_at_any_length(&self, primitive: Primitive, input: &[u8], octets: &[u8]) -> bool {
        let Material::Rsa { n, e } = &self.jwk.material else {
            return self.verifies(primitive, input, octets);
        };
        let Ok(key) = RsaPublicKey::new(BigUint::from_bytes_be(n), BigUint::from_bytes_be(e)) else {
            return false;
        };
        let digest = digest(primitive.hash(), input);
        let (pkcs1, pss) = match primitive.hash() {
            Hash::Sha256 => (Pkcs1v15Sign::new::<Sha256>(), Pss::new::<Sha256>()),
            Hash::Sha384 => (Pkcs1v15Sign::new::<Sha384>(), Pss::new::<Sha384>()),
            Hash::Sha512 => (Pkcs1v15Sign::new::<Sha512>(), Pss::new::<Sha512>()),
        };
        match primitive.family() {
            Family::RsaPkcs1 => key.verify(pkcs1, &digest, octets).is_ok(),
            Family::RsaPss => key.verify(pss, &digest, octets).is_ok(),
            Family::Hmac | Family::Ecdsa | Family::EdDsa => false,
        }
    }

    /// The same on the curve of the key, where the algorithm is for another: of the algorithm only the hash counts.
    pub(super) fn verifies_on_its_curve(&self, primitive: Primitive, input: &[u8], octets: &[u8]) -> bool {
        let digest = digest(primitive.hash(), input);
        match &self.jwk.material {
            Material::Ec { crv, x, y } => {
                let point = [&[4], x.as_slice(), y].concat();
                match crv.as_str() {
                    "P-256" => ecdsa_verifies!(p256, &point, &digest, octets),
                    "P-384" => ecdsa_verifies!(p384, &point, &digest, octets),
                    "P-521" => ecdsa_verifies!(p521, &point, &digest, octets),
                    _ => ecdsa_verifies!(k256, &point, &digest, octets),
                }
            }
            Material::Okp { x, .. } => signature::ParsedPublicKey::new(&signature::ED25519, x)
                .is_ok_and(|key| key.verify_sig(input, octets).is_ok()),
            Material::Rsa { .. } | Material::Oct { .. } => false,
        }
    }

    /// The public key as `ssh-keygen` writes it, without a comment: RFC 4253 section 6.6, RFC 5656 section 3.1, RFC 8709
    /// section 4. `None` for a secret, and for a curve that has no name there.
    pub(super) fn openssh_line(&self) -> Option<String> {
        let field = |octets: &[u8]| {
            let length = u32::try_from(octets.len()).unwrap_or(u32::MAX);
            [length.to_be_bytes().as_slice(), octets].concat()
        };
        // RFC 4251 section 5: a number whose first bit is set would be negative without a zero before it.
        let number = |octets: &[u8]| match octets.first() {
            Some(first) if *first >= 0x80 => field(&[&[0], octets].concat()),
            _ => field(octets),
        };
        let (name, rest) = match &self.jwk.material {
            Material::Rsa { n, e } => ("ssh-rsa".to_owned(), [number(e), number(n)].concat()),
            Material::Ec { crv, x, y } => {
                let curve = match crv.as_str() {
                    "P-256" => "nistp256",
                    "P-384" => "nistp384",
                    "P-521" => "nistp521",
                    _ => return None,
                };
                let point = [&[4], x.as_slice(), y].concat();
                (format!("ecdsa-sha2-{curve}"), [field(curve.as_bytes()), field(&point)].concat())
            }
            Material::Okp { x, .. } => ("ssh-ed25519".to_owned(), field(x)),
            Material::Oct { .. } => return None,
        };
        let blob = [field(name.as_bytes()), rest].concat();
        Some(format!("{name} {}", encode_base64(&blob)))
    }

    /// The public key as PEM with a final newline (RFC 7468 section 13); `None` for a secret or what is no key.
    pub(super) fn spki_pem(&self) -> Option<String> {
        let primitive = match &self.jwk.material {
            Material::Rsa { .. } => Primitive::RS256,
            Material::Ec { crv, .. } => match crv.as_str() {
                "P-256" => Primitive::ES256,
                "P-384" => Primitive::from_name("ES384")?,
                "P-521" => Primitive::from_name("ES512")?,
                "secp256k1" => Primitive::from_name("ES256K")?,
                _ => return None,
            },
            Material::Okp { .. } => Primitive::EDDSA,
            Material::Oct { .. } => return None,
        };
        let Some(Parsed::Public(key)) = parse(&self.jwk.material, primitive) else {
            return None;
        };
        let base64 = encode_base64(key.as_der().ok()?.as_ref());
        let mut pem = String::from("-----BEGIN PUBLIC KEY-----\n");
        let mut rest = base64.as_str();
        while !rest.is_empty() {
            let (line, more) = rest.split_at(rest.len().min(64));
            pem.push_str(line);
            pem.push('\n');
            rest = more;
        }
        pem.push_str("-----END PUBLIC KEY-----\n");
        Some(pem)
    }
}

/// The RSA key of the first certificate in `x5c` (RFC 7515 section 4.1.6).
pub(super) fn key_of_the_certificate(header: &Map<String, Value>) -> Option<Jwk> {
    let der = decode_base64(header.get("x5c")?.get(0)?.as_str()?)?;
    let certificate = Certificate::from_der(&der).ok()?;
    let spki = certificate.tbs_certificate.subject_public_key_info.to_der().ok()?;
    let key = RsaPublicKey::from_public_key_der(&spki).ok()?;
    Some(Jwk::new(Material::Rsa { n: key.n().to_bytes_be(), e: key.e().to_bytes_be() }))
}

/// HMAC under a secret that is not in the policy.
pub(super) fn hmac_verifies(primitive: Primitive, secret: &[u8], input: &[u8], octets: &[u8]) -> bool {
    hmac::verify(&hmac::Key::new(hmac_of(primitive.hash()), secret), input, octets).is_ok()
}

fn digest(hash: Hash, input: &[u8]) -> Vec<u8> {
    match hash {
        Hash::Sha256 => Sha256::digest(input).to_vec(),
        Hash::Sha384 => Sha384::digest(input).to_vec(),
        Hash::Sha512 => Sha512::digest(input).to_vec(),
    }
}

fn hash_bits(hash: Hash) -> usize {
    match hash {
        Hash::Sha256 => 256,
        Hash::Sha384 => 384,
        Hash::Sha512 => 512,
    }
}

fn hmac_of(hash: Hash) -> hmac::Algorithm {
    match hash {
        Hash::Sha256 => hmac::HMAC_SHA256,
        Hash::Sha384 => hmac::HMAC_SHA384,
        Hash::Sha512 => hmac::HMAC_SHA512,
    }
}

fn parse(material: &Material, primitive: Primitive) -> Option<Parsed> {
    if !material.fits(primitive) {
        return None;
    }
    let public = match material {
        Material::Oct { k } => {
            return Some(Parsed::Secret(Box::new(hmac::Key::new(hmac_of(primitive.hash()), k))));
        }
        Material::Rsa { n, e } => {
            let parameters: &'static signature::RsaParameters = match (primitive.family(), primitive.hash()) {
                (Family::RsaPss, Hash::Sha256) => &signature::RSA_PSS_2048_8192_SHA256,
                (Family::RsaPss, Hash::Sha384) => &signature::RSA_PSS_2048_8192_SHA384,
                (Family::RsaPss, Hash::Sha512) => &signature::RSA_PSS_2048_8192_SHA512,
                (_, Hash::Sha256) => &signature::RSA_PKCS1_2048_8192_SHA256,
                (_, Hash::Sha384) => &signature::RSA_PKCS1_2048_8192_SHA384,
                (_, Hash::Sha512) => &signature::RSA_PKCS1_2048_8192_SHA512,
            };
            signature::RsaPublicKeyComponents { n, e }.to_parsed_public_key(parameters)
        }
        Material::Ec { crv, x, y } => {
            let curve: &'static signature::EcdsaVerificationAlgorithm = match crv.as_str() {
                "P-256" => &signature::ECDSA_P256_SHA256_FIXED,
                "P-384" => &signature::ECDSA_P384_SHA384_FIXED,
                "P-521" => &signature::ECDSA_P521_SHA512_FIXED,
                _ => &signature::ECDSA_P256K1_SHA256_FIXED,
            };
            // SEC 1 section 2.3.3: an uncompressed point.
            signature::ParsedPublicKey::new(curve, [&[4], x.as_slice(), y.as_slice()].concat())
        }
        Material::Okp { x, .. } => signature::ParsedPublicKey::new(&signature::ED25519, x),
    };
    public.ok().map(Parsed::Public)
}
