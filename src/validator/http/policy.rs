//! Whether two policies say the same.

use crate::jose::{Jwk, JwkSet, NumericDate};
use crate::policy::TrustPolicy;

/// Most seconds by which the lifetimes of keys may have moved on: they are written relative to the present, and a run may last.
const MOVED_ON: i64 = 40 * 86_400;

/// Whether two policies say the same: in whatever order, and with the lifetimes of all keys moved on by the same time.
pub(super) fn same(own: &TrustPolicy, told: &TrustPolicy) -> bool {
    let (own, told) = (Sorted::of(own), Sorted::of(told));
    let moved: Vec<i64> = own.ends.iter().zip(&told.ends).map(|(own, told)| told.0.saturating_sub(own.0)).collect();
    let together = moved.windows(2).all(|pair| pair[0] == pair[1]);
    own.policy == told.policy && together && moved.iter().all(|seconds| seconds.abs() <= MOVED_ON)
}

/// A policy in an order of its own, its dates apart.
struct Sorted {
    policy: TrustPolicy,
    ends: Vec<NumericDate>,
}

impl Sorted {
    fn of(policy: &TrustPolicy) -> Sorted {
        let mut policy = policy.clone();
        policy.issuers.sort_by(|one, other| one.issuer.cmp(&other.issuer));
        let mut ends = Vec::new();
        let sets = policy.issuers.iter_mut().flat_map(|issuer| issuer.jwks.iter_mut().chain(&mut issuer.secrets));
        for set in sets.chain(&mut policy.converged_jwks) {
            sort(set, &mut ends);
        }
        Sorted { policy, ends }
    }
}

/// Sorts a set, and takes the dates out of it.
fn sort(set: &mut JwkSet, ends: &mut Vec<NumericDate>) {
    let named = |jwk: &Jwk| {
        let mut undated = jwk.clone();
        (undated.nbf, undated.exp) = (jwk.nbf.map(|_| NumericDate(0)), jwk.exp.map(|_| NumericDate(0)));
        // A key is a map with text for names: it can be written.
        serde_json::to_string(&undated).unwrap_or_default()
    };
    set.keys.sort_by_cached_key(named);
    for date in set.keys.iter_mut().flat_map(|jwk| [&mut jwk.nbf, &mut jwk.exp]).flatten() {
        ends.push(std::mem::replace(date, NumericDate(0)));
    }
}
