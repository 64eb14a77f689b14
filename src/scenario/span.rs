//! Lengths of time as people write them: `10m`, `+1h`, `-30d`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A signed number of seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub i64);

const UNITS: [(char, i64); 6] = [('y', 31_536_000), ('w', 604_800), ('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// Longer spans leave the years 1970 to 9999.
const MAX_SECONDS: i64 = 1_000 * 31_536_000;

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("{text:?} is no length of time: a sign, a whole number and one of s, m, h, d, w, y, as in +90s");
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let unit = rest.chars().last().ok_or_else(wrong)?;
        let seconds = UNITS.iter().find(|row| row.0 == unit).ok_or_else(wrong)?.1;
        let digits = &rest[..rest.len() - 1];
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(wrong());
        }
        let number: i64 = digits.parse().map_err(|_| wrong())?;
        let total = number.checked_mul(seconds).filter(|total| *total <= MAX_SECONDS);
        let total = total.ok_or_else(|| format!("{text:?} is longer than a thousand years"))?;
        Ok(Span(if negative { -total } else { total }))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS.iter().find(|row| self.0 != 0 && self.0 % row.1 == 0).unwrap_or(&('s', 1));
        write!(f, "{}{}{}", if self.0 < 0 { '-' } else { '+' }, self.0.abs() / unit.1, unit.0)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::Span;

    #[test]
    fn spans_are_read_and_written() {
        for (text, seconds, written) in [
            ("+1h", 3600, "+1h"),
            ("10m", 600, "+10m"),
            ("-90s", -90, "-90s"),
            ("0s", 0, "+0s"),
            ("+365d", 31_536_000, "+1y"),
        ] {
            let span: Span = text.parse().expect(text);
            assert_eq!(span.0, seconds);
            assert_eq!(span.to_string(), written);
        }
        for wrong in ["", "h", "+h", "1", "1.5h", "--1h", "9999999999y", "1é"] {
            assert!(wrong.parse::<Span>().is_err(), "{wrong}");
        }
    }
}
