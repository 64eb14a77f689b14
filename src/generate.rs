//! Makes scenarios: the catalogue of attack classes, random ones, and changes to one that a fuzzer holds. It is the only
//! place that draws randomness, and it draws it from bytes that it is given.
//!
//! Nothing here says what a validator should answer. A class names the rule that it aims at so that a person can look it
//! up; what is lawful is concluded later, by `oracle`, from what was written and signed.

mod acts;
mod atlas;
mod catalogue;
mod configure;
mod exhaustive;
mod mutate;
mod mutate_token;
mod palette;
mod playable;
mod random;
mod site;
#[cfg(feature = "proptest")]
mod strategy;

pub use atlas::Atlas;
pub use catalogue::{
    Absent, Class, Interface, absent, baseline, catalogue, class, class_of_key_texts, classes, over_key_texts,
};
pub use exhaustive::{Axis, Core, EXHAUSTIVE_WORLDS, Exhaustive, Fold, FoldedBy};
pub use mutate::{guided, mutate};
pub use mutate_token::mutate_token;
pub use playable::is_playable;
pub use random::{random, seeded};
pub use site::Site;
#[cfg(feature = "proptest")]
pub use strategy::{Scenarios, strategy};

#[cfg(all(test, feature = "proptest"))]
mod tests;
