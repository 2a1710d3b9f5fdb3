//! What incidents are called.

use super::facts::{Name, WorkloadFacts};

/// A name that every replica and every restart computes alike: the workload's name and the failing template's hash
/// for people, a digest of the workload's UID against namesakes, and the episode.
pub fn incident_name(workload: &str, uid: &str, hash: &str, episode: u32) -> Name {
    Name::from(format!("{}{episode}", name_without_episode(workload, uid, hash)))
}

/// An incident of this name is about the template with this hash.
pub fn is_about(incident: &str, w: &WorkloadFacts, hash: &str) -> bool {
    let episode = incident.strip_prefix(&*name_without_episode(&w.name, &w.uid, hash));
    episode.is_some_and(|episode| episode.parse::<u32>().is_ok())
}

fn name_without_episode(workload: &str, uid: &str, hash: &str) -> String {
    let short: String = workload.chars().take(40).collect();
    // FNV-1a, 32 bits: stable over versions and platforms, which the standard hasher does not promise to be.
    let digest = uid.bytes().fold(0x811c_9dc5_u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193));
    format!("{}-{hash}-{digest:08x}-", short.trim_end_matches(['-', '.']))
}
