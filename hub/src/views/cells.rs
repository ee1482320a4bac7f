//! Rows as bytes: one canonical form that is stored, hashed and compared.
//!
//! Views are disposable: the form may change whenever a revision is raised. It is never sent anywhere.

use std::collections::BTreeMap;

use events::envelope::Position;
use events::ids::{CaseId, CaseNumber, ProvinceCode, RequestId};
use events::vocabulary::{Category, Channel, DueDay, Item, Outcome, Reason, Stage};
use events::work::WorkKind;
use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

/// Something that has exactly one spelling in bytes.
pub(crate) trait Cell: Sized {
    fn put(&self, out: &mut Vec<u8>);
    /// Nothing, if the bytes are not what `put` wrote.
    fn take(from: &mut &[u8]) -> Option<Self>;
}

/// The bytes of `cell`.
pub(crate) fn bytes_of<T: Cell>(cell: &T) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    cell.put(&mut out);
    out
}

/// The cell in `bytes`, if they hold it and nothing else.
pub(crate) fn cell_of<T: Cell>(mut bytes: &[u8]) -> Option<T> {
    let cell = T::take(&mut bytes)?;
    bytes.is_empty().then_some(cell)
}

fn split<'a>(from: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (head, rest) = from.split_at_checked(count)?;
    *from = rest;
    Some(head)
}

macro_rules! number_cells {
    ($($number:ty),*) => {$(
        impl Cell for $number {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }
            fn take(from: &mut &[u8]) -> Option<Self> {
                split(from, size_of::<$number>())?.try_into().ok().map(<$number>::from_be_bytes)
            }
        }
    )*};
}
number_cells!(u8, u32, u64, i16, i32, i64);

impl Cell for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
    fn take(from: &mut &[u8]) -> Option<Self> {
        match u8::take(from)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl Cell for String {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u32).put(out);
        out.extend_from_slice(self.as_bytes());
    }
    fn take(from: &mut &[u8]) -> Option<Self> {
        let count = u32::take(from)? as usize;
        std::str::from_utf8(split(from, count)?).ok().map(str::to_owned)
    }
}

impl<T: Cell> Cell for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(it) = self {
            it.put(out);
        }
    }
    fn take(from: &mut &[u8]) -> Option<Self> {
        if bool::take(from)? { T::take(from).map(Some) } else { Some(None) }
    }
}

impl<T: Cell> Cell for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u32).put(out);
        self.iter().for_each(|it| it.put(out));
    }
    fn take(from: &mut &[u8]) -> Option<Self> {
        (0..u32::take(from)?).map(|_| T::take(from)).collect()
    }
}

impl<K: Cell + Ord, V: Cell> Cell for BTreeMap<K, V> {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u32).put(out);
        for (key, value) in self {
            key.put(out);
            value.put(out);
        }
    }
    fn take(from: &mut &[u8]) -> Option<Self> {
        (0..u32::take(from)?).map(|_| Some((K::take(from)?, V::take(from)?))).collect()
    }
}

impl<A: Cell, B: Cell> Cell for (A, B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }
    fn take(from: &mut &[u8]) -> Option<Self> {
        Some((A::take(from)?, B::take(from)?))
    }
}

impl Cell for Timestamp {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_second().put(out);
        self.subsec_nanosecond().put(out);
    }
    fn take(from: &mut &[u8]) -> Option<Self> {
        Self::new(i64::take(from)?, i32::take(from)?).ok()
    }
}

impl Cell for Date {
    fn put(&self, out: &mut Vec<u8>) {
        self.year().put(out);
        out.extend_from_slice(&[self.month() as u8, self.day() as u8]);
    }
    fn take(from: &mut &[u8]) -> Option<Self> {
        let (year, month, day) = (i16::take(from)?, u8::take(from)?, u8::take(from)?);
        Self::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
    }
}

impl Cell for Uuid {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }
    fn take(from: &mut &[u8]) -> Option<Self> {
        Self::from_slice(split(from, 16)?).ok()
    }
}

macro_rules! wrapped_cells {
    ($($name:ident),*) => {$(
        impl $crate::views::cells::Cell for $name {
            fn put(&self, out: &mut Vec<u8>) {
                $crate::views::cells::Cell::put(&self.0, out);
            }
            fn take(from: &mut &[u8]) -> Option<Self> {
                $crate::views::cells::Cell::take(from).map(Self)
            }
        }
    )*};
}
pub(crate) use wrapped_cells;
wrapped_cells!(CaseId, RequestId, Position);

impl Cell for events::proof::Digest {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
    fn take(from: &mut &[u8]) -> Option<Self> {
        split(from, 32)?.try_into().ok().map(Self)
    }
}

impl Cell for CaseNumber {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_str().to_owned().put(out);
    }
    fn take(from: &mut &[u8]) -> Option<Self> {
        String::take(from)?.parse().ok()
    }
}

impl Cell for ProvinceCode {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(self.number());
    }
    fn take(from: &mut &[u8]) -> Option<Self> {
        Self::new(u8::take(from)?)
    }
}

/// An enum by its place in a list of all its values.
macro_rules! listed_cells {
    ($($name:ty = $all:expr;)*) => {$(
        impl $crate::views::cells::Cell for $name {
            fn put(&self, out: &mut Vec<u8>) {
                let place = $all.iter().position(|it| it == self);
                out.push(place.expect("the list has every value") as u8);
            }
            fn take(from: &mut &[u8]) -> Option<Self> {
                $all.get(usize::from(<u8 as $crate::views::cells::Cell>::take(from)?)).copied()
            }
        }
    )*};
}
pub(crate) use listed_cells;

listed_cells! {
    Item = Item::ALL;
    Category = Category::ALL;
    Channel = Channel::ALL;
    Outcome = Outcome::ALL;
    Reason = Reason::ALL;
    Stage = Stage::ALL;
    WorkKind = [WorkKind::Case, WorkKind::Correction, WorkKind::Withdrawal];
}

/// A struct by its fields; the compiler notices a forgotten one.
macro_rules! struct_cells {
    ($name:ident { $($field:ident),+ $(,)? }) => {
        impl $crate::views::cells::Cell for $name {
            fn put(&self, out: &mut Vec<u8>) {
                let Self { $($field),+ } = self;
                $($crate::views::cells::Cell::put($field, out);)+
            }
            fn take(from: &mut &[u8]) -> Option<Self> {
                $(let $field = $crate::views::cells::Cell::take(from)?;)+
                Some(Self { $($field),+ })
            }
        }
    };
}
pub(crate) use struct_cells;

struct_cells!(DueDay { day, papers, provisional });

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn what_is_put_is_taken_and_nothing_else_fits() {
        let due = DueDay { day: date(2026, 2, 24), papers: vec!["甲".into()], provisional: true };
        let cell = (Some(due), (Timestamp::from_microsecond(-7).unwrap(), 7_u64));
        let bytes = bytes_of(&cell);
        assert_eq!(cell_of(&bytes), Some(cell.clone()));
        for cut in 0..bytes.len() {
            assert_eq!(cell_of::<(Option<DueDay>, (Timestamp, u64))>(&bytes[..cut]), None, "{cut}");
        }
        let mut longer = bytes;
        longer.push(0);
        assert_eq!(cell_of::<(Option<DueDay>, (Timestamp, u64))>(&longer), None);
    }
}
