//! JOSE as data: JSON as written, base64url, tokens, keys and algorithm names. It can hold and write what no RFC allows.
//!
//! Nothing here reads a token. Whoever wants to know what a token says either wrote it (and kept the tree) or is a
//! validator (and brings a parser of its own).

mod alg;
mod json;
mod jwk;
mod layout;
mod spelling;
mod text;

pub use alg::{Family, Hash, Primitive};
pub use json::{Json, Member, last};
pub use jwk::{Jwk, JwkError, JwkSet, Lifetime, Material};
pub use layout::Layout;
pub use spelling::{Departure, SpelledPart, Spelling, spell_octets, spell_part};
pub use text::{decode_base64, decode_base64url, encode_base64, encode_base64url};

use serde::{Deserialize, Serialize};

/// A JWS in some serialization, exactly as presented (RFC 7515 section 3). It may be malformed and need not be UTF-8.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Token(Vec<u8>);

impl Token {
    /// Takes the octets as they are.
    pub fn new(octets: impl Into<Vec<u8>>) -> Self {
        Token(octets.into())
    }

    /// The octets as presented.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The token as text, where it is UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Token({:?})", String::from_utf8_lossy(&self.0))
    }
}

/// Whole seconds since 1970-01-01T00:00:00Z, leap seconds ignored (RFC 7519 section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NumericDate(pub i64);

impl NumericDate {
    /// This time, moved by so many seconds; it stops at the ends of the range instead of wrapping.
    #[must_use]
    pub fn plus(self, seconds: i64) -> Self {
        NumericDate(self.0.saturating_add(seconds))
    }
}

impl std::fmt::Display for NumericDate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// How a JWS is put into octets (RFC 7515 section 3.1 and 7; detached content is its appendix F).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Serialization {
    /// Three base64url parts with dots between them (section 7.1); the only one a JWT may have (RFC 7519 section 1).
    Compact,
    /// JSON with one signature (section 7.2.2).
    Flattened,
    /// JSON with a list of signatures (section 7.2.1).
    General,
    /// Compact with the payload left out (appendix F).
    Detached,
    /// A JWS whose payload is a JWS (RFC 7519 appendix A.2).
    Nested,
}

impl Serialization {
    /// The name used in policies and scenarios.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Serialization::Compact => "compact",
            Serialization::Flattened => "flattened",
            Serialization::General => "general",
            Serialization::Detached => "detached",
            Serialization::Nested => "nested",
        }
    }
}
