//! What is done to a signature once it is made.

use super::{Draft, flip, seek};
use crate::scenario::Mangle;

impl Draft {
    pub(super) fn mangle(&mut self, mangle: &Mangle) {
        let known = self.signature.clone().unwrap_or_default();
        let made_by = self.events.iter().find(|event| event.signature == known && event.mirror.is_some());
        let mirror = made_by.and_then(|event| event.mirror.clone());
        let mut octets = known;
        match mangle {
            Mangle::FlipBit(bit) => flip(&mut octets, *bit),
            Mangle::Truncate(by) => octets.truncate(octets.len().saturating_sub(*by as usize)),
            Mangle::Extend(by) => octets.resize(octets.len() + *by as usize, 0),
            Mangle::Zero => octets.fill(0),
            // Only an ECDSA signature has another form; any other stays as it is.
            Mangle::NMinusS => octets = mirror.unwrap_or(octets),
            Mangle::Der if mirror.is_some() => octets = der(&octets),
            Mangle::DropZeros if mirror.is_some() => octets = seek::without_zeros(&octets),
            Mangle::PadZeros if mirror.is_some() => octets = seek::with_zeros(&octets),
            Mangle::Der | Mangle::DropZeros | Mangle::PadZeros => {}
        }
        self.signature = Some(octets);
    }
}

/// R and S as an ASN.1 SEQUENCE of two INTEGERs (RFC 3279 section 2.2.3).
fn der(octets: &[u8]) -> Vec<u8> {
    let integer = |half: &[u8]| {
        let first = half.iter().position(|&octet| octet != 0).unwrap_or(half.len().saturating_sub(1));
        let mut body = half[first..].to_vec();
        if body.first().is_some_and(|octet| octet & 0x80 != 0) {
            body.insert(0, 0);
        }
        [vec![2, u8::try_from(body.len()).unwrap_or(0x7f)], body].concat()
    };
    let (r, s) = octets.split_at(octets.len() / 2);
    let body = [integer(r), integer(s)].concat();
    let length = u8::try_from(body.len()).unwrap_or(u8::MAX);
    // X.690 section 8.1.3: from 128 on a length says in how many octets it is written. P-521 has up to 138.
    let start = if length < 128 { vec![0x30, length] } else { vec![0x30, 0x81, length] };
    [start, body].concat()
}
