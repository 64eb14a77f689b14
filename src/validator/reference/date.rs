//! Compares a NumericDate, which is any JSON number (RFC 7519 section 2), with whole seconds: exactly, so that nothing
//! is rounded and nothing wraps.

use std::cmp::Ordering;

/// More digits than any time plus any leeway has.
const FAR: i64 = 30;

/// How the number that a JSON literal writes compares with `seconds`; `None` where it is beyond what a binary64 number
/// holds, since readers do not agree about such numbers (RFC 8259 section 6).
pub(super) fn compare(literal: &str, seconds: i128) -> Option<Ordering> {
    if !literal.parse::<f64>().is_ok_and(f64::is_finite) {
        return None;
    }
    let (negative, size) = match literal.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, literal),
    };
    Some(if negative { compare_size(size, seconds.checked_neg()?)?.reverse() } else { compare_size(size, seconds)? })
}

/// The same for a literal without a sign.
fn compare_size(literal: &str, seconds: i128) -> Option<Ordering> {
    let (mantissa, exponent) = literal.split_once(['e', 'E']).unwrap_or((literal, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
    let zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
    let digits = digits.get(zeros..).filter(|digits| !digits.is_empty());
    let Some(digits) = digits else { return Some(0.cmp(&seconds)) };
    // The number is 0.d₁d₂d₃… times ten to the power of `point`, and d₁ is not zero.
    let shift = i64::try_from(whole.len()).ok()?.checked_sub(i64::try_from(zeros).ok()?)?;
    let point = power(exponent)?.saturating_add(shift);
    if point > FAR {
        return Some(Ordering::Greater);
    }
    let places = usize::try_from(point.max(0)).ok()?;
    let integer = (0..places).try_fold(0_i128, |sum, place| {
        Some(sum * 10 + i128::from(digits.get(place).map_or(0, |digit| digit - b'0')))
    })?;
    let rest = digits.iter().skip(places).any(|&digit| digit != b'0');
    Some(integer.cmp(&seconds).then(if rest { Ordering::Greater } else { Ordering::Equal }))
}

/// The exponent; one too long for an `i64` is as good as infinite.
fn power(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let size = digits.parse().unwrap_or(i64::MAX);
    Some(if text.starts_with('-') { -size } else { size })
}

#[cfg(test)]
mod tests {
    use super::compare;
    use std::cmp::Ordering::{Equal, Greater, Less};

    #[test]
    fn literals_compare_exactly() {
        for (literal, seconds, order) in [
            ("0", 0, Equal),
            ("-0", 0, Equal),
            ("-0.0e5", 0, Equal),
            ("-0", 1, Less),
            ("-0", -1, Greater),
            ("0e999999999999999999999", 0, Equal),
            ("1", 1, Equal),
            ("1.0", 1, Equal),
            ("1.5", 1, Greater),
            ("1.5", 2, Less),
            ("-1.5", -1, Less),
            ("-1.5", -2, Greater),
            ("0.5", 0, Greater),
            ("-0.5", 0, Less),
            ("15e-1", 1, Greater),
            ("0.15e1", 2, Less),
            ("0.0015E+3", 1, Greater),
            ("1e-400", 0, Greater),
            ("1e-400", 1, Less),
            ("1e-99999999999999999999", 0, Greater),
            ("-1e-99999999999999999999", 0, Less),
            ("1790000000", 1_790_000_000, Equal),
            ("1.79e9", 1_790_000_000, Equal),
            ("17900000000e-1", 1_790_000_000, Equal),
            ("1790000000.000000000000000000000000001", 1_790_000_000, Greater),
            // Binary64 takes these for whole numbers; they are not.
            ("9007199254740993", 9_007_199_254_740_992, Greater),
            ("1789999999.99999999999999999999", 1_790_000_000, Less),
            ("18446744073709551616", 0, Greater),
            ("18446744073709551616", 18_446_744_073_709_551_616, Equal),
            ("99999999999999999999", 99_999_999_999_999_999_999, Equal),
            ("-99999999999999999999", 0, Less),
            ("1e308", i128::from(u64::MAX), Greater),
            ("-1e308", -i128::from(u64::MAX), Less),
        ] {
            assert_eq!(compare(literal, seconds), Some(order), "{literal} against {seconds}");
        }
    }

    #[test]
    fn numbers_beyond_binary64_have_no_place() {
        for literal in ["1e999", "-1e999", "1e309", "1e99999999999999999999999"] {
            assert_eq!(compare(literal, 0), None, "{literal}");
        }
        assert_eq!(compare(&"9".repeat(400), 0), None);
        assert_eq!(compare(&format!("0.{}1", "0".repeat(100_000)), 0), Some(Greater));
    }
}
