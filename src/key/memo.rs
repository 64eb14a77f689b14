//! Signatures that cost much, remembered; and a count of how often that helped.

use super::{KeyError, PrivateKey, Signature};
use crate::clock;
use crate::jose::{Family, Primitive};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Remembers signatures that cost much, up to [`Memo::BOUND`]; what it forgets is computed again to the same octets.
#[derive(Default)]
pub struct Memo {
    signatures: Mutex<Signatures>,
    asked: AtomicU64,
    known: AtomicU64,
    watched: AtomicBool,
    nanoseconds: AtomicU64,
}

/// What a memo has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Signatures asked for of kinds that are remembered.
    pub asked: u64,
    /// How many of them it knew.
    pub known: u64,
    /// Time inside private-key operations, HMAC included, since [`Memo::watch`].
    pub signing: Duration,
}

/// Half of a digest of key, algorithm and input: nobody looks for two that are alike.
type Name = [u8; 16];

/// By key, algorithm and input. What is asked for again moves from the old half to the young one, and a full
/// young half becomes the old one, so that what is in use stays.
#[derive(Default)]
struct Signatures {
    young: HashMap<Name, Signature>,
    old: HashMap<Name, Signature>,
}

impl Signatures {
    fn get(&mut self, at: &Name) -> Option<Signature> {
        if let Some(known) = self.young.get(at) {
            return Some(known.clone());
        }
        let known = self.old.remove(at)?;
        self.insert(*at, known.clone());
        Some(known)
    }

    fn insert(&mut self, at: Name, signature: Signature) {
        if self.young.len() >= Memo::BOUND / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(at, signature);
    }
}

impl fmt::Debug for Memo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memo")
    }
}

impl Memo {
    /// Most signatures that are kept: about 30 MB with RSA keys of 2048 bits. The exhaustive core of one world fits, so that
    /// a second validator is shown it without signing again.
    pub const BOUND: usize = 65_536;

    /// Signs, or remembers having signed.
    ///
    /// # Errors
    /// As [`PrivateKey::sign`].
    pub fn sign(&self, key: &PrivateKey, primitive: Primitive, input: &[u8]) -> Result<Signature, KeyError> {
        if matches!(primitive.family(), Family::Hmac | Family::EdDsa) {
            return self.make(key, primitive, input);
        }
        self.asked.fetch_add(1, Ordering::Relaxed);
        let mut digest = Sha256::new();
        digest.update(key.digest());
        digest.update(primitive.name());
        digest.update(input);
        let (mut at, digest) = (Name::default(), digest.finalize());
        at.copy_from_slice(&digest[..16]);
        if let Some(known) = self.lock().get(&at) {
            self.known.fetch_add(1, Ordering::Relaxed);
            return Ok(known);
        }
        let signature = self.make(key, primitive, input)?;
        self.lock().insert(at, signature.clone());
        Ok(signature)
    }

    /// From now on the time inside private-key operations is measured, which a campaign has no use for.
    pub fn watch(&self) {
        self.watched.store(true, Ordering::Relaxed);
    }

    /// What it has done so far.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        Ledger {
            asked: self.asked.load(Ordering::Relaxed),
            known: self.known.load(Ordering::Relaxed),
            signing: Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed)),
        }
    }

    fn make(&self, key: &PrivateKey, primitive: Primitive, input: &[u8]) -> Result<Signature, KeyError> {
        if !self.watched.load(Ordering::Relaxed) {
            return key.sign(primitive, input);
        }
        let start = clock::instant();
        let signature = key.sign(primitive, input);
        let took = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(took, Ordering::Relaxed);
        signature
    }

    fn lock(&self) -> MutexGuard<'_, Signatures> {
        // A panic while the map is held leaves at worst a signature out.
        self.signatures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::DerivedKind;

    #[test]
    fn what_is_asked_for_again_is_known_and_the_same() {
        let memo = Memo::default();
        let key = PrivateKey::derive(DerivedKind::P256, 1, "k");
        let first = memo.sign(&key, Primitive::ES256, b"input").unwrap();
        assert_eq!(memo.sign(&key, Primitive::ES256, b"input").unwrap(), first);
        assert_ne!(memo.sign(&key, Primitive::ES256, b"other").unwrap(), first);
        let other = PrivateKey::derive(DerivedKind::P256, 1, "l");
        assert_ne!(memo.sign(&other, Primitive::ES256, b"input").unwrap(), first);
        assert_eq!(memo.ledger(), Ledger { asked: 4, known: 1, signing: Duration::ZERO });
    }

    #[test]
    fn it_stays_within_its_bound_and_keeps_what_is_in_use() {
        let mut signatures = Signatures::default();
        let at = |number: usize| -> Name { (number as u128).to_be_bytes() };
        let signature = Signature { octets: Vec::new(), mirror: None };
        signatures.insert(at(0), signature.clone());
        for number in 1..Memo::BOUND * 3 {
            signatures.insert(at(number), signature.clone());
            if number % 1000 == 0 {
                assert!(signatures.get(&at(0)).is_some(), "{number}");
            }
            assert!(signatures.young.len() + signatures.old.len() <= Memo::BOUND, "{number}");
        }
        assert!(signatures.get(&at(1)).is_none());
    }

    #[test]
    fn only_a_watched_memo_measures() {
        let memo = Memo::default();
        memo.watch();
        memo.sign(&PrivateKey::derive(DerivedKind::P256, 1, "k"), Primitive::ES256, b"input").unwrap();
        assert_ne!(memo.ledger().signing, Duration::ZERO);
    }
}
