//! Test keys, private halves included, and signing: keys are parsed once, signatures are deterministic, costly ones remembered.
//!
//! These keys protect nothing. Their `Debug` form shows no private octet, and nothing that is stored or printed holds one.

mod certificate;
mod ec;
mod memo;
mod public_text;

pub(crate) use certificate::ecdsa_der;
pub use memo::{Ledger, Memo};
pub(crate) use public_text::armoured;
pub use public_text::public_text;

use crate::jose::{Family, Hash, Material, Primitive};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use ec::{Curve, EcKey};
use rsa::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _, EncodePrivateKey as _};
use rsa::signature::{RandomizedSigner as _, SignatureEncoding as _, Signer as _};
use rsa::traits::{PrivateKeyParts as _, PublicKeyParts as _};
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::OnceLock;

/// Kinds of keys that derive from a seed. RSA keys do not: they are fixed files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
pub enum DerivedKind {
    /// An elliptic curve key for ES256.
    #[serde(rename = "P-256")]
    P256,
    /// An elliptic curve key for ES384.
    #[serde(rename = "P-384")]
    P384,
    /// An elliptic curve key for ES512.
    #[serde(rename = "P-521")]
    P521,
    /// An elliptic curve key for ES256K.
    #[serde(rename = "secp256k1")]
    Secp256k1,
    /// An octet key pair for EdDSA.
    Ed25519,
    /// An Ed25519 key published as one for key agreement, which must not verify signatures (RFC 8037 section 3.1).
    #[serde(rename = "X25519")]
    X25519,
    /// A secret of 64 octets: enough for every hash (RFC 7518 section 3.2).
    #[serde(rename = "long-secret")]
    LongSecret,
    /// A secret of 32 octets.
    #[serde(rename = "secret")]
    Secret,
    /// A secret of 8 octets: too short on purpose (RFC 7518 section 3.2).
    #[serde(rename = "short-secret")]
    ShortSecret,
    /// An RSA key whose public exponent is 1, on purpose (RFC 8017 section 3.1): it has no private half, and everybody signs
    /// with it by PKCS #1 v1.5.
    #[serde(rename = "rsa-exponent-one")]
    RsaExponentOne,
}

/// A private half with its public one.
pub struct PrivateKey {
    material: Material,
    digest: OnceLock<[u8; 32]>,
    certificate: OnceLock<Option<Vec<u8>>>,
    half: Half,
}

enum Half {
    Rsa {
        fast: Option<Box<aws_lc_rs::rsa::KeyPair>>,
        own: Box<rsa::RsaPrivateKey>,
    },
    Ec(EcKey),
    Ed {
        pair: Ed25519KeyPair,
        seed: [u8; 32],
    },
    Secret(Vec<u8>),
    /// What is signed is the signature.
    ExponentOne,
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({:?})", self.material)
    }
}

/// A signature and what anybody can make of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The octets as RFC 7518 section 3 writes them.
    pub octets: Vec<u8>,
    /// For ECDSA the other valid one, (r, n-s).
    pub mirror: Option<Vec<u8>>,
}

/// Why a key cannot do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The text is no key that we read.
    #[error(
        "no private key in it that can be read: PKCS#8 PEM with RSA, P-256, P-384, P-521, secp256k1 or Ed25519 ({0})"
    )]
    Pem(String),
    /// The key is not of the algorithm's kind.
    #[error("a {kty} key cannot sign {alg}")]
    Unfit {
        /// The key's kind.
        kty: &'static str,
        /// The algorithm.
        alg: Primitive,
    },
    /// The public half cannot be written that way.
    #[error("a {kty} key has no {layout:?} form")]
    Layout {
        /// The key's kind.
        kty: &'static str,
        /// The form.
        layout: crate::jose::Layout,
    },
}

/// Octets that follow from a seed and labels, and from nothing else.
#[must_use]
pub fn derive_octets(seed: u64, labels: &[&str]) -> [u8; 32] {
    let mut digest = Sha256::new();
    digest.update(b"wrongkey derive");
    digest.update(seed.to_be_bytes());
    for label in labels {
        digest.update((label.len() as u64).to_be_bytes());
        digest.update(label.as_bytes());
    }
    digest.finalize().into()
}

/// As many of them as are wanted for a key; the first 32 are the same for every kind.
fn derive_long(seed: u64, label: &str, attempt: u32, width: usize) -> Vec<u8> {
    let first = attempt * 3;
    let blocks = (first..).map(|number| match number {
        0 => derive_octets(seed, &["key", label]),
        more => derive_octets(seed, &["key", label, &more.to_string()]),
    });
    blocks.flatten().take(width).collect()
}

impl PrivateKey {
    /// The key of that kind which follows from the seed and a label.
    #[must_use]
    pub fn derive(kind: DerivedKind, seed: u64, label: &str) -> Self {
        let octets = derive_octets(seed, &["key", label]);
        match kind {
            DerivedKind::Secret => PrivateKey::secret(octets.to_vec()),
            DerivedKind::ShortSecret => PrivateKey::secret(octets[..8].to_vec()),
            DerivedKind::Ed25519 => PrivateKey::ed25519(octets, "Ed25519"),
            DerivedKind::X25519 => PrivateKey::ed25519(octets, "X25519"),
            DerivedKind::LongSecret => PrivateKey::secret(derive_long(seed, label, 0, 64)),
            DerivedKind::P256 => PrivateKey::derive_on(Curve::P256, seed, label),
            DerivedKind::P384 => PrivateKey::derive_on(Curve::P384, seed, label),
            DerivedKind::P521 => PrivateKey::derive_on(Curve::P521, seed, label),
            DerivedKind::Secp256k1 => PrivateKey::derive_on(Curve::Secp256k1, seed, label),
            DerivedKind::RsaExponentOne => {
                let mut n = derive_long(seed, label, 0, 256);
                // 2048 bits, and odd as every modulus is; nobody needs its factors.
                n[0] |= 0x80;
                n[255] |= 1;
                PrivateKey::of(Material::Rsa { n, e: vec![1] }, Half::ExponentOne)
            }
        }
    }

    fn derive_on(curve: Curve, seed: u64, label: &str) -> Self {
        // A number is outside 1..n once in 2^32 or less; the loop then takes the next.
        let mut numbers = (0..).map(|attempt| {
            let mut scalar = derive_long(seed, label, attempt, curve.width());
            if curve == Curve::P521 {
                // 521 bits in 66 octets.
                scalar[0] &= 1;
            }
            scalar
        });
        let key = numbers.find_map(|scalar| EcKey::new(curve, &scalar)).expect("one of endlessly many is in range");
        PrivateKey::ec(key)
    }

    /// The first PKCS#8 private key in a PEM text; text around it is passed over.
    ///
    /// # Errors
    /// Where there is none, or of a kind that we do not sign with.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let start = text.find("-----BEGIN").ok_or_else(|| KeyError::Pem("no -----BEGIN line".to_owned()))?;
        let pem = &text[start..];
        if let Ok(key) = rsa::RsaPrivateKey::from_pkcs8_pem(pem) {
            return PrivateKey::rsa(key);
        }
        if let Some(key) = EcKey::from_pem(pem) {
            return Ok(PrivateKey::ec(key));
        }
        let (_, der) =
            x509_cert::der::pem::decode_vec(pem.as_bytes()).map_err(|error| KeyError::Pem(error.to_string()))?;
        match ed25519_seed(&der) {
            Some(seed) => Ok(PrivateKey::ed25519(seed, "Ed25519")),
            None => Err(KeyError::Pem("unknown kind of key".to_owned())),
        }
    }

    /// A shared secret.
    #[must_use]
    pub fn secret(octets: Vec<u8>) -> Self {
        PrivateKey::of(Material::Oct { k: octets.clone() }, Half::Secret(octets))
    }

    fn ed25519(seed: [u8; 32], crv: &str) -> Self {
        // Every 32 octets are an Ed25519 seed (RFC 8032 section 5.1.5).
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).expect("32 octets are a seed");
        let x = pair.public_key().as_ref().to_vec();
        PrivateKey::of(Material::Okp { crv: crv.to_owned(), x }, Half::Ed { pair, seed })
    }

    fn ec(key: EcKey) -> Self {
        PrivateKey::of(key.material(), Half::Ec(key))
    }

    fn rsa(key: rsa::RsaPrivateKey) -> Result<Self, KeyError> {
        let material = rsa_material(&key.to_public_key());
        let der = key.to_pkcs8_der().map_err(|error| KeyError::Pem(error.to_string()))?;
        // aws-lc signs with 2048 bits and more; a key too short on purpose is left to the rsa crate.
        let fast = aws_lc_rs::rsa::KeyPair::from_pkcs8(der.as_bytes()).ok().map(Box::new);
        Ok(PrivateKey::of(material, Half::Rsa { fast, own: Box::new(key) }))
    }

    fn of(material: Material, half: Half) -> Self {
        PrivateKey { material, half, digest: OnceLock::new(), certificate: OnceLock::new() }
    }

    /// What tells keys apart in a memo; computed once.
    fn digest(&self) -> &[u8; 32] {
        self.digest.get_or_init(|| Sha256::digest(self.material.thumbprint()).into())
    }

    /// The public half, or the secret.
    #[must_use]
    pub fn material(&self) -> &Material {
        &self.material
    }

    /// A certificate over the public half that the key itself signed, in DER (RFC 5280 section 4.1): the same octets each time.
    /// `None` for a secret.
    #[must_use]
    pub fn certificate(&self) -> Option<&[u8]> {
        self.certificate.get_or_init(|| certificate::self_signed(self)).as_deref()
    }

    /// Whether it signs with that algorithm.
    #[must_use]
    pub fn can_sign(&self, primitive: Primitive) -> bool {
        match self.half {
            // A curve signs by the hash of another's algorithm too.
            Half::Ec(_) => primitive.family() == Family::Ecdsa,
            Half::ExponentOne => primitive.family() == Family::RsaPkcs1,
            // Listed for agreement, it signs all the same.
            Half::Ed { .. } => primitive.family() == Family::EdDsa,
            _ => self.material.fits(primitive),
        }
    }

    /// Signs. The same key, algorithm and input give the same octets: ECDSA by RFC 6979, PSS with a salt derived from the input.
    /// A key on one curve can also sign by the hash of another's algorithm, which no RFC allows and a verifier may overlook.
    ///
    /// # Errors
    /// Where the key is not of the algorithm's kind.
    pub fn sign(&self, primitive: Primitive, input: &[u8]) -> Result<Signature, KeyError> {
        let unfit = || KeyError::Unfit { kty: self.material.kty(), alg: primitive };
        let plain = |octets: Vec<u8>| Ok(Signature { octets, mirror: None });
        match (&self.half, primitive.family(), primitive.hash()) {
            (Half::Secret(secret), Family::Hmac, hash) => {
                let algorithm = match hash {
                    Hash::Sha256 => aws_lc_rs::hmac::HMAC_SHA256,
                    Hash::Sha384 => aws_lc_rs::hmac::HMAC_SHA384,
                    Hash::Sha512 => aws_lc_rs::hmac::HMAC_SHA512,
                };
                let key = aws_lc_rs::hmac::Key::new(algorithm, secret);
                plain(aws_lc_rs::hmac::sign(&key, input).as_ref().to_vec())
            }
            (Half::Ed { pair, .. }, Family::EdDsa, _) => plain(pair.sign(input).as_ref().to_vec()),
            (Half::Ec(key), Family::Ecdsa, hash) => key.sign(hash, input).ok_or_else(unfit),
            (Half::Rsa { fast: Some(fast), .. }, Family::RsaPkcs1, hash) => {
                use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512};
                let padding = match hash {
                    Hash::Sha256 => &RSA_PKCS1_SHA256,
                    Hash::Sha384 => &RSA_PKCS1_SHA384,
                    Hash::Sha512 => &RSA_PKCS1_SHA512,
                };
                let mut octets = vec![0; fast.public_modulus_len()];
                // PKCS#1 v1.5 signing takes a source of randomness by its signature and draws nothing from it.
                let random = aws_lc_rs::rand::SystemRandom::new();
                fast.sign(padding, &random, input, &mut octets).map_err(|_| unfit())?;
                plain(octets)
            }
            (Half::Rsa { own, .. }, Family::RsaPkcs1, hash) => {
                let own = own.as_ref().clone();
                plain(match hash {
                    Hash::Sha256 => {
                        rsa::pkcs1v15::SigningKey::<Sha256>::new(own).try_sign(input).map_err(|_| unfit())?.to_vec()
                    }
                    Hash::Sha384 => {
                        rsa::pkcs1v15::SigningKey::<Sha384>::new(own).try_sign(input).map_err(|_| unfit())?.to_vec()
                    }
                    Hash::Sha512 => {
                        rsa::pkcs1v15::SigningKey::<Sha512>::new(own).try_sign(input).map_err(|_| unfit())?.to_vec()
                    }
                })
            }
            (Half::Rsa { own, .. }, Family::RsaPss, hash) => {
                use rand_chacha::rand_core::SeedableRng as _;
                let own = own.as_ref().clone();
                let mut salt = rand_chacha::ChaCha20Rng::from_seed(Sha256::digest(input).into());
                plain(match hash {
                    Hash::Sha256 => rsa::pss::SigningKey::<Sha256>::new(own)
                        .try_sign_with_rng(&mut salt, input)
                        .map_err(|_| unfit())?
                        .to_vec(),
                    Hash::Sha384 => rsa::pss::SigningKey::<Sha384>::new(own)
                        .try_sign_with_rng(&mut salt, input)
                        .map_err(|_| unfit())?
                        .to_vec(),
                    Hash::Sha512 => rsa::pss::SigningKey::<Sha512>::new(own)
                        .try_sign_with_rng(&mut salt, input)
                        .map_err(|_| unfit())?
                        .to_vec(),
                })
            }
            (Half::ExponentOne, Family::RsaPkcs1, hash) => plain(pkcs1_encoded(hash, input, 256)),
            _ => Err(unfit()),
        }
    }

    /// Octets in the place of a signature: as many, the same for the same key, algorithm and input, and worth nothing. They are
    /// what nearly every signature is: no integer in them begins with a zero octet, and in base64url they need `_`.
    ///
    /// # Errors
    /// Where the key is not of the algorithm's kind.
    pub fn sketch(&self, primitive: Primitive, input: &[u8]) -> Result<Signature, KeyError> {
        if !self.can_sign(primitive) {
            return Err(KeyError::Unfit { kty: self.material.kty(), alg: primitive });
        }
        let length = match &self.material {
            Material::Rsa { n, .. } => n.len(),
            Material::Ec { x, .. } => x.len() * 2,
            Material::Okp { .. } => 64,
            Material::Oct { .. } => primitive.hash().octets(),
        };
        let mut hasher = DefaultHasher::new();
        (self.digest(), primitive.name(), input).hash(&mut hasher);
        let told_apart = hasher.finish();
        let repeated = |number: u64| {
            let mut octets: Vec<u8> = number.to_be_bytes().into_iter().cycle().take(length).collect();
            // There are at least 32 of them, but for keys too short to be of use.
            for octet in octets.iter_mut().skip(3).take(3) {
                *octet = 0xff;
            }
            for first in [0, length / 2] {
                octets.iter_mut().skip(first).take(1).for_each(|octet| *octet |= 0x40);
            }
            octets
        };
        let mirror = (primitive.family() == Family::Ecdsa).then(|| repeated(!told_apart));
        Ok(Signature { octets: repeated(told_apart), mirror })
    }

    /// Octet strings that nobody but the key's owner has, for searches that must not find them.
    #[must_use]
    pub fn private_octets(&self) -> Vec<Vec<u8>> {
        match &self.half {
            Half::Rsa { own, .. } => {
                let mut found = vec![own.d().to_bytes_be()];
                found.extend(own.primes().iter().map(rsa::BigUint::to_bytes_be));
                found
            }
            Half::Ec(key) => vec![key.octets()],
            Half::Ed { seed, .. } => vec![seed.to_vec()],
            Half::Secret(secret) => vec![secret.clone()],
            Half::ExponentOne => Vec::new(),
        }
    }
}

/// EMSA-PKCS1-v1_5 (RFC 8017 section 9.2): what an RSA private key is applied to, for a modulus of that many octets.
fn pkcs1_encoded(hash: Hash, input: &[u8], length: usize) -> Vec<u8> {
    let (number, digest) = match hash {
        Hash::Sha256 => (1, Sha256::digest(input).to_vec()),
        Hash::Sha384 => (2, Sha384::digest(input).to_vec()),
        Hash::Sha512 => (3, Sha512::digest(input).to_vec()),
    };
    let size = u8::try_from(digest.len()).unwrap_or(0);
    // DigestInfo in DER, with the object identifier of the hash (section 9.2, note 1).
    let prefix = [0x30, 17 + size, 0x30, 13, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, number, 5, 0, 4, size];
    let padding = vec![0xff; length - 3 - prefix.len() - digest.len()];
    [&[0, 1], padding.as_slice(), &[0], &prefix, &digest].concat()
}

fn rsa_material(key: &rsa::RsaPublicKey) -> Material {
    Material::Rsa { n: key.n().to_bytes_be(), e: key.e().to_bytes_be() }
}

/// The public key in a PEM text (SubjectPublicKeyInfo): RSA, or a point of one of the four curves.
///
/// # Errors
/// Where there is none.
pub fn public_from_pem(text: &str) -> Result<Material, KeyError> {
    let start = text.find("-----BEGIN").ok_or_else(|| KeyError::Pem("no -----BEGIN line".to_owned()))?;
    let pem = &text[start..];
    if let Ok(key) = rsa::RsaPublicKey::from_public_key_pem(pem) {
        return Ok(rsa_material(&key));
    }
    ec::public_from_pem(pem).map_err(KeyError::Pem)
}

/// The seed in an Ed25519 private key as RFC 8410 section 7 writes it.
fn ed25519_seed(der: &[u8]) -> Option<[u8; 32]> {
    const PREFIX: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    der.strip_prefix(&PREFIX)?.get(..32)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_twice_gives_the_same_octets() {
        let pem = include_str!("world/keys/rsa-3.pem");
        let weak = include_str!("world/keys/rsa-1024.pem");
        let keys = [
            (PrivateKey::from_pem(pem).unwrap(), vec!["RS256", "RS512", "PS256", "PS384"]),
            (PrivateKey::from_pem(weak).unwrap(), vec!["RS256"]),
            (PrivateKey::derive(DerivedKind::P256, 1, "k"), vec!["ES256"]),
            (PrivateKey::derive(DerivedKind::P384, 1, "k"), vec!["ES384"]),
            (PrivateKey::derive(DerivedKind::P521, 1, "k"), vec!["ES512"]),
            (PrivateKey::derive(DerivedKind::Secp256k1, 1, "k"), vec!["ES256K"]),
            (PrivateKey::derive(DerivedKind::Ed25519, 1, "k"), vec!["EdDSA"]),
            (PrivateKey::derive(DerivedKind::Secret, 1, "k"), vec!["HS256", "HS384"]),
        ];
        for (key, names) in keys {
            for name in names {
                let primitive = Primitive::from_name(name).unwrap();
                let first = key.sign(primitive, b"input").unwrap();
                assert_eq!(first, key.sign(primitive, b"input").unwrap(), "{name}");
                assert_ne!(first, key.sign(primitive, b"other").unwrap(), "{name}");
                assert_eq!(first.mirror.is_some(), name.starts_with("ES"));
            }
        }
    }

    #[test]
    fn a_signature_under_the_exponent_one_is_what_any_other_key_would_sign() {
        let key = rsa::RsaPrivateKey::from_pkcs8_pem(include_str!("world/keys/rsa-3.pem")).unwrap();
        for (name, hash) in [("RS256", Hash::Sha256), ("RS384", Hash::Sha384), ("RS512", Hash::Sha512)] {
            let own = PrivateKey::rsa(key.clone()).unwrap();
            let signature = own.sign(Primitive::from_name(name).unwrap(), b"input").unwrap().octets;
            let signature = rsa::BigUint::from_bytes_be(&signature);
            let opened = signature.modpow(key.e(), key.n()).to_bytes_be();
            assert_eq!([&[0], opened.as_slice()].concat(), pkcs1_encoded(hash, b"input", 256), "{name}");
        }
        let open = PrivateKey::derive(DerivedKind::RsaExponentOne, 1, "k");
        assert!(!open.can_sign(Primitive::PS256) && open.sign(Primitive::PS256, b"input").is_err());
        assert_eq!(open.material().bits(), Some(2048));
    }

    #[test]
    fn a_key_signs_only_with_algorithms_of_its_kind() {
        let key = PrivateKey::derive(DerivedKind::P256, 1, "k");
        assert!(matches!(key.sign(Primitive::RS256, b""), Err(KeyError::Unfit { .. })));
    }

    #[test]
    fn debug_shows_no_secret() {
        let key = PrivateKey::secret(b"very private".to_vec());
        assert!(!format!("{key:?}{:?}", key.material()).contains("118, 101"));
        assert_eq!(format!("{:?}", key.material()), "oct(secret)");
    }
}
