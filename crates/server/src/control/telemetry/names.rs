//! Names of ids, for records of sessions that outlive their listener's or service's place in the configuration.

use evenkeel_core::id::{ListenerId, ServiceId};
use evenkeel_core::snapshot::Snapshot;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

/// Most names of one kind that are kept after they left the configuration; older ones are forgotten.
pub const MAX_RETIRED_NAMES: usize = 1024;

/// Every name that is configured, and the last that were.
#[derive(Debug, Default)]
pub struct Names {
    services: HashMap<ServiceId, Arc<str>>,
    listeners: HashMap<ListenerId, Arc<str>>,
}

impl Names {
    /// Takes the names of a new snapshot.
    pub fn learn(&mut self, snapshot: &Snapshot) {
        let services = snapshot.services.iter().map(|s| (s.id, s.name.clone()));
        let listeners = snapshot.listeners.iter().map(|l| (l.id, l.name.clone()));
        learn(&mut self.services, services.collect());
        learn(&mut self.listeners, listeners.collect());
    }

    /// The name of a service; `unknown` if it left the configuration long ago.
    #[must_use]
    pub fn service(&self, id: ServiceId) -> &str {
        self.services.get(&id).map_or("unknown", |name| name)
    }

    /// The name of a listener; `unknown` if it left the configuration long ago.
    #[must_use]
    pub fn listener(&self, id: ListenerId) -> &str {
        self.listeners.get(&id).map_or("unknown", |name| name)
    }
}

/// Ids only grow, so the smallest retired ones are the oldest.
fn learn<Id: Copy + Eq + Hash + Ord>(known: &mut HashMap<Id, Arc<str>>, current: HashMap<Id, Arc<str>>) {
    let mut retired: Vec<Id> = known.keys().filter(|id| !current.contains_key(id)).copied().collect();
    if retired.len() > MAX_RETIRED_NAMES {
        retired.sort_unstable();
        for id in &retired[..retired.len() - MAX_RETIRED_NAMES] {
            known.remove(id);
        }
    }
    known.extend(current);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(ids: std::ops::Range<u32>) -> HashMap<ServiceId, Arc<str>> {
        ids.map(|i| (ServiceId(i), Arc::from(format!("s{i}")))).collect()
    }

    #[test]
    fn a_name_that_left_the_configuration_is_still_known() {
        let mut known = HashMap::new();
        learn(&mut known, named(0..2));
        learn(&mut known, named(1..2));
        assert_eq!(&*known[&ServiceId(0)], "s0");
    }

    #[test]
    fn as_many_retired_names_as_allowed_are_kept_and_beyond_that_the_oldest_is_forgotten() {
        let limit = u32::try_from(MAX_RETIRED_NAMES).unwrap();
        let mut known = HashMap::new();
        learn(&mut known, named(0..limit));
        learn(&mut known, HashMap::new());
        assert_eq!(known.len(), MAX_RETIRED_NAMES);
        learn(&mut known, named(limit..limit + 1));
        learn(&mut known, HashMap::new());
        assert_eq!(known.len(), MAX_RETIRED_NAMES);
        assert!(!known.contains_key(&ServiceId(0)));
    }
}
