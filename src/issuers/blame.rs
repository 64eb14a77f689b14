//! At whose door a fetch is laid: which token names what was fetched, or was in hand when its address was given out.

use super::server::Fetch;
use crate::jose::{Token, decode_base64url};
use crate::world::host_of;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// Octets of a mark.
const MARK: usize = 8;

/// What stands in an address that is given out while these octets are in hand: whoever fetches it later says by it for which.
pub(super) fn mark_of(octets: &[u8]) -> String {
    Sha256::digest(octets)[..MARK].iter().fold(String::new(), |mut mark, octet| {
        let _ = write!(mark, "{octet:02x}");
        mark
    })
}

/// A token as far as it can be told what it names.
pub(super) struct Suspect {
    mark: String,
    parts: Vec<String>,
}

impl Suspect {
    pub(super) fn new(token: &Token) -> Self {
        let mut parts = readable(token);
        parts.iter_mut().for_each(|part| part.make_ascii_lowercase());
        Suspect { mark: mark_of(token.as_bytes()), parts }
    }

    /// Whether the fetch was of an address that was given out for this token, or of the very URL that it names.
    pub(super) fn names_place(&self, fetch: &Fetch) -> bool {
        // With the port and without it: below one base every issuer has the same host.
        let places = [host_of(&fetch.host), fetch.host.clone()].map(|host| format!("{host}{}", fetch.path));
        fetch.path.contains(&self.mark) || places.iter().any(|place| self.says(place))
    }

    /// Whether the token names the issuer whose document was fetched.
    pub(super) fn names_issuer(&self, fetch: &Fetch) -> bool {
        fetch.issuer.as_ref().is_some_and(|issuer| self.says(issuer))
    }

    /// Whether the token names the host.
    pub(super) fn names_host(&self, fetch: &Fetch) -> bool {
        self.says(&host_of(&fetch.host))
    }

    fn says(&self, text: &str) -> bool {
        let text = text.to_ascii_lowercase();
        !text.is_empty() && self.parts.iter().any(|part| part.contains(&text))
    }
}

/// The URL that was fetched.
pub(super) fn url_of(fetch: &Fetch) -> String {
    format!("{}://{}{}", fetch.scheme, fetch.host, fetch.path)
}

/// What a token says, as far as base64url hides it: its runs of characters of that alphabet, decoded, and the token itself.
fn readable(token: &Token) -> Vec<String> {
    let text = String::from_utf8_lossy(token.as_bytes()).into_owned();
    let letters = |c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_');
    let decoded = text.split(letters).filter_map(|run| {
        // A last character alone holds no octet.
        let whole = &run[..run.len() - usize::from(run.len() % 4 == 1)];
        let octets = decode_base64url(whole)?;
        // RFC 8259 section 7: a solidus may be escaped.
        Some(String::from_utf8_lossy(&octets).replace("\\/", "/"))
    });
    let mut parts: Vec<String> = decoded.collect();
    parts.push(text);
    parts
}
