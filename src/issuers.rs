//! The issuers of a world as others see them: discovery documents and JWK Sets, written to files.
//!
//! What an issuer publishes is public by its nature: nothing here holds a private key or a secret.

mod documents;
mod export;

pub use documents::{Answer, Published, discovery};
pub use export::{Export, export};
