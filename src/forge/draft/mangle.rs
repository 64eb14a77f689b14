//! What is done to a signature once it is made.

use super::{Draft, flip, seek};
use crate::key::ecdsa_der;
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
            Mangle::Der if mirror.is_some() => octets = ecdsa_der(&octets),
            Mangle::DropZeros if mirror.is_some() => octets = seek::without_zeros(&octets),
            Mangle::PadZeros if mirror.is_some() => octets = seek::with_zeros(&octets),
            Mangle::Der | Mangle::DropZeros | Mangle::PadZeros => {}
        }
        self.signature = Some(octets);
    }
}
