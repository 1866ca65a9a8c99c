//! From what discovery says of a service to its next endpoint set.
//!
//! Owns the identity of endpoints: who is the same as before, who is new. Knows nothing of DNS, files or Kubernetes.
//! The control side holds one writer for each service and publishes each answer of discovery through it.

use super::{Endpoint, EndpointChange, EndpointSet, EndpointSpec, EndpointState};
use crate::health::EndpointHealth;
use crate::id::{EndpointId, ServiceId};
use crate::stats::EndpointStats;
use crate::time::Moment;
use std::cmp::Ordering;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Where the endpoint ids of all services come from; clones draw from the same source. No id is given twice.
#[derive(Clone, Debug, Default)]
pub struct EndpointIds(Arc<AtomicU32>);

impl EndpointIds {
    fn next(&self) -> EndpointId {
        let id = self.0.fetch_update(Relaxed, Relaxed, |n| n.checked_add(1));
        EndpointId(id.expect("a process meets fewer than four billion endpoints"))
    }
}

/// Makes the endpoint sets of one service, each from the one before it.
#[derive(Debug)]
pub struct EndpointSetWriter {
    service: ServiceId,
    workers: u16,
    ids: EndpointIds,
    current: Arc<EndpointSet>,
}

impl EndpointSetWriter {
    /// A writer whose service has no endpoint yet. `workers` is the number of threads that count exchanges.
    #[must_use]
    pub fn new(service: ServiceId, workers: u16, ids: EndpointIds) -> Self {
        Self { service, workers, ids, current: Arc::default() }
    }

    /// Whose endpoints these are.
    #[must_use]
    pub fn service(&self) -> ServiceId {
        self.service
    }

    /// The set of now; of version 0 and empty before the first endpoint was published.
    #[must_use]
    pub fn current(&self) -> &Arc<EndpointSet> {
        &self.current
    }

    /// Makes the next set, and says what is different in it; `None` when nothing is.
    ///
    /// Of an address that is given more than once the most serving entry counts (ready before terminating before not
    /// ready), among equals the last. An address that stays keeps its id, counts and health; one that left and comes
    /// back is a new endpoint. An endpoint that was not ready and now is counts as ready since `now`.
    pub fn publish(
        &mut self,
        specs: Vec<EndpointSpec>,
        now: Moment,
    ) -> Option<(Arc<EndpointSet>, EndpointChange)> {
        let mut change = EndpointChange::default();
        let is_first = self.current.version == 0;
        let mut before = self.current.endpoints.iter().peekable();
        let mut endpoints = Vec::with_capacity(specs.len());
        for spec in without_duplicates(specs) {
            // Both sides are sorted by address: what lies before this one in the old set has gone.
            while let Some(gone) = before.next_if(|old| old.spec.address < spec.address) {
                change.removed.push(gone.id);
            }
            let endpoint = match before.next_if(|old| old.spec.address == spec.address) {
                Some(old) => {
                    if old.spec != spec {
                        change.changed.push(old.id);
                    }
                    carried_on(old, spec, now)
                }
                None => {
                    let new = self.newcomer(spec, is_first, now);
                    change.added.push(new.id);
                    new
                }
            };
            endpoints.push(endpoint);
        }
        change.removed.extend(before.map(|gone| gone.id));
        if change == EndpointChange::default() {
            return None;
        }
        self.current = Arc::new(EndpointSet {
            version: self.current.version + 1,
            endpoints: endpoints.into(),
            ejections: Arc::clone(&self.current.ejections),
        });
        Some((Arc::clone(&self.current), change))
    }

    fn newcomer(&self, spec: EndpointSpec, is_first: bool, now: Moment) -> Endpoint {
        Endpoint {
            id: self.ids.next(),
            ready_since: now,
            is_original: is_first && spec.state == EndpointState::Ready,
            stats: Arc::new(EndpointStats::new(self.workers)),
            health: Arc::new(EndpointHealth::default()),
            spec,
        }
    }
}

/// The endpoint of before with what is known of it now.
fn carried_on(old: &Endpoint, spec: EndpointSpec, now: Moment) -> Endpoint {
    let was_ready = old.spec.state == EndpointState::Ready;
    let becomes_ready = !was_ready && spec.state == EndpointState::Ready;
    Endpoint {
        ready_since: if becomes_ready { now } else { old.ready_since },
        is_original: old.is_original && spec.state == EndpointState::Ready,
        spec,
        ..old.clone()
    }
}

/// Sorted by address, one entry for each: the most serving one, among equals the last.
fn without_duplicates(mut specs: Vec<EndpointSpec>) -> Vec<EndpointSpec> {
    specs.sort_by(|a, b| match a.address.cmp(&b.address) {
        Ordering::Equal => rank(a.state).cmp(&rank(b.state)),
        other => other,
    });
    // The sort is stable, so the entry to keep is the last of its address, and `dedup_by` keeps the first it sees.
    specs.reverse();
    specs.dedup_by(|a, b| a.address == b.address);
    specs.reverse();
    specs
}

fn rank(state: EndpointState) -> u8 {
    match state {
        EndpointState::NotReady => 0,
        EndpointState::Terminating => 1,
        EndpointState::Ready => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};
    use std::net::SocketAddr;
    use std::time::Duration;

    fn spec(port: u16) -> EndpointSpec {
        EndpointSpec::at(SocketAddr::from(([10, 0, 0, 1], port)))
    }

    fn in_state(port: u16, state: EndpointState) -> EndpointSpec {
        EndpointSpec { state, ..spec(port) }
    }

    fn writer() -> EndpointSetWriter {
        EndpointSetWriter::new(ServiceId(0), 1, EndpointIds::default())
    }

    fn at(seconds: u64) -> Moment {
        Moment::ZERO + Duration::from_secs(seconds)
    }

    fn ids(set: &EndpointSet) -> Vec<EndpointId> {
        set.endpoints.iter().map(|e| e.id).collect()
    }

    #[test]
    fn the_same_endpoints_in_another_order_are_no_change() {
        let mut writer = writer();
        let (first, change) = writer.publish(vec![spec(2), spec(1)], at(0)).unwrap();
        assert_eq!((first.version, change.added.len()), (1, 2));
        assert!(first.endpoints.is_sorted_by_key(|e| e.spec.address));
        assert!(writer.publish(vec![spec(1), spec(2), spec(2)], at(1)).is_none());
        assert_eq!(writer.current().version, 1);
    }

    #[test]
    fn nothing_published_at_first_is_no_change_and_leaves_the_next_ones_original() {
        let mut writer = writer();
        assert!(writer.publish(Vec::new(), at(0)).is_none());
        let (set, _) = writer.publish(vec![spec(1)], at(1)).unwrap();
        assert!(set.endpoints[0].is_original);
    }

    #[test]
    fn what_stays_keeps_its_id_counts_and_health() {
        let mut writer = writer();
        let (first, _) = writer.publish(vec![spec(1), spec(2)], at(0)).unwrap();
        let (second, change) = writer.publish(vec![spec(2), spec(3)], at(5)).unwrap();
        assert_eq!(second.version, 2);
        assert_eq!(second.endpoints[0].id, first.endpoints[1].id);
        assert!(Arc::ptr_eq(&second.endpoints[0].stats, &first.endpoints[1].stats));
        assert!(Arc::ptr_eq(&second.endpoints[0].health, &first.endpoints[1].health));
        assert!(Arc::ptr_eq(&second.ejections, &first.ejections));
        assert_eq!(change.removed, [first.endpoints[0].id]);
        assert_eq!(change.added, [second.endpoints[1].id]);
        assert!(change.changed.is_empty());
        assert!(second.endpoints[0].is_original && !second.endpoints[1].is_original);
        assert_eq!((second.endpoints[0].ready_since, second.endpoints[1].ready_since), (at(0), at(5)));
    }

    #[test]
    fn an_address_that_left_and_comes_back_is_a_new_endpoint() {
        let mut writer = writer();
        let (first, _) = writer.publish(vec![spec(1), spec(2)], at(0)).unwrap();
        writer.publish(vec![spec(2)], at(1)).unwrap();
        let (third, _) = writer.publish(vec![spec(1), spec(2)], at(2)).unwrap();
        assert_ne!(third.endpoints[0].id, first.endpoints[0].id);
        assert!(!third.endpoints[0].is_original);
    }

    #[test]
    fn writers_of_several_services_never_share_an_id() {
        let ids = EndpointIds::default();
        let mut a = EndpointSetWriter::new(ServiceId(0), 1, ids.clone());
        let mut b = EndpointSetWriter::new(ServiceId(1), 1, ids);
        let (a, _) = a.publish(vec![spec(1)], at(0)).unwrap();
        let (b, _) = b.publish(vec![spec(1)], at(0)).unwrap();
        assert_ne!(a.endpoints[0].id, b.endpoints[0].id);
    }

    #[test]
    fn an_endpoint_that_becomes_ready_again_is_ready_since_then() {
        use EndpointState::{NotReady, Ready, Terminating};
        for away in [NotReady, Terminating] {
            let mut writer = writer();
            writer.publish(vec![spec(1)], at(0)).unwrap();
            let (gone, change) = writer.publish(vec![in_state(1, away)], at(3)).unwrap();
            assert_eq!((gone.endpoints[0].ready_since, change.changed.len()), (at(0), 1));
            let (back, _) = writer.publish(vec![in_state(1, Ready)], at(9)).unwrap();
            assert_eq!(back.endpoints[0].ready_since, at(9));
            assert!(!back.endpoints[0].is_original);
        }
    }

    #[test]
    fn the_most_serving_entry_of_an_address_counts_and_the_last_among_equals() {
        use EndpointState::{NotReady, Ready, Terminating};
        let heavy = |weight| EndpointSpec { weight, ..in_state(1, Ready) };
        let specs = vec![in_state(1, Terminating), heavy(2), heavy(3), in_state(1, NotReady)];
        let (set, _) = writer().publish(specs, at(0)).unwrap();
        assert_eq!(set.endpoints.len(), 1);
        assert_eq!((set.endpoints[0].spec.state, set.endpoints[0].spec.weight), (Ready, 3));
    }

    proptest! {
        #[test]
        fn any_row_of_sets_keeps_ids_apart_and_changes_true(
            rounds in prop::collection::vec(prop::collection::vec((1_u16..8, 0_u32..3), 0..8), 1..12)
        ) {
            let mut writer = writer();
            let mut known: BTreeMap<EndpointId, SocketAddr> = BTreeMap::new();
            let mut last = Arc::clone(writer.current());
            for (round, ports) in rounds.iter().enumerate() {
                let specs = ports.iter().map(|&(p, weight)| EndpointSpec { weight, ..spec(p) }).collect();
                let addresses: BTreeSet<SocketAddr> = ports.iter().map(|&(p, _)| spec(p).address).collect();
                let Some((set, change)) = writer.publish(specs, at(round as u64)) else { continue };
                prop_assert_eq!(set.version, last.version + 1);
                prop_assert!(set.endpoints.iter().map(|e| e.spec.address).eq(addresses));
                let (old, new): (BTreeSet<_>, BTreeSet<_>) = (ids(&last).into_iter().collect(), ids(&set).into_iter().collect());
                prop_assert!(change.added.iter().copied().eq(set.endpoints.iter().map(|e| e.id).filter(|id| !old.contains(id))));
                prop_assert!(change.removed.iter().copied().eq(ids(&last).into_iter().filter(|id| !new.contains(id))));
                for e in &set.endpoints {
                    prop_assert_eq!(*known.entry(e.id).or_insert(e.spec.address), e.spec.address);
                }
                last = set;
            }
        }
    }
}
