//! The record of a forged token: what was written, and who signed what. It records; it concludes nothing.

use crate::jose::{Departure, Material, Member, NumericDate, Primitive, Serialization};
use std::sync::Arc;

/// Everything that is known about one presented token, because we wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// One event for each signing operation, in order; the token need not carry any of their signatures.
    pub events: Vec<SigningEvent>,
    /// What was presented.
    pub presented: Presented,
    /// Tokens shown to the same relying party before that have something in common with this one.
    pub earlier: Vec<Earlier>,
}

/// A token shown to the same relying party before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// When.
    pub at: NumericDate,
    /// How many policies the relying party had been told by then.
    pub told: usize,
    /// Whether it was this very token, octet by octet. If not, it has the same `iss` and `jti`.
    pub same_octets: bool,
}

/// Somebody signed something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningEvent {
    /// The public half of the key, or the secret (whose `Debug` form shows none of it).
    pub key: Material,
    /// What computed the signature.
    pub primitive: Primitive,
    /// The octets that were signed (RFC 7515 section 5.1 step 5).
    pub input: Vec<u8>,
    /// The signature.
    pub signature: Vec<u8>,
    /// The other signature that anybody can compute from this one: (r, n-s) for ECDSA.
    pub mirror: Option<Vec<u8>>,
    /// The header that was signed, as written.
    pub header: Arc<Vec<Member>>,
    /// The payload that was signed, as written.
    pub payload: Arc<Vec<Member>>,
}

/// The presented token as its writer wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presented {
    /// Octets with no structure that anybody wrote.
    Opaque,
    /// A JWS.
    Jws(Box<Jws>),
}

/// A JWS with one signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jws {
    /// How it was put into octets.
    pub serialization: Serialization,
    /// The protected header.
    pub header: Part,
    /// The payload.
    pub payload: Part,
    /// The signing input that a verifier computes from the presented octets (RFC 7515 section 5.2 step 8).
    pub input: Vec<u8>,
    /// The signature octets that a verifier reads.
    pub signature: Vec<u8>,
    /// How the signature's text departs from base64url without padding.
    pub signature_departures: Vec<Departure>,
    /// Whether raw text stands before or after it, other than the white space that JSON allows around a flattened one.
    pub surrounded: bool,
}

/// A header or a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Written member by member.
    Written {
        /// In order, duplicates included.
        members: Arc<Vec<Member>>,
        /// How the text departs from the canonical spelling.
        departures: Vec<Departure>,
    },
    /// Written as raw octets, which nobody signed.
    Opaque,
}

impl Part {
    /// The members, where they were written as such.
    #[must_use]
    pub fn members(&self) -> Option<&[Member]> {
        match self {
            Part::Written { members, .. } => Some(members),
            Part::Opaque => None,
        }
    }
}
