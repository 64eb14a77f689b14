//! Ways to write a JWS part that depart from the canonical one, and a record of those that really did.
//!
//! A spelling is asked for; a departure is what came of it. Padding asked for where the length needs none leaves no
//! departure, so a record never claims a defect that the token does not have.

use super::json::{Style, write_object};
use super::{Member, encode_base64url};
use serde::{Deserialize, Serialize};

/// A way to spell one part of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spelling {
    /// `=` up to a multiple of four (RFC 7515 section 2 leaves it out).
    Padding,
    /// `+` and `/` in place of `-` and `_` (RFC 4648 section 4 in place of 5).
    StandardAlphabet,
    /// The unused low bits of the last character set (RFC 4648 section 3.5).
    TrailingBits,
    /// A line break in the middle of the base64url text (RFC 4648 section 3.1).
    LineBreak,
    /// U+FEFF before the JSON text (RFC 8259 section 8.1).
    ByteOrderMark,
    /// Legal white space between JSON tokens (RFC 8259 section 2).
    JsonWhitespace,
    /// Legal escapes, `\u` and `\/`, for characters that need none (RFC 8259 section 7).
    JsonEscapes,
    /// A comma after the last member (RFC 8259 section 4 has none).
    TrailingComma,
    /// A second JSON value after the first (RFC 8259 section 2).
    TrailingData,
}

impl Spelling {
    /// All of them.
    pub const ALL: [Spelling; 9] = [
        Spelling::Padding,
        Spelling::StandardAlphabet,
        Spelling::TrailingBits,
        Spelling::LineBreak,
        Spelling::ByteOrderMark,
        Spelling::JsonWhitespace,
        Spelling::JsonEscapes,
        Spelling::TrailingComma,
        Spelling::TrailingData,
    ];
}

/// A spelling that left its mark on the octets.
pub type Departure = Spelling;

/// One part of a token, written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpelledPart {
    /// The base64url text as it stands in the token.
    pub text: String,
    /// Which of the spellings asked for changed anything.
    pub departures: Vec<Departure>,
}

/// Writes a header or a payload.
#[must_use]
pub fn spell_part(members: &[Member], spellings: &[Spelling]) -> SpelledPart {
    let spaced = spellings.contains(&Spelling::JsonWhitespace);
    let escaped = spellings.contains(&Spelling::JsonEscapes);
    let style = match (spaced, escaped) {
        (false, false) => Style::Canonical,
        (true, false) => Style::Spaced,
        (false, true) => Style::Escaped,
        (true, true) => Style::SpacedAndEscaped,
    };
    let mut json = String::new();
    write_object(members, &mut json, style);
    let mut departures = Vec::new();
    if spaced && !members.is_empty() {
        departures.push(Spelling::JsonWhitespace);
    }
    if escaped && !members.is_empty() {
        departures.push(Spelling::JsonEscapes);
    }
    if spellings.contains(&Spelling::TrailingComma) && !members.is_empty() {
        json.insert(json.len() - 1, ',');
        departures.push(Spelling::TrailingComma);
    }
    if spellings.contains(&Spelling::TrailingData) {
        json.push_str("{}");
        departures.push(Spelling::TrailingData);
    }
    if spellings.contains(&Spelling::ByteOrderMark) {
        json.insert(0, '\u{feff}');
        departures.push(Spelling::ByteOrderMark);
    }
    let mut part = spell_octets(json.as_bytes(), spellings);
    departures.append(&mut part.departures);
    part.departures = departures;
    part
}

/// Writes octets (a signature, or a JSON text already put together) as base64url, spelled as asked.
#[must_use]
pub fn spell_octets(octets: &[u8], spellings: &[Spelling]) -> SpelledPart {
    let mut text = encode_base64url(octets);
    let mut departures = Vec::new();
    if spellings.contains(&Spelling::TrailingBits) && !octets.len().is_multiple_of(3) {
        // With one octet left over four low bits are unused, with two left over two are: setting the lowest changes no octet.
        let last = text.pop().map_or('A', |c| c);
        text.push(with_lowest_bit(last));
        departures.push(Spelling::TrailingBits);
    }
    if spellings.contains(&Spelling::StandardAlphabet) && text.contains(['-', '_']) {
        text = text.replace('-', "+").replace('_', "/");
        departures.push(Spelling::StandardAlphabet);
    }
    if spellings.contains(&Spelling::Padding) && !octets.len().is_multiple_of(3) {
        text.push_str(if octets.len() % 3 == 1 { "==" } else { "=" });
        departures.push(Spelling::Padding);
    }
    if spellings.contains(&Spelling::LineBreak) && text.len() > 1 {
        text.insert(text.len() / 2, '\n');
        departures.push(Spelling::LineBreak);
    }
    SpelledPart { text, departures }
}

fn with_lowest_bit(character: char) -> char {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let index = ALPHABET.iter().position(|&c| char::from(c) == character).unwrap_or(0);
    char::from(ALPHABET[index | 1])
}
