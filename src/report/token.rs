//! A token as people read it: each part decoded where it can be, tamed and bounded. For eyes only; nothing is concluded from it.

use crate::finding::tame;
use crate::jose::{Token, decode_base64url};

/// Longest part that is shown.
const MAX_PART: usize = 2_000;

/// Lines that show the parts of a token.
#[must_use]
pub fn decoded(token: &Token) -> Vec<(&'static str, String)> {
    let Some(text) = token.as_str() else {
        return vec![("token", format!("{} octets that are not UTF-8", token.as_bytes().len()))];
    };
    if text.is_empty() {
        return vec![("token", "(empty)".to_owned())];
    }
    let parts: Vec<&str> = text.split('.').collect();
    if text.starts_with('{') || parts.len() < 2 {
        return vec![("token", tame(text, MAX_PART))];
    }
    let mut lines = vec![("header", part(parts[0])), ("payload", part(parts[1]))];
    match parts.get(2) {
        None => lines.push(("signature", "(no such part)".to_owned())),
        Some(&"") => lines.push(("signature", "(empty)".to_owned())),
        Some(signature) => lines.push(("signature", tame(signature, 60))),
    }
    if parts.len() > 3 {
        lines.push(("beyond", tame(&parts[3..].join("."), MAX_PART)));
    }
    lines
}

fn part(text: &str) -> String {
    if text.is_empty() {
        return "(empty)".to_owned();
    }
    let plain = text.trim_end_matches('=').replace('+', "-").replace('/', "_");
    match decode_base64url(&plain) {
        Some(octets) if plain == text => tame(&String::from_utf8_lossy(&octets), MAX_PART),
        Some(octets) => {
            format!("{}  (not base64url: {})", tame(&String::from_utf8_lossy(&octets), MAX_PART), tame(text, 60))
        }
        None => format!("{}  (not base64url)", tame(text, MAX_PART)),
    }
}
