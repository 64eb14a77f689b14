//! What somebody may have meant who mistyped a name.

/// Most names that are suggested.
const MOST: usize = 3;

/// The known names that look like what was typed, likeliest first.
pub(crate) fn alike<'k>(typed: &str, known: impl IntoIterator<Item = &'k str>) -> Vec<&'k str> {
    let typed = typed.to_ascii_lowercase();
    let bound = (typed.chars().count() / 3).max(1);
    let mut near: Vec<(usize, &str)> = known
        .into_iter()
        .filter_map(|name| {
            let lower = name.to_ascii_lowercase();
            let within = typed.len() >= 3 && (lower.contains(&typed) || (lower.len() >= 3 && typed.contains(&lower)));
            let distance = distance(&typed, &lower);
            (within || distance <= bound).then_some((distance, name))
        })
        .collect();
    near.sort_unstable();
    near.into_iter().take(MOST).map(|(_, name)| name).collect()
}

/// A clause that suggests names, or nothing: `; did you mean a, b?`
pub(crate) fn hint<'k>(typed: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    let near = alike(typed, known);
    if near.is_empty() { String::new() } else { format!("; did you mean `{}`?", near.join("`, `")) }
}

/// How many characters have to be put in, taken out or changed, or neighbours to change places (Levenshtein, Damerau).
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut above: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, &character) in one.iter().enumerate() {
        let mut next = vec![index + 1];
        for (column, &facing) in other.iter().enumerate() {
            let change = row[column] + usize::from(facing != character);
            let mut least = change.min(row[column + 1] + 1).min(next[column] + 1);
            if index > 0 && column > 0 && character == other[column - 1] && one[index - 1] == facing {
                least = least.min(above[column - 1] + 1);
            }
            next.push(least);
        }
        above = std::mem::replace(&mut row, next);
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_what_was_meant() {
        let known = ["reference", "jsonwebtoken", "jsonwebtoken-pooled", "sound", "flawed-accept-all"];
        assert_eq!(alike("jsonwebtokn", known), ["jsonwebtoken"]);
        assert_eq!(alike("jsonwebtoken-poled", known), ["jsonwebtoken-pooled", "jsonwebtoken"]);
        assert_eq!(alike("accept-all", known), ["flawed-accept-all"]);
        assert_eq!(alike("refrence", known), ["reference"]);
        assert!(alike("nosuch", known).is_empty());
        assert_eq!(hint("sond", known), "; did you mean `sound`?");
    }

    #[test]
    fn distances_are_counted() {
        for (one, other, steps) in
            [("", "", 0), ("abc", "", 3), ("kitten", "sitting", 3), ("ab", "ba", 1), ("exce", "exec", 1)]
        {
            assert_eq!(distance(one, other), steps);
            assert_eq!(distance(other, one), steps);
        }
    }
}
