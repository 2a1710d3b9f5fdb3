//! A digest of any JSON value, taken while it is read, without keeping any of it.
//!
//! Two pod templates are compared by digest, so a digest must not depend on the order of a map's entries, on the
//! process, or on fields that the API server treats as absent. It is not a defence against someone who builds
//! colliding templates of their own workload.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// The digest of one value. Null, an absent field and an empty list are all `NOTHING`, as in the API server's
/// semantic comparison (`apimachinery/third_party/forked/golang/reflect`, `DeepEqual`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub u64);

/// Fields that are Go maps or plain structs in the API: empty and absent mean the same. Anywhere else `{}` says
/// something: an empty `namespaceSelector` selects every namespace, an absent one selects the pod's own.
const EMPTY_IS_ABSENT: [&str; 11] = [
    "annotations",
    "labels",
    "limits",
    "matchLabels",
    "metadata",
    "nodeSelector",
    "options",
    "overhead",
    "requests",
    "resources",
    "volumeAttributes",
];

impl Digest {
    pub const NOTHING: Self = Self(0);
    const EMPTY_MAP: Self = Self(1);

    /// The digest of a string value.
    pub fn of_text(text: &str) -> Self {
        Self::of_value(b's', text.as_bytes())
    }

    /// The digest of a whole number.
    pub fn of_integer(number: i128) -> Self {
        Self::of_value(b'i', &number.to_le_bytes())
    }

    fn of_value(tag: u8, bytes: &[u8]) -> Self {
        let hash = bytes.iter().fold(absorb(OFFSET, tag), |hash, byte| absorb(hash, *byte));
        // 0 and 1 are spoken for.
        Self(avalanche(hash).max(2))
    }
}

const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

fn absorb(hash: u64, byte: u8) -> u64 {
    (hash ^ u64::from(byte)).wrapping_mul(PRIME)
}

/// Spreads every input bit over the whole word, so that sums of entries do not cancel out.
fn avalanche(mut word: u64) -> u64 {
    word ^= word >> 33;
    word = word.wrapping_mul(0xff51_afd7_ed55_8ccd);
    word ^= word >> 33;
    word = word.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    word ^ (word >> 33)
}

fn join(left: u64, right: u64) -> u64 {
    avalanche(left.rotate_left(5) ^ avalanche(right.wrapping_add(OFFSET)))
}

/// Adds up the entries of a map in any order.
#[derive(Clone, Copy, Debug, Default)]
pub struct Entries {
    sum: u64,
    count: u64,
}

impl Entries {
    /// Adds an entry, unless its value means the same as no entry.
    pub fn add(&mut self, key: &str, value: Digest) {
        let absent = value == Digest::NOTHING || (value == Digest::EMPTY_MAP && EMPTY_IS_ABSENT.contains(&key));
        if !absent {
            self.sum = self.sum.wrapping_add(join(Digest::of_text(key).0, value.0));
            self.count = self.count.wrapping_add(1);
        }
    }

    pub fn is_empty(self) -> bool {
        self.count == 0
    }

    pub fn finish(self) -> Digest {
        if self.is_empty() { Digest::EMPTY_MAP } else { Digest(join(self.sum, self.count).max(2)) }
    }
}

/// Adds up the elements of a list in their order.
#[derive(Clone, Copy, Debug, Default)]
pub struct Elements {
    hash: u64,
    count: u64,
}

impl Elements {
    pub fn add(&mut self, value: Digest) {
        self.hash = join(self.hash, value.0);
        self.count = self.count.wrapping_add(1);
    }

    pub fn finish(self) -> Digest {
        if self.count == 0 { Digest::NOTHING } else { Digest(join(self.hash, !self.count).max(2)) }
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DigestVisitor)
    }
}

struct DigestVisitor;

impl<'de> Visitor<'de> for DigestVisitor {
    type Value = Digest;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Digest, E> {
        Ok(Digest::of_value(b'b', &[u8::from(value)]))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Digest, E> {
        Ok(Digest::of_integer(i128::from(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Digest, E> {
        Ok(Digest::of_integer(i128::from(value)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Digest, E> {
        Ok(Digest::of_value(b'f', &value.to_bits().to_le_bytes()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Digest, E> {
        Ok(Digest::of_text(value))
    }

    fn visit_unit<E>(self) -> Result<Digest, E> {
        Ok(Digest::NOTHING)
    }

    fn visit_none<E>(self) -> Result<Digest, E> {
        Ok(Digest::NOTHING)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Digest, D::Error> {
        Digest::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Digest, A::Error> {
        let mut elements = Elements::default();
        while let Some(value) = seq.next_element()? {
            elements.add(value);
        }
        Ok(elements.finish())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Digest, A::Error> {
        let mut entries = Entries::default();
        while let Some(Key(key)) = map.next_key()? {
            entries.add(&key, map.next_value()?);
        }
        Ok(entries.finish())
    }
}

/// A key of a map, borrowed from the input where it has no escapes.
pub struct Key<'de>(pub Cow<'de, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(KeyVisitor)
    }
}

struct KeyVisitor;

impl<'de> Visitor<'de> for KeyVisitor {
    type Value = Key<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Key<'de>, E> {
        Ok(Key(Cow::Borrowed(key)))
    }

    fn visit_str<E>(self, key: &str) -> Result<Key<'de>, E> {
        Ok(Key(Cow::Owned(key.to_owned())))
    }
}

/// A map of which some fields are kept and everything is digested, in one pass.
pub trait Walk<'de>: Default {
    /// Reads the value of `key` from `map` and returns its digest; `NOTHING` leaves the entry out.
    fn entry<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<Digest, A::Error>;
}

/// What a walk kept, and the digest of everything it saw. Null gives the default and `NOTHING`.
#[derive(Clone, Debug, Default)]
pub struct Walked<T> {
    pub kept: T,
    pub digest: Digest,
}

impl<'de, T: Walk<'de>> Deserialize<'de> for Walked<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WalkVisitor(T::default()))
    }
}

struct WalkVisitor<T>(T);

impl<'de, T: Walk<'de>> Visitor<'de> for WalkVisitor<T> {
    type Value = Walked<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_unit<E>(self) -> Result<Walked<T>, E> {
        Ok(Walked::default())
    }

    fn visit_none<E>(self) -> Result<Walked<T>, E> {
        Ok(Walked::default())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Walked<T>, D::Error> {
        Walked::deserialize(deserializer)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Walked<T>, A::Error> {
        let mut kept = self.0;
        let mut entries = Entries::default();
        while let Some(Key(key)) = map.next_key()? {
            let digest = kept.entry(&key, &mut map)?;
            entries.add(&key, digest);
        }
        Ok(Walked { kept, digest: entries.finish() })
    }
}

/// A list of maps, each walked.
#[derive(Clone, Debug)]
pub struct WalkedList<T> {
    pub kept: Vec<T>,
    pub digest: Digest,
}

impl<T> Default for WalkedList<T> {
    fn default() -> Self {
        Self { kept: Vec::new(), digest: Digest::NOTHING }
    }
}

impl<'de, T: Walk<'de>> Deserialize<'de> for WalkedList<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let items = Option::<Vec<Walked<T>>>::deserialize(deserializer)?.unwrap_or_default();
        let mut elements = Elements::default();
        items.iter().for_each(|item| elements.add(item.digest));
        Ok(Self { kept: items.into_iter().map(|item| item.kept).collect(), digest: elements.finish() })
    }
}

/// One scalar, kept and digested; a value of another kind is digested only.
#[derive(Clone, Debug, Default)]
pub struct Leaf {
    pub text: Option<Box<str>>,
    pub integer: Option<i64>,
    pub digest: Digest,
}

impl<'de> Deserialize<'de> for Leaf {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LeafVisitor)
    }
}

struct LeafVisitor;

impl<'de> Visitor<'de> for LeafVisitor {
    type Value = Leaf;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Leaf, E> {
        Ok(Leaf { digest: DigestVisitor.visit_bool::<E>(value)?, ..Leaf::default() })
    }

    fn visit_i64<E>(self, value: i64) -> Result<Leaf, E> {
        Ok(Leaf { integer: Some(value), digest: Digest::of_integer(i128::from(value)), ..Leaf::default() })
    }

    fn visit_u64<E>(self, value: u64) -> Result<Leaf, E> {
        Ok(Leaf { integer: i64::try_from(value).ok(), digest: Digest::of_integer(i128::from(value)), text: None })
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Leaf, E> {
        Ok(Leaf { digest: DigestVisitor.visit_f64::<E>(value)?, ..Leaf::default() })
    }

    fn visit_str<E>(self, value: &str) -> Result<Leaf, E> {
        Ok(Leaf { text: Some(value.into()), digest: Digest::of_text(value), integer: None })
    }

    fn visit_unit<E>(self) -> Result<Leaf, E> {
        Ok(Leaf::default())
    }

    fn visit_none<E>(self) -> Result<Leaf, E> {
        Ok(Leaf::default())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Leaf, D::Error> {
        Leaf::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Leaf, A::Error> {
        Ok(Leaf { digest: DigestVisitor.visit_seq(seq)?, ..Leaf::default() })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Leaf, A::Error> {
        Ok(Leaf { digest: DigestVisitor.visit_map(map)?, ..Leaf::default() })
    }
}

#[cfg(test)]
mod tests;
