//! Signature algorithms by the names of RFC 7518 section 3.1, RFC 8037 section 3.1 and RFC 8812 section 3.2.

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

impl Hash {
    /// The length of its output.
    #[must_use]
    pub fn octets(self) -> usize {
        match self {
            Hash::Sha256 => 32,
            Hash::Sha384 => 48,
            Hash::Sha512 => 64,
        }
    }
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
    /// ECDSA (section 3.4; RFC 8812 section 3.2).
    Ecdsa,
    /// EdDSA (RFC 8037 section 3.1).
    EdDsa,
}

/// EdDSA on the curve of that name (RFC 9864 section 2.2).
const FULLY_SPECIFIED_EDDSA: &str = "Ed25519";

/// What computes a signature: the meaning of an `alg` value. `none` is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Primitive {
    name: &'static str,
    family: Family,
    hash: Hash,
    crv: Option<&'static str>,
}

const fn row(name: &'static str, family: Family, hash: Hash) -> Primitive {
    Primitive { name, family, hash, crv: None }
}

const fn on_curve(name: &'static str, family: Family, hash: Hash, crv: &'static str) -> Primitive {
    Primitive { name, family, hash, crv: Some(crv) }
}

impl Primitive {
    /// HMAC using SHA-256.
    pub const HS256: Primitive = row("HS256", Family::Hmac, Hash::Sha256);
    /// RSASSA-PKCS1-v1_5 using SHA-256.
    pub const RS256: Primitive = row("RS256", Family::RsaPkcs1, Hash::Sha256);
    /// RSASSA-PSS using SHA-256.
    pub const PS256: Primitive = row("PS256", Family::RsaPss, Hash::Sha256);
    /// ECDSA using P-256 and SHA-256.
    pub const ES256: Primitive = on_curve("ES256", Family::Ecdsa, Hash::Sha256, "P-256");
    /// EdDSA (we use Ed25519).
    pub const EDDSA: Primitive = on_curve("EdDSA", Family::EdDsa, Hash::Sha512, "Ed25519");

    /// All of them.
    pub const ALL: [Primitive; 14] = [
        Primitive::HS256,
        row("HS384", Family::Hmac, Hash::Sha384),
        row("HS512", Family::Hmac, Hash::Sha512),
        Primitive::RS256,
        row("RS384", Family::RsaPkcs1, Hash::Sha384),
        row("RS512", Family::RsaPkcs1, Hash::Sha512),
        Primitive::PS256,
        row("PS384", Family::RsaPss, Hash::Sha384),
        row("PS512", Family::RsaPss, Hash::Sha512),
        Primitive::ES256,
        on_curve("ES384", Family::Ecdsa, Hash::Sha384, "P-384"),
        on_curve("ES512", Family::Ecdsa, Hash::Sha512, "P-521"),
        on_curve("ES256K", Family::Ecdsa, Hash::Sha256, "secp256k1"),
        Primitive::EDDSA,
    ];

    /// The algorithm of that exact, case-sensitive name (RFC 7515 section 4.1.1); `None` for `none` and unknown names.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Primitive::ALL.into_iter().find(|primitive| primitive.name == name)
    }

    /// The algorithm of that fully specified name, where [`Primitive::from_name`] has it by its polymorphic one (RFC 9864 section
    /// 2.2).
    #[must_use]
    pub fn from_fully_specified(name: &str) -> Option<Self> {
        (name == FULLY_SPECIFIED_EDDSA).then_some(Primitive::EDDSA)
    }

    /// The registered name; of EdDSA the polymorphic one.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.name
    }

    /// The curve that it is for (RFC 7518 section 3.4, RFC 8812 section 3.2), where it is for one.
    #[must_use]
    pub fn crv(self) -> Option<&'static str> {
        self.crv
    }

    /// Whether both compute the same, given the same key: ES256 and ES256K differ only in the curve that the key is to be on.
    #[must_use]
    pub fn computes_like(self, other: Primitive) -> bool {
        (self.family, self.hash) == (other.family, other.hash)
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
