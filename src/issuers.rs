//! The issuers of a world as others see them: discovery documents and JWK Sets, written to files or served over loopback, and a
//! log of who fetched what.
//!
//! What an issuer publishes is public by its nature: nothing here holds a private key or a secret of a world.

#[cfg(feature = "remote")]
mod authority;
#[cfg(feature = "remote")]
mod blame;
mod documents;
mod export;
#[cfg(feature = "remote")]
mod fetching;
#[cfg(feature = "remote")]
mod server;
#[cfg(feature = "remote")]
mod wire;

pub use documents::{Answer, Published, discovery};
pub use export::{Export, export};
#[cfg(feature = "remote")]
pub use fetching::{fetching, watching};
#[cfg(feature = "remote")]
pub use server::{Fetch, Issuers, Trouble};
