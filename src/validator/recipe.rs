//! Validators over real crates, put together as the crate's documentation teaches and by no better rule.
//!
//! A recipe hands the policy to the crate and leaves every decision to it. What the crate does not check stays
//! unchecked: that is what a run is to show.

mod application;
mod beyond;
#[cfg(test)]
mod tests;

use super::Maker;
use application::{Application, Trust};
use std::sync::Arc;

/// One way to use a crate.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    /// The name by which it is asked for.
    pub name: &'static str,
    /// What it does, in one sentence.
    pub about: &'static str,
    /// Makes fresh validators.
    pub maker: fn() -> Maker,
    /// Whether it binds keys to issuers. One that does not is there to be found out.
    pub sound: bool,
}

/// All of them.
#[must_use]
pub fn recipes() -> Vec<Recipe> {
    vec![
        Recipe {
            name: "jsonwebtoken",
            about: "the crate jsonwebtoken with a key set and a `Validation` for each issuer, chosen by `iss`",
            maker: || Arc::new(|| Box::new(Application::new(Trust::PerIssuer))),
            sound: true,
        },
        Recipe {
            name: "jsonwebtoken-pooled",
            about: "the crate jsonwebtoken with one key set of all issuers beside a list of their names",
            maker: || Arc::new(|| Box::new(Application::new(Trust::Pooled))),
            sound: false,
        },
    ]
}
