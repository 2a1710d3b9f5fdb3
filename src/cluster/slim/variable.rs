use serde::de::MapAccess;

use crate::cluster::digest::{Digest, Entries, Leaf, Walk, Walked};
use crate::engine::change::places;

/// An environment variable of a container. Its value is looked at while the container is read, and not kept.
#[derive(Debug, Default)]
pub struct Variable {
    pub name: Box<str>,
    value: Box<str>,
    is_elsewhere: bool,
    /// The digest of its value, or of where that is.
    pub content: Entries,
}

impl Variable {
    /// It may say where a service is: nobody knows what a ConfigMap or a Secret holds.
    pub fn may_lead(&self) -> bool {
        self.is_elsewhere || places::may_lead(&self.name, &self.value)
    }
}

impl<'de> Walk<'de> for Variable {
    fn entry<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<Digest, A::Error> {
        let digest = match key {
            "name" => {
                let leaf = map.next_value::<Leaf>()?;
                self.name = leaf.text.unwrap_or_default();
                return Ok(leaf.digest);
            }
            "value" => {
                let leaf = map.next_value::<Leaf>()?;
                self.value = leaf.text.unwrap_or_default();
                leaf.digest
            }
            "valueFrom" => {
                let Walked { kept, digest } = map.next_value::<Walked<Origin>>()?;
                self.is_elsewhere = kept.is_elsewhere;
                digest
            }
            _ => map.next_value()?,
        };
        self.content.add(key, digest);
        Ok(digest)
    }
}

/// Where a value is. What is known of the pod itself is no content of others.
#[derive(Default)]
struct Origin {
    is_elsewhere: bool,
}

impl<'de> Walk<'de> for Origin {
    fn entry<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<Digest, A::Error> {
        let digest = map.next_value::<Digest>()?;
        self.is_elsewhere |= digest != Digest::NOTHING && !matches!(key, "fieldRef" | "resourceFieldRef");
        Ok(digest)
    }
}
