//! Lengths of time as people write them: `5s`, `500ms`, `2h`.

use std::time::Duration;

/// A whole number and a unit, from the least to the most. `wanted` is the error: what would be right.
pub(crate) fn length(text: &str, least: Duration, most: Duration, wanted: &str) -> Result<Duration, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let unit = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(wanted.to_owned()),
    };
    let millis = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    let length = millis.map(Duration::from_millis).filter(|length| (least..=most).contains(length));
    length.ok_or_else(|| wanted.to_owned())
}
