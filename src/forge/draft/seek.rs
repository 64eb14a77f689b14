//! ECDSA signatures of which one in 256 has an integer that begins with a zero octet (RFC 7518 section 3.4).

use super::text::{members, set};
use super::{At, Draft, Forge};
use crate::error::Error;
use crate::jose::{Family, Json, Primitive, last};
use crate::key::{PrivateKey, Signature};
use crate::scenario::EcdsaInteger;

/// Most signatures that are tried: of as many not one in 10^27 searches has none that begins with a zero octet.
const MAX_TRIES: u32 = 16_384;

impl Draft {
    /// Counts `jti` up until the signature of what stands there begins so.
    pub(super) fn seek(
        &mut self,
        forge: &Forge,
        private: &PrivateKey,
        alg: Primitive,
        of: EcdsaInteger,
        place: At,
    ) -> Result<(), Error> {
        let wrong = |problem: String| Error::Scenario { place: place.to_string(), problem };
        let jti = last(members(&mut self.payload, place)?, "jti").and_then(Json::as_str).unwrap_or_default().to_owned();
        for count in 0..MAX_TRIES {
            set(members(&mut self.payload, place)?, "jti", Json::string(format!("{jti}-{count}")));
            let input = format!("{}.{}", self.header.write(), self.payload.write()).into_bytes();
            let made = forge.world().memo.sign(private, alg, &input).map_err(|error| wrong(error.to_string()))?;
            let (r, s) = halves(&made.octets);
            let sought = match of {
                EcdsaInteger::R => r,
                EcdsaInteger::S => s,
            };
            if sought.first() == Some(&0) {
                return Ok(());
            }
        }
        Err(wrong(format!("none of {MAX_TRIES} signatures begins with a zero octet")))
    }
}

/// Only an ECDSA signature can be sought.
pub(super) fn fits(alg: Primitive, place: At) -> Result<(), Error> {
    if alg.family() == Family::Ecdsa {
        return Ok(());
    }
    let problem = format!("a signature by {alg} has no R and S: seek-leading-zero needs an ECDSA key");
    Err(Error::Scenario { place: place.to_string(), problem })
}

/// A sketch of a signature that was sought.
pub(super) fn as_sought(mut sketch: Signature, of: Option<EcdsaInteger>) -> Signature {
    let first = match of {
        None => return sketch,
        Some(EcdsaInteger::R) => 0,
        Some(EcdsaInteger::S) => sketch.octets.len() / 2,
    };
    sketch.octets[first] = 0;
    sketch
}

fn halves(octets: &[u8]) -> (&[u8], &[u8]) {
    octets.split_at(octets.len() / 2)
}

/// R and S, each from its first octet that is not zero.
pub(super) fn without_zeros(octets: &[u8]) -> Vec<u8> {
    let (r, s) = halves(octets);
    let bare = |half: &[u8]| half[half.iter().take_while(|&&octet| octet == 0).count()..].to_vec();
    [bare(r), bare(s)].concat()
}

/// R and S, each after one zero octet more.
pub(super) fn with_zeros(octets: &[u8]) -> Vec<u8> {
    let (r, s) = halves(octets);
    [&[0], r, &[0], s].concat()
}
