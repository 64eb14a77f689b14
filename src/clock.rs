//! The one place where the machine's clock is read.

use crate::jose::NumericDate;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The present.
#[must_use]
pub fn now() -> NumericDate {
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    NumericDate(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// A point on a clock that never goes back, for measuring how long something takes.
#[must_use]
pub fn instant() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    Instant::now()
}
