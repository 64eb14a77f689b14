//! One change to a token that a fuzzer holds as octets below a line that says whom it is shown to.

use crate::jose::{decode_base64url, encode_base64url};

/// Changes octets in place as a fuzzer does: so many of the slice are filled, so many may be; the answer is how many then are.
type Octets<'o> = &'o mut dyn FnMut(&mut [u8], usize, usize) -> usize;

/// Changes one thing in the first `size` octets of `data`: the first line to another of these, the token as it stands, or what
/// one of its parts decodes to, which is then encoded again. Which it is follows from the seed; how octets change, from
/// the fuzzer. Returns the new size, at most `max_size`.
pub fn mutate_token(
    data: &mut [u8],
    size: usize,
    max_size: usize,
    seed: u32,
    first_lines: &[String],
    octets: Octets<'_>,
) -> usize {
    let room = max_size.min(data.len());
    let size = size.min(room);
    let end = data[..size].iter().position(|&octet| octet == b'\n');
    let (what, which) = (seed % 16, (seed / 16) as usize);
    let line = match (end, first_lines) {
        (Some(end), _) if what != 0 => data[..end].to_vec(),
        (_, []) => return octets(data, size, room),
        (_, lines) => lines[which % lines.len()].as_bytes().to_vec(),
    };
    let token = data[end.map_or(0, |end| end + 1)..size].to_vec();
    let space = room.saturating_sub(line.len() + 1);
    let changed = match what {
        0 => token,
        1..=3 => changed(&token, space, octets),
        _ => part(&token, space, which % 3, octets).unwrap_or_else(|| changed(&token, space, octets)),
    };
    let whole = [line.as_slice(), b"\n", &changed].concat();
    let size = whole.len().min(room);
    data[..size].copy_from_slice(&whole[..size]);
    size
}

/// The same octets, changed by the fuzzer to at most so many.
fn changed(octets: &[u8], space: usize, by: Octets<'_>) -> Vec<u8> {
    let filled = octets.len().min(space);
    let mut buffer = octets[..filled].to_vec();
    buffer.resize(space, 0);
    let filled = by(&mut buffer, filled, space).min(space);
    buffer.truncate(filled);
    buffer
}

/// The token with what one of its three parts decodes to changed; `None` where it does not decode, or grew too long.
fn part(token: &[u8], space: usize, which: usize, octets: Octets<'_>) -> Option<Vec<u8>> {
    let mut parts: Vec<&[u8]> = token.split(|&octet| octet == b'.').collect();
    let decoded = decode_base64url(std::str::from_utf8(parts.get(which)?).ok()?)?;
    let others: usize = token.len() - parts[which].len();
    let encoded = encode_base64url(&changed(&decoded, space.saturating_sub(others) / 4 * 3, octets));
    parts[which] = encoded.as_bytes();
    let whole = parts.join(b".".as_slice());
    (whole.len() <= space).then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A fuzzer that writes an exclamation mark behind what there is.
    fn exclaims(data: &mut [u8], size: usize, max: usize) -> usize {
        if size < max {
            data[size] = b'!';
        }
        (size + 1).min(max)
    }

    fn mutated(input: &str, room: usize, seed: u32) -> String {
        let mut data = vec![0; room.max(input.len())];
        data[..input.len()].copy_from_slice(input.as_bytes());
        let lines = ["x y z".to_owned(), "u v w".to_owned()];
        let size = mutate_token(&mut data, input.len(), room, seed, &lines, &mut exclaims);
        assert!(size <= room);
        String::from_utf8(data[..size].to_vec()).unwrap()
    }

    #[test]
    fn one_thing_changes_at_a_time() {
        let token =
            format!("a b c\n{}.{}.{}", encode_base64url(b"head"), encode_base64url(b"body"), encode_base64url(b"s"));
        assert_eq!(mutated(&token, 100, 16), token.replace("a b c", "u v w"));
        assert_eq!(mutated(&token, 100, 1), format!("{token}!"));
        for (seed, (from, to)) in [(4, ("head", "head!")), (20, ("body", "body!")), (36, ("s", "s!"))] {
            let changed = token.replace(&encode_base64url(from.as_bytes()), &encode_base64url(to.as_bytes()));
            assert_eq!(mutated(&token, 100, seed), changed);
        }
    }

    #[test]
    fn what_has_no_first_line_gets_one_and_what_has_no_parts_is_changed_as_it_stands() {
        assert_eq!(mutated("", 100, 1), "x y z\n!");
        assert_eq!(mutated("a b c\n?.?", 100, 5), "a b c\n?.?!");
    }

    #[test]
    fn nothing_grows_beyond_the_room() {
        for room in 0..40 {
            for seed in 0..64 {
                mutated("a b c\nYWFh.YmJi.Y2Nj", room, seed);
            }
        }
    }
}
