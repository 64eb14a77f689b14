//! Reads base64url as RFC 7515 section 2 writes it: no padding, no white space, and one spelling for each value.

/// The octets; `None` where the text is spelled in any other way, which includes unused bits that are not zero
/// (RFC 4648 section 3.5).
pub(super) fn read(text: &[u8]) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(text.len() / 4 * 3 + 2);
    let mut bits: u32 = 0;
    let mut held = 0;
    for &character in text {
        bits = bits << 6 | u32::from(sextet(character)?);
        held += 6;
        if held >= 8 {
            held -= 8;
            octets.push(u8::try_from(bits >> held).ok()?);
            bits &= (1 << held) - 1;
        }
    }
    // Six bits left over mean that one character more stands there than any number of octets needs.
    (held < 6 && bits == 0).then_some(octets)
}

fn sextet(character: u8) -> Option<u8> {
    Some(match character {
        b'A'..=b'Z' => character - b'A',
        b'a'..=b'z' => character - b'a' + 26,
        b'0'..=b'9' => character - b'0' + 52,
        b'-' => 62,
        b'_' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn one_spelling_is_read() {
        for (text, octets) in [
            ("", &b""[..]),
            ("Zg", b"f"),
            ("Zm8", b"fo"),
            ("Zm9v", b"foo"),
            ("Zm9vYg", b"foob"),
            ("Zm9vYmE", b"fooba"),
            ("Zm9vYmFy", b"foobar"),
            ("-_-_", b"\xfb\xff\xbf"),
            ("AAAA", b"\0\0\0"),
            ("AA", b"\0"),
            ("__8", b"\xff\xff"),
            // RFC 7515 appendix C.
            ("A-z_4ME", b"\x03\xec\xff\xe0\xc1"),
        ] {
            assert_eq!(read(text.as_bytes()).as_deref(), Some(octets), "{text}");
        }
    }

    #[test]
    fn every_other_spelling_is_refused() {
        for text in [
            "Z",
            "Zm9vY",
            "Zg==",
            "Zm8=",
            "Zm9v=",
            "=",
            "Zh",
            "Zm9",
            "Zm9vYh",
            "+_-_",
            "-/-_",
            " Zm9v",
            "Zm9v ",
            "Zm\n9v",
            "Zm9v\n",
            "Zm9v\r\n",
            "Zm\t8",
            "Zm9v\0",
            "Zm.9",
            "Zm9v?",
            "Zm\\9",
            "Zm%39",
            "Zm9v\u{200b}",
            "ｚm9v",
        ] {
            assert_eq!(read(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(read(b"Zm9\xff"), None);
    }

    #[test]
    fn all_octets_survive() {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let octets: Vec<u8> = (0..=255).chain(0..2).collect();
        let text: Vec<u8> = octets
            .chunks(3)
            .flat_map(|three| {
                let number = u32::from(three[0]) << 16 | u32::from(three[1]) << 8 | u32::from(three[2]);
                [18, 12, 6, 0].map(|shift| ALPHABET[(number >> shift & 63) as usize])
            })
            .collect();
        assert_eq!(read(&text), Some(octets));
    }
}
