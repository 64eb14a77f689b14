//! Twins: what shows that a rejection happened for the reason we think, and not because the validator refuses everything of
//! that shape.
//!
//! A policy twin is the same token under the nearest policy that permits it. Where no policy permits it, a token twin is the
//! scenario with the fewest parameters replaced by honest ones. A rejection counts only when its twin is accepted.

mod mend;
mod token;

pub use mend::policy_twin;
pub use token::token_twin;
