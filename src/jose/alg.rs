//! Signature algorithms by the names of RFC 7518 section 3.1 and RFC 8037 section 3.1.

/// The hash an algorithm is built on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// The kind of key an algorithm needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// HMAC with a shared secret (RFC 7518 section 3.2).
    Hmac,
    /// RSASSA-PKCS1-v1_5 (section 3.3).
    RsaPkcs1,
    /// RSASSA-PSS (section 3.5).
    RsaPss,
    /// ECDSA (section 3.4).
    Ecdsa,
    /// EdDSA (RFC 8037 section 3.1).
    EdDsa,
}

/// What computes a signature: the meaning of an `alg` value. `none` is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Primitive {
    family: Family,
    hash: Hash,
}

const NAMES: [(&str, Family, Hash); 13] = [
    ("HS256", Family::Hmac, Hash::Sha256),
    ("HS384", Family::Hmac, Hash::Sha384),
    ("HS512", Family::Hmac, Hash::Sha512),
    ("RS256", Family::RsaPkcs1, Hash::Sha256),
    ("RS384", Family::RsaPkcs1, Hash::Sha384),
    ("RS512", Family::RsaPkcs1, Hash::Sha512),
    ("PS256", Family::RsaPss, Hash::Sha256),
    ("PS384", Family::RsaPss, Hash::Sha384),
    ("PS512", Family::RsaPss, Hash::Sha512),
    ("ES256", Family::Ecdsa, Hash::Sha256),
    ("ES384", Family::Ecdsa, Hash::Sha384),
    ("ES512", Family::Ecdsa, Hash::Sha512),
    ("EdDSA", Family::EdDsa, Hash::Sha512),
];

impl Primitive {
    /// HMAC using SHA-256.
    pub const HS256: Primitive = Primitive { family: Family::Hmac, hash: Hash::Sha256 };
    /// RSASSA-PKCS1-v1_5 using SHA-256.
    pub const RS256: Primitive = Primitive { family: Family::RsaPkcs1, hash: Hash::Sha256 };
    /// RSASSA-PSS using SHA-256.
    pub const PS256: Primitive = Primitive { family: Family::RsaPss, hash: Hash::Sha256 };
    /// ECDSA using P-256 and SHA-256.
    pub const ES256: Primitive = Primitive { family: Family::Ecdsa, hash: Hash::Sha256 };
    /// EdDSA (we use Ed25519).
    pub const EDDSA: Primitive = Primitive { family: Family::EdDsa, hash: Hash::Sha512 };

    /// The algorithm of that exact, case-sensitive name (RFC 7515 section 4.1.1); `None` for `none` and unknown names.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        NAMES.iter().find(|row| row.0 == name).map(|&(_, family, hash)| Primitive { family, hash })
    }

    /// The registered name.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|row| row.1 == self.family && row.2 == self.hash).map_or("?", |row| row.0)
    }

    /// The kind of key it needs.
    #[must_use]
    pub fn family(self) -> Family {
        self.family
    }

    /// The hash it uses.
    #[must_use]
    pub fn hash(self) -> Hash {
        self.hash
    }
}

impl std::fmt::Display for Primitive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
