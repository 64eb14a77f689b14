//! JSON Web Keys (RFC 7517) with the members that bind a key to a party, and what makes two keys the same.

use super::text::{decode_base64, decode_base64url, encode_base64url};
use super::{Family, Hash, NumericDate, Primitive};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use std::fmt;

/// The part of a key that verifies: public numbers, or a shared secret.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Material {
    /// RSA (RFC 7518 section 6.3.1): big-endian modulus and exponent without leading zeros.
    Rsa {
        /// Modulus.
        n: Vec<u8>,
        /// Public exponent.
        e: Vec<u8>,
    },
    /// An elliptic curve point (section 6.2.1; RFC 8812 section 3.1): coordinates at full width.
    Ec {
        /// `P-256`, `P-384`, `P-521`, `secp256k1`.
        crv: String,
        /// X coordinate.
        x: Vec<u8>,
        /// Y coordinate.
        y: Vec<u8>,
    },
    /// An octet key pair (RFC 8037 section 2).
    Okp {
        /// `Ed25519`.
        crv: String,
        /// The public key.
        x: Vec<u8>,
    },
    /// A shared secret (RFC 7518 section 6.4.1).
    Oct {
        /// The secret octets.
        k: Vec<u8>,
    },
}

impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}({})",
            self.kty(),
            if matches!(self, Material::Oct { .. }) { "secret".to_owned() } else { self.thumbprint() }
        )
    }
}

/// A secret as HMAC uses it, without the zeros that fill its block.
fn hmac_key(secret: &[u8], primitive: Primitive) -> Vec<u8> {
    let mut key = match primitive.hash() {
        Hash::Sha256 if secret.len() > 64 => Sha256::digest(secret).to_vec(),
        Hash::Sha384 if secret.len() > 128 => Sha384::digest(secret).to_vec(),
        Hash::Sha512 if secret.len() > 128 => Sha512::digest(secret).to_vec(),
        _ => secret.to_vec(),
    };
    key.truncate(key.iter().rposition(|&octet| octet != 0).map_or(0, |last| last + 1));
    key
}

impl Material {
    /// `kty` (RFC 7518 section 6.1).
    #[must_use]
    pub fn kty(&self) -> &'static str {
        match self {
            Material::Rsa { .. } => "RSA",
            Material::Ec { .. } => "EC",
            Material::Okp { .. } => "OKP",
            Material::Oct { .. } => "oct",
        }
    }

    /// Whether a signature of this algorithm can verify under this kind of key at all (RFC 7518 section 3.1, RFC
    /// 8037 section 3.1, RFC 8812 section 3.2): for a curve only the algorithm that names it.
    #[must_use]
    pub fn fits(&self, primitive: Primitive) -> bool {
        match (self, primitive.family()) {
            (Material::Rsa { .. }, Family::RsaPkcs1) | (Material::Oct { .. }, Family::Hmac) => true,
            // RFC 8017 section 9.1.1: room for the digest, a salt as long (RFC 7518 section 3.5) and two octets.
            (Material::Rsa { n, .. }, Family::RsaPss) => n.len() >= 2 * primitive.hash().octets() + 2,
            (Material::Ec { crv, .. }, Family::Ecdsa) | (Material::Okp { crv, .. }, Family::EdDsa) => {
                primitive.crv() == Some(crv)
            }
            _ => false,
        }
    }

    /// RFC 7638 thumbprint with SHA-256, in base64url. For a secret this is a digest of the secret.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        let b = encode_base64url;
        let canonical = match self {
            Material::Rsa { n, e } => format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, b(e), b(n)),
            Material::Ec { crv, x, y } => format!(r#"{{"crv":"{crv}","kty":"EC","x":"{}","y":"{}"}}"#, b(x), b(y)),
            Material::Okp { crv, x } => format!(r#"{{"crv":"{crv}","kty":"OKP","x":"{}"}}"#, b(x)),
            Material::Oct { k } => format!(r#"{{"k":"{}","kty":"oct"}}"#, b(k)),
        };
        b(&Sha256::digest(canonical))
    }

    /// Whether a signature by one of these keys verifies under the other. Secrets count as equal after the normalisation that
    /// HMAC itself performs: hashed when longer than the block, then filled with zeros (RFC 2104 section 2).
    #[must_use]
    pub fn verifies_like(&self, other: &Material, primitive: Primitive) -> bool {
        match (self, other) {
            (Material::Oct { k: one }, Material::Oct { k: another }) => {
                one == another || hmac_key(one, primitive) == hmac_key(another, primitive)
            }
            _ => self == other,
        }
    }

    /// Size in bits of an RSA modulus or a secret; `None` for curves, whose size is their name.
    #[must_use]
    pub fn bits(&self) -> Option<usize> {
        match self {
            Material::Rsa { n, .. } => n.first().map(|first| n.len() * 8 - first.leading_zeros() as usize),
            Material::Oct { k } => Some(k.len() * 8),
            Material::Ec { .. } | Material::Okp { .. } => None,
        }
    }
}

/// When a key may be used, as its JWK shows it: from the first certificate of `x5c` (RFC 5280 section 4.1.2.5, both ends
/// inclusive), or from `nbf` and `exp` (OpenID Federation 1.0, historical keys).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lifetime {
    /// First second of the lifetime.
    pub not_before: Option<NumericDate>,
    /// Last second of the lifetime.
    pub not_after: Option<NumericDate>,
}

/// One key of a set (RFC 7517 section 4) with the members that this project's policies use.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Wire", into = "Wire")]
pub struct Jwk {
    /// The key itself.
    pub material: Material,
    /// Key ID (section 4.5).
    pub kid: Option<String>,
    /// The algorithm it is meant for (section 4.4).
    pub alg: Option<String>,
    /// `use` (section 4.2).
    pub key_use: Option<String>,
    /// Permitted operations (section 4.3).
    pub key_ops: Option<Vec<String>>,
    /// Non-standard: the issuer, or issuer template, that the key belongs to.
    pub issuer: Option<String>,
    /// What stands in `issuer` where it is no text: that names nobody, and is written as it is.
    pub unreadable_issuer: Option<serde_json::Value>,
    /// Non-standard: the cloud that the key belongs to.
    pub cloud_instance_name: Option<String>,
    /// Certificates as DER, first one for this key (section 4.7).
    pub x5c: Vec<Vec<u8>>,
    /// Non-standard here: first second of the lifetime.
    pub nbf: Option<NumericDate>,
    /// Non-standard here: end of the lifetime.
    pub exp: Option<NumericDate>,
    /// Non-standard here: that the key is revoked, as OpenID Federation 1.0 has it of historical keys. Kept as it stands.
    pub revoked: Option<serde_json::Value>,
    validity: Option<Lifetime>,
}

impl Jwk {
    /// A key with no other member.
    #[must_use]
    pub fn new(material: Material) -> Self {
        Jwk {
            material,
            kid: None,
            alg: None,
            key_use: None,
            key_ops: None,
            issuer: None,
            unreadable_issuer: None,
            cloud_instance_name: None,
            x5c: Vec::new(),
            nbf: None,
            exp: None,
            revoked: None,
            validity: None,
        }
    }

    /// The same key with this certificate chain, whose first member gives the lifetime.
    ///
    /// # Errors
    /// Where the first certificate is not X.509 in DER.
    pub fn with_certificates(mut self, chain: Vec<Vec<u8>>) -> Result<Self, JwkError> {
        self.validity = chain.first().map(|der| validity(der)).transpose()?;
        self.x5c = chain;
        Ok(self)
    }

    /// Puts any JSON in the place of the issuer's name.
    pub fn set_issuer_member(&mut self, value: serde_json::Value) {
        (self.issuer, self.unreadable_issuer) = match value {
            serde_json::Value::String(name) => (Some(name), None),
            other => (None, Some(other)),
        };
    }

    /// The lifetime that this JWK shows, where it shows one.
    #[must_use]
    pub fn lifetime(&self) -> Option<Lifetime> {
        let own = (self.nbf.is_some() || self.exp.is_some())
            .then(|| Lifetime { not_before: self.nbf, not_after: self.exp.map(|exp| exp.plus(-1)) });
        match (self.validity, own) {
            (Some(a), Some(b)) => Some(Lifetime {
                not_before: a.not_before.max(b.not_before),
                not_after: match (a.not_after, b.not_after) {
                    (Some(x), Some(y)) => Some(x.min(y)),
                    (x, y) => x.or(y),
                },
            }),
            (a, b) => a.or(b),
        }
    }
}

fn validity(der: &[u8]) -> Result<Lifetime, JwkError> {
    use x509_cert::der::Decode as _;
    let certificate =
        x509_cert::Certificate::from_der(der).map_err(|error| JwkError::Certificate(error.to_string()))?;
    let seconds = |time: &x509_cert::time::Time| {
        NumericDate(i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX))
    };
    let validity = certificate.tbs_certificate.validity;
    Ok(Lifetime { not_before: Some(seconds(&validity.not_before)), not_after: Some(seconds(&validity.not_after)) })
}

/// A set of keys (RFC 7517 section 5).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(from = "SetRead")]
pub struct JwkSet {
    /// The keys; their order means nothing.
    pub keys: Vec<Jwk>,
    /// Members of the list that are no key: of an unknown `kty`, without what their `kty` needs, with values that no key has.
    /// RFC 7517 section 5 has them passed over. As JSON they stand before the keys.
    pub strays: Vec<serde_json::Value>,
}

impl JwkSet {
    /// A set of these keys and nothing else.
    #[must_use]
    pub fn of(keys: Vec<Jwk>) -> Self {
        JwkSet { keys, strays: Vec::new() }
    }

    /// For each stray that has this number as its modulus or coordinate, what its member `issuer` says where that is text.
    pub fn strays_with(&self, number: &[u8]) -> impl Iterator<Item = Option<&str>> {
        let text = encode_base64url(number);
        let strays = self.strays.iter();
        strays
            .filter(move |stray| ["n", "x"].iter().any(|name| stray[*name] == text.as_str()))
            .map(|stray| stray["issuer"].as_str())
    }
}

/// The JSON form as it is read.
#[derive(Deserialize)]
struct SetRead {
    keys: Vec<serde_json::Value>,
}

/// The JSON form as it is written: each member as it stands.
#[derive(Serialize)]
struct SetWritten<'s> {
    keys: Vec<Entry<'s>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Entry<'s> {
    Stray(&'s serde_json::Value),
    Key(&'s Jwk),
}

impl From<SetRead> for JwkSet {
    fn from(read: SetRead) -> Self {
        let mut set = JwkSet::default();
        for value in read.keys {
            match Jwk::deserialize(&value) {
                Ok(jwk) => set.keys.push(jwk),
                Err(_) => set.strays.push(value),
            }
        }
        set
    }
}

impl Serialize for JwkSet {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let keys = self.strays.iter().map(Entry::Stray).chain(self.keys.iter().map(Entry::Key));
        SetWritten { keys: keys.collect() }.serialize(serializer)
    }
}

/// Why something is no JWK.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwkError {
    /// A member that `kty` needs is missing.
    #[error("a {kty} key needs the member `{member}`")]
    Missing {
        /// The `kty`.
        kty: String,
        /// The member's name.
        member: &'static str,
    },
    /// A member is not base64.
    #[error("the member `{0}` is not base64url")]
    Encoding(&'static str),
    /// A `kty` that is not handled.
    #[error("unknown kty {0:?}: RSA, EC, OKP or oct")]
    UnknownKty(String),
    /// `x5c` does not hold a certificate.
    #[error("the first certificate of x5c cannot be read: {0}")]
    Certificate(String),
}

/// A JWK as JSON writes it.
#[derive(Clone, Serialize, Deserialize)]
struct Wire {
    kty: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alg: Option<String>,
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    key_use: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_ops: Option<Vec<String>>,
    #[serde(default, deserialize_with = "whatever_is_there", skip_serializing_if = "Option::is_none")]
    issuer: Option<serde_json::Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cloud_instance_name: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    x5c: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<NumericDate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exp: Option<NumericDate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revoked: Option<serde_json::Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    crv: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    y: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    e: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    k: Option<String>,
}

/// `null` is something, and not the same as nothing.
fn whatever_is_there<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<serde_json::Value>, D::Error> {
    serde_json::Value::deserialize(from).map(Some)
}

impl From<Jwk> for Wire {
    fn from(jwk: Jwk) -> Self {
        let b = |octets: &[u8]| Some(encode_base64url(octets));
        let mut wire = Wire {
            kty: jwk.material.kty().to_owned(),
            kid: jwk.kid,
            alg: jwk.alg,
            key_use: jwk.key_use,
            key_ops: jwk.key_ops,
            issuer: jwk.issuer.map(serde_json::Value::String).or(jwk.unreadable_issuer),
            cloud_instance_name: jwk.cloud_instance_name,
            x5c: jwk.x5c.iter().map(|der| super::encode_base64(der)).collect(),
            nbf: jwk.nbf,
            exp: jwk.exp,
            revoked: jwk.revoked,
            crv: None,
            x: None,
            y: None,
            n: None,
            e: None,
            k: None,
        };
        match &jwk.material {
            Material::Rsa { n, e } => (wire.n, wire.e) = (b(n), b(e)),
            Material::Ec { crv, x, y } => (wire.crv, wire.x, wire.y) = (Some(crv.clone()), b(x), b(y)),
            Material::Okp { crv, x } => (wire.crv, wire.x) = (Some(crv.clone()), b(x)),
            Material::Oct { k } => wire.k = b(k),
        }
        wire
    }
}

impl TryFrom<Wire> for Jwk {
    type Error = JwkError;

    fn try_from(wire: Wire) -> Result<Self, JwkError> {
        let kty = wire.kty.clone();
        let octets = |text: Option<String>, member: &'static str| -> Result<Vec<u8>, JwkError> {
            let text = text.ok_or_else(|| JwkError::Missing { kty: kty.clone(), member })?;
            decode_base64url(&text).ok_or(JwkError::Encoding(member))
        };
        let curve = |text: Option<String>| text.ok_or_else(|| JwkError::Missing { kty: kty.clone(), member: "crv" });
        let material = match kty.as_str() {
            "RSA" => Material::Rsa { n: octets(wire.n, "n")?, e: octets(wire.e, "e")? },
            "EC" => Material::Ec { crv: curve(wire.crv)?, x: octets(wire.x, "x")?, y: octets(wire.y, "y")? },
            "OKP" => Material::Okp { crv: curve(wire.crv)?, x: octets(wire.x, "x")? },
            "oct" => Material::Oct { k: octets(wire.k, "k")? },
            other => return Err(JwkError::UnknownKty(other.to_owned())),
        };
        let chain = wire.x5c.iter().map(|text| decode_base64(text).ok_or(JwkError::Encoding("x5c")));
        let mut jwk = Jwk::new(material).with_certificates(chain.collect::<Result<_, _>>()?)?;
        jwk.kid = wire.kid;
        jwk.alg = wire.alg;
        jwk.key_use = wire.key_use;
        jwk.key_ops = wire.key_ops;
        if let Some(value) = wire.issuer {
            jwk.set_issuer_member(value);
        }
        jwk.cloud_instance_name = wire.cloud_instance_name;
        jwk.nbf = wire.nbf;
        jwk.exp = wire.exp;
        jwk.revoked = wire.revoked;
        Ok(jwk)
    }
}
