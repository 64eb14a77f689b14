//! Acts on the policy of a relying party: trust that changes, and trust that was configured badly.

use super::{Edit, PublicText};
use serde::{Deserialize, Serialize};

/// A change to a relying party's policy. Names are the world's aliases, unless it says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum PolicyAct {
    /// Trusts one issuer more, with its published keys.
    AddIssuer(String),
    /// Trusts one issuer less.
    RemoveIssuer(String),
    /// Configures an issuer under this literal name, which may be empty or blank.
    RenameIssuer {
        /// The issuer.
        issuer: String,
        /// Its name from now on.
        name: String,
    },
    /// Configures an issuer under its name with this difference: a template with its place twice, or with none.
    EditIssuer {
        /// The issuer.
        issuer: String,
        /// What is done to the name.
        edit: Edit,
    },
    /// Sets the audiences: literal names.
    SetAudiences(Vec<String>),
    /// Sets an issuer's algorithms.
    SetAlgorithms {
        /// The issuer.
        issuer: String,
        /// Names of RFC 7518.
        algorithms: Vec<String>,
    },
    /// Sets the admitted tenants of an issuer.
    SetTenants {
        /// The issuer.
        issuer: String,
        /// Aliases.
        tenants: Vec<String>,
    },
    /// Sets the leeway, in seconds.
    SetLeeway(u64),
    /// Forgets a member, which is then not asked.
    Unset(String),
    /// Lists a key for an issuer, whoever owns it: a secret in a published set, one key for two issuers.
    ListKey {
        /// The key.
        key: String,
        /// For which issuer.
        issuer: String,
    },
    /// Leaves an issuer with a key set that is empty.
    ListNoKeys(String),
    /// Leaves an issuer without any key set or secret.
    ForgetKeys(String),
    /// Lists a key under the `kid` of another.
    SetKid {
        /// The key.
        key: String,
        /// Whose `kid` it gets.
        of: String,
    },
    /// Says of a key in a converged set whose it is. Under another key source nothing says so, and nothing changes.
    SetKeyIssuer {
        /// The key.
        key: String,
        /// What its member `issuer` becomes.
        to: KeyIssuer,
    },
    /// Turns a listed key into what is no key, or none that may be used.
    SpoilKey {
        /// The key.
        key: String,
        /// How.
        how: Spoil,
    },
    /// Says of a listed key that it is revoked, a day ago, in the member that historical keys have (OpenID Federation 1.0).
    MarkRevoked(String),
    /// Makes this text the secret that the party and an issuer share, in the place of any other.
    SetSecret {
        /// The issuer.
        issuer: String,
        /// The text, as [`SignWith`](super::SignWith) takes it.
        secret: PublicText,
    },
}

impl PolicyAct {
    /// The name in a scenario file.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            PolicyAct::AddIssuer(_) => "add-issuer",
            PolicyAct::RemoveIssuer(_) => "remove-issuer",
            PolicyAct::RenameIssuer { .. } => "rename-issuer",
            PolicyAct::EditIssuer { .. } => "edit-issuer",
            PolicyAct::SetAudiences(_) => "set-audiences",
            PolicyAct::SetAlgorithms { .. } => "set-algorithms",
            PolicyAct::SetTenants { .. } => "set-tenants",
            PolicyAct::SetLeeway(_) => "set-leeway",
            PolicyAct::Unset(_) => "unset",
            PolicyAct::ListKey { .. } => "list-key",
            PolicyAct::ListNoKeys(_) => "list-no-keys",
            PolicyAct::ForgetKeys(_) => "forget-keys",
            PolicyAct::SetKid { .. } => "set-kid",
            PolicyAct::SetKeyIssuer { .. } => "set-key-issuer",
            PolicyAct::SpoilKey { .. } => "spoil-key",
            PolicyAct::MarkRevoked(_) => "mark-revoked",
            PolicyAct::SetSecret { .. } => "set-secret",
        }
    }
}

/// What the member `issuer` of a JWK says.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyIssuer {
    /// It is not there.
    Absent,
    /// This text: empty, blank, anything.
    Text(String),
    /// The name of this issuer.
    Of(String),
    /// A JSON value that is no text.
    Json(String),
}

/// How a JWK is spoiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spoil {
    /// `kty` is a name that nobody knows (RFC 7517 section 5: such a key is passed over).
    UnknownKty,
    /// `kty` is missing (RFC 7517 section 4.1: it must be there).
    NoKty,
    /// The number that makes the key is missing: `n`, `x` or `k` (RFC 7518 section 6).
    NoNumber,
    /// `kty` is the name of another kind of key: RSA numbers as EC, a point as RSA, a secret as OKP.
    OtherKty,
    /// `crv` names a curve that the numbers do not belong to (RFC 7518 section 6.2.1.1).
    OtherCurve,
    /// The point is not on its curve (RFC 7518 section 6.2.1; SEC 1 section 3.2.2).
    OffCurve,
    /// The RSA exponent is 1: every signature is its own message (RFC 8017 section 3.1).
    ExponentOne,
    /// The RSA modulus is even: it is no product of two odd primes (RFC 8017 section 3.1).
    EvenModulus,
}

impl Spoil {
    /// All of them.
    pub const ALL: [Spoil; 8] = [
        Spoil::UnknownKty,
        Spoil::NoKty,
        Spoil::NoNumber,
        Spoil::OtherKty,
        Spoil::OtherCurve,
        Spoil::OffCurve,
        Spoil::ExponentOne,
        Spoil::EvenModulus,
    ];
}
