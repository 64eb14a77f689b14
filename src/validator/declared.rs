//! A validator of whom somebody says more than it does itself: what a configuration calls it, and what it is not asked for.

use super::{Configured, Description, Fault, Maker, Validator, Verdict};
use crate::jose::{NumericDate, Token};
use crate::policy::TrustPolicy;
use std::sync::Arc;

/// Makes the same validators under another description.
#[must_use]
pub fn declared(maker: Maker, description: Description) -> Maker {
    Arc::new(move || Box::new(Declared { inner: maker(), description: description.clone() }))
}

struct Declared {
    inner: Box<dyn Validator>,
    description: Description,
}

impl Validator for Declared {
    fn describe(&self) -> Description {
        self.description.clone()
    }

    fn configure(&mut self, policy: &TrustPolicy) -> Result<Configured, Fault> {
        self.inner.configure(policy)
    }

    fn validate(&mut self, token: &Token, now: NumericDate) -> Result<Verdict, Fault> {
        self.inner.validate(token, now)
    }

    fn validate_all(&mut self, tokens: &[(Token, NumericDate)]) -> Vec<Result<Verdict, Fault>> {
        self.inner.validate_all(tokens)
    }

    fn key_texts(&mut self, policy: &TrustPolicy) -> Vec<String> {
        self.inner.key_texts(policy)
    }

    fn cannot_carry(&self, token: &Token) -> Option<String> {
        self.inner.cannot_carry(token)
    }

    fn mishaps(&mut self) -> Vec<Fault> {
        self.inner.mishaps()
    }
}
