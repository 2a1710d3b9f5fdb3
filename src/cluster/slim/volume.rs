use serde::de::MapAccess;

use crate::cluster::digest::{Digest, Leaf, Walk, Walked};

/// A volume of a pod.
#[derive(Clone, Debug, Default)]
pub struct Volume {
    /// The name of the claim, if it is one.
    pub claim: Option<Box<str>>,
}

impl<'de> Walk<'de> for Volume {
    fn entry<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<Digest, A::Error> {
        if key != "persistentVolumeClaim" {
            return map.next_value();
        }
        let Walked { kept, digest } = map.next_value::<Walked<Claim>>()?;
        self.claim = kept.name;
        Ok(digest)
    }
}

#[derive(Default)]
struct Claim {
    name: Option<Box<str>>,
}

impl<'de> Walk<'de> for Claim {
    fn entry<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<Digest, A::Error> {
        let leaf = map.next_value::<Leaf>()?;
        if key == "claimName" {
            self.name = leaf.text;
        }
        Ok(leaf.digest)
    }
}
