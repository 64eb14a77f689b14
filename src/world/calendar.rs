//! Where relative times lie.

use crate::jose::NumericDate;
use crate::scenario::Span;

/// Turns relative times into dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calendar {
    /// Everything is relative to this time.
    At(NumericDate),
    /// For validators that read the machine's clock inside a fuzz target, where a crash must reproduce in any year: honest
    /// tokens live from 2020 to 2100, what lies in the past lay in 2001, what lies in the future lies in 2100. The time
    /// is what we believe it to be; it reaches no token.
    Timeless(NumericDate),
}

const YEAR_2001: i64 = 978_307_200;
const YEAR_2020: i64 = 1_577_836_800;
const YEAR_2100: i64 = 4_102_444_800;

impl Calendar {
    /// The present.
    #[must_use]
    pub fn now(self) -> NumericDate {
        match self {
            Calendar::At(now) | Calendar::Timeless(now) => now,
        }
    }

    /// The date so far from the present.
    #[must_use]
    pub fn at(self, span: Span) -> NumericDate {
        match self {
            Calendar::At(now) => now.plus(span.0),
            Calendar::Timeless(_) if span.0 < 0 => NumericDate(YEAR_2001.saturating_sub(span.0 % 1000)),
            Calendar::Timeless(_) => NumericDate(YEAR_2100.saturating_add(span.0 % 1000)),
        }
    }

    /// When an honest token says it was issued: about a minute ago, a little different for each number. It is never so short a
    /// time that a clock a few seconds behind would find it ahead.
    #[must_use]
    pub fn issued(self, number: u64) -> NumericDate {
        let ago = 30 + i64::try_from(number % 60).unwrap_or(0);
        match self {
            Calendar::At(now) => now.plus(-ago),
            Calendar::Timeless(_) => NumericDate(YEAR_2020 + ago),
        }
    }

    /// The same calendar, later.
    #[must_use]
    pub fn later(self, span: Span) -> Calendar {
        match self {
            Calendar::At(now) => Calendar::At(now.plus(span.0)),
            timeless @ Calendar::Timeless(_) => timeless,
        }
    }
}
