//! Base64 for what we write ourselves and for keys that we are given. Validators do not read tokens with this.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// Base64url without padding (RFC 7515 section 2).
#[must_use]
pub fn encode_base64url(octets: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(octets)
}

/// Base64url without padding, strictly; `None` where the text is anything else.
#[must_use]
pub fn decode_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Base64 with padding (RFC 4648 section 4), as certificates and opaque token text use it.
#[must_use]
pub fn encode_base64(octets: &[u8]) -> String {
    STANDARD.encode(octets)
}

/// The same read back, strictly; `None` where the text is anything else.
#[must_use]
pub fn decode_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}
