//! Where a row lies in memory. Keys are the hub's own ids, so nobody can choose them to collide, and a
//! hash that withstands attackers would cost more than the rest of a fold.

use std::hash::{BuildHasherDefault, Hasher};

/// Multiplies and folds, as many fast hashes do.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Fold(u64);

pub(crate) type KeyHash = BuildHasherDefault<Fold>;

/// An odd number with as many ones as zeros, without a pattern.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

impl Fold {
    fn mix(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * u128::from(FACTOR);
        self.0 = (product as u64) ^ (product >> 64) as u64 ^ word.rotate_left(32);
    }
}

impl Hasher for Fold {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|it| self.mix(u64::from_le_bytes(*it)));
        rest.iter().for_each(|it| self.mix(u64::from(*it)));
    }
    fn write_u8(&mut self, it: u8) {
        self.mix(u64::from(it));
    }
    fn write_u64(&mut self, it: u64) {
        self.mix(it);
    }
    fn write_usize(&mut self, it: usize) {
        self.mix(it as u64);
    }
    fn finish(&self) -> u64 {
        let spread = (self.0 ^ self.0 >> 32).wrapping_mul(FACTOR);
        spread ^ spread >> 29
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::hash::BuildHasher as _;

    use events::ids::CaseId;
    use uuid::Uuid;

    use super::KeyHash;

    #[test]
    fn ids_of_one_millisecond_and_of_one_day_lie_apart() {
        let hash = |id: u128| KeyHash::default().hash_one(CaseId(Uuid::from_u128(id)));
        for step in [1_u128, 1 << 64, 1 << 80, 0x1_0000_0001] {
            let hashes: Vec<u64> = (0..4_096).map(|it| hash(7 + it * step)).collect();
            // What a table looks at: seven high bits, and as many low ones as it is large.
            let low: HashSet<u64> = hashes.iter().map(|it| it & 0xfff).collect();
            let high: HashSet<u64> = hashes.iter().map(|it| it >> 57).collect();
            assert!(low.len() > 2_000, "{step:x}: {} of 4,096 places", low.len());
            assert_eq!(high.len(), 128, "{step:x}");
        }
    }
}
