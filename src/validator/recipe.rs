//! Validators over real crates, put together as the crate's documentation teaches and by no better rule.
//!
//! A recipe hands the policy to the crate and leaves every decision to it. What the crate does not check stays
//! unchecked: that is what a run is to show.
//!
//! They need the feature `recipes`, and the one over `josekit` a feature of that name, since it needs OpenSSL. Without
//! them there are none.

#[cfg(feature = "recipes")]
mod application;
#[cfg(feature = "recipes")]
mod beyond;
#[cfg(feature = "recipes")]
mod biscuit;
#[cfg(feature = "josekit")]
mod josekit;
#[cfg(feature = "recipes")]
mod jsonwebtoken;
#[cfg(feature = "recipes")]
mod jwt_simple;
#[cfg(all(test, feature = "recipes"))]
mod tests;

use super::Maker;

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
        #[cfg(feature = "recipes")]
        Recipe {
            name: "jsonwebtoken",
            about: "the crate jsonwebtoken with a key set and a `Validation` for each issuer, chosen by `iss`",
            maker: || maker(&jsonwebtoken::CRAFT, Trust::PerIssuer),
            sound: true,
        },
        #[cfg(feature = "recipes")]
        Recipe {
            name: "jsonwebtoken-pooled",
            about: "the crate jsonwebtoken with one key set of all issuers beside a list of their names",
            maker: || maker(&jsonwebtoken::CRAFT, Trust::Pooled),
            sound: false,
        },
        #[cfg(feature = "recipes")]
        Recipe {
            name: "jwt-simple",
            about: "the crate jwt-simple with the issuer of each key in its `VerificationOptions`",
            maker: || maker(&jwt_simple::CRAFT, Trust::PerIssuer),
            sound: true,
        },
        #[cfg(feature = "recipes")]
        Recipe {
            name: "jwt-simple-pooled",
            about: "the crate jwt-simple with the names of all issuers in the `VerificationOptions` of every key",
            maker: || maker(&jwt_simple::CRAFT, Trust::Pooled),
            sound: false,
        },
        #[cfg(feature = "recipes")]
        Recipe {
            name: "biscuit",
            about: "the crate biscuit with a key set and `ValidationOptions` for each issuer, chosen by `iss`",
            maker: || maker(&biscuit::CRAFT, Trust::PerIssuer),
            sound: true,
        },
        #[cfg(feature = "recipes")]
        Recipe {
            name: "biscuit-pooled",
            about: "the crate biscuit with one key set of all issuers beside a list of their names",
            maker: || maker(&biscuit::CRAFT, Trust::Pooled),
            sound: false,
        },
        #[cfg(feature = "josekit")]
        Recipe {
            name: "josekit",
            about: "the crate josekit with the issuer of each key in its `JwtPayloadValidator`",
            maker: || maker(&josekit::CRAFT, Trust::PerIssuer),
            sound: true,
        },
        #[cfg(feature = "josekit")]
        Recipe {
            name: "josekit-pooled",
            about: "the crate josekit with verifiers for the keys of all issuers beside a list of their names",
            maker: || maker(&josekit::CRAFT, Trust::Pooled),
            sound: false,
        },
    ]
}

#[cfg(feature = "recipes")]
use application::{Application, Craft, Trust};

#[cfg(feature = "recipes")]
fn maker(craft: &'static Craft, trust: Trust) -> Maker {
    std::sync::Arc::new(move || Box::new(Application::new(craft, trust)))
}
