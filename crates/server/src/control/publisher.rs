//! From configurations and discovery's answers to the snapshots that the data plane acts on.
//!
//! Owns the ids of services and listeners and their counts; refuses to know threads, sockets and logs. The control
//! loop calls it and hands what it publishes to the data plane. What changes nothing publishes nothing, and parts that
//! did not change stay the same `Arc`.

use super::event::What;
use evenkeel_config::model::{self, Config, EndpointSource};
use evenkeel_core::endpoint::{EndpointChange, EndpointIds, EndpointSet, EndpointSetWriter, EndpointSpec};
use evenkeel_core::id::{EndpointId, ListenerId, ServiceId};
use evenkeel_core::route::{Route, RouteTable};
use evenkeel_core::snapshot::{Listener, Service, Snapshot};
use evenkeel_core::stats::{ListenerStats, ServiceStats};
use evenkeel_core::time::Moment;
use std::collections::HashMap;
use std::sync::Arc;

/// A new snapshot, and what happened to endpoints with it.
#[derive(Debug)]
pub struct Publication {
    /// What the data plane acts on from now.
    pub snapshot: Arc<Snapshot>,
    /// Endpoints that came, went or changed.
    pub happenings: Vec<What>,
}

/// Makes snapshots.
pub struct Publisher {
    workers: u16,
    endpoint_ids: EndpointIds,
    ids_given: u32,
    services: HashMap<Arc<str>, KnownService>,
    listeners: HashMap<Arc<str>, KnownListener>,
    current: Arc<Snapshot>,
}

struct KnownService {
    writer: EndpointSetWriter,
    stats: Arc<ServiceStats>,
}

struct KnownListener {
    id: ListenerId,
    stats: Arc<ListenerStats>,
}

impl Publisher {
    /// Nothing published yet. `workers` is the number of threads that count.
    #[must_use]
    pub fn new(workers: u16) -> Self {
        Self {
            workers,
            endpoint_ids: EndpointIds::default(),
            ids_given: 0,
            services: HashMap::new(),
            listeners: HashMap::new(),
            current: Arc::default(),
        }
    }

    /// What was published last.
    #[must_use]
    pub fn current(&self) -> &Arc<Snapshot> {
        &self.current
    }

    /// The id of a listener that was announced or applied.
    #[must_use]
    pub fn listener_id(&self, name: &str) -> Option<ListenerId> {
        self.listeners.get(name).map(|known| known.id)
    }

    /// The id of a service that was announced or applied.
    #[must_use]
    pub fn service_id(&self, name: &str) -> Option<ServiceId> {
        self.services.get(name).map(|known| known.writer.service())
    }

    /// Adds what is new in a configuration to what runs, and changes nothing else: the data plane then knows every
    /// listener that is about to be bound. Followed by [`Publisher::apply_config`] or [`Publisher::retract`].
    pub fn announce(&mut self, config: &Config, now: Moment) -> Option<Publication> {
        let happenings = self.learn(config, now);
        let mut next = Snapshot::clone(&self.current);
        for service in &config.services {
            if !self.current.services.iter().any(|s| s.name == service.name) {
                next.services.push(Arc::new(self.service(service)));
            }
        }
        for listener in &config.listeners {
            if !self.current.listeners.iter().any(|l| l.name == listener.name) {
                next.listeners.push(Arc::new(self.listener(listener)));
            }
        }
        self.publish(next, happenings)
    }

    /// Goes back to a snapshot that ran before an announcement whose listeners could not be bound.
    pub fn retract(&mut self, to: &Arc<Snapshot>) -> Option<Publication> {
        self.services.retain(|name, _| to.services.iter().any(|s| s.name == *name));
        self.listeners.retain(|name, _| to.listeners.iter().any(|l| l.name == *name));
        self.publish(Snapshot::clone(to), Vec::new())
    }

    /// Makes a configuration the running one. Static lists are taken at once; other services keep the endpoints that
    /// they have until discovery says otherwise.
    pub fn apply_config(&mut self, config: &Config, now: Moment) -> Option<Publication> {
        let mut happenings = self.learn(config, now);
        for service in &config.services {
            if let EndpointSource::Static(list) = &service.endpoints {
                happenings.extend(self.write_endpoints(&service.name, list.clone(), now));
            }
        }
        self.services.retain(|name, _| config.services.iter().any(|s| s.name == *name));
        self.listeners.retain(|name, _| config.listeners.iter().any(|l| l.name == *name));
        let next = Snapshot {
            services: config.services.iter().map(|s| self.unless_same_service(self.service(s))).collect(),
            listeners: config.listeners.iter().map(|l| self.unless_same_listener(self.listener(l))).collect(),
        };
        self.publish(next, happenings)
    }

    /// Takes a service's endpoints from discovery; `None` if nothing changed or the service is not configured.
    pub fn set_endpoints(
        &mut self,
        service: &str,
        endpoints: Vec<EndpointSpec>,
        now: Moment,
    ) -> Option<Publication> {
        let happenings = self.write_endpoints(service, endpoints, now);
        let set = self.services.get(service)?.writer.current().clone();
        let mut next = Snapshot::clone(&self.current);
        let place = next.services.iter_mut().find(|s| *s.name == *service)?;
        if Arc::ptr_eq(&place.endpoints, &set) {
            return None;
        }
        *place = Arc::new(Service { endpoints: set, ..Service::clone(place) });
        self.publish(next, happenings)
    }

    /// Gives ids to names that are new, and new services their static endpoints.
    fn learn(&mut self, config: &Config, now: Moment) -> Vec<What> {
        let mut happenings = Vec::new();
        for service in &config.services {
            if self.services.contains_key(&service.name) {
                continue;
            }
            let writer =
                EndpointSetWriter::new(ServiceId(self.next_id()), self.workers, self.endpoint_ids.clone());
            let stats = Arc::new(ServiceStats::new(self.workers));
            self.services.insert(service.name.clone(), KnownService { writer, stats });
            if let EndpointSource::Static(list) = &service.endpoints {
                happenings.extend(self.write_endpoints(&service.name, list.clone(), now));
            }
        }
        for listener in &config.listeners {
            if !self.listeners.contains_key(&listener.name) {
                let id = ListenerId(self.next_id());
                let stats = Arc::new(ListenerStats::new(self.workers));
                self.listeners.insert(listener.name.clone(), KnownListener { id, stats });
            }
        }
        happenings
    }

    fn next_id(&mut self) -> u32 {
        let id = self.ids_given;
        self.ids_given = id.checked_add(1).expect("a process meets fewer than four billion names");
        id
    }

    fn write_endpoints(&mut self, service: &str, endpoints: Vec<EndpointSpec>, now: Moment) -> Vec<What> {
        let Some((name, known)) = self.services.get_key_value(service) else { return Vec::new() };
        let name = name.clone();
        let before = known.writer.current().clone();
        let Some(known) = self.services.get_mut(service) else { return Vec::new() };
        match known.writer.publish(endpoints, now) {
            Some((after, change)) => told(&name, &before, &after, &change),
            None => Vec::new(),
        }
    }

    fn service(&self, service: &model::Service) -> Service {
        let known = &self.services[&service.name];
        Service {
            id: known.writer.service(),
            name: service.name.clone(),
            policy: service.policy,
            endpoints: known.writer.current().clone(),
            stats: known.stats.clone(),
        }
    }

    fn listener(&self, listener: &model::Listener) -> Listener {
        let known = &self.listeners[&listener.name];
        let routes = listener.routes.iter().map(|route| Route {
            matches: route.matches.clone(),
            service: self.services[&route.service].writer.service(),
            policy: route.policy,
        });
        Listener {
            id: known.id,
            name: listener.name.clone(),
            policy: listener.policy.clone(),
            routes: RouteTable { routes: routes.collect() },
            stats: known.stats.clone(),
        }
    }

    fn unless_same_service(&self, new: Service) -> Arc<Service> {
        match self.current.service(new.id) {
            Some(old) if old.policy == new.policy && Arc::ptr_eq(&old.endpoints, &new.endpoints) => {
                old.clone()
            }
            _ => Arc::new(new),
        }
    }

    fn unless_same_listener(&self, new: Listener) -> Arc<Listener> {
        match self.current.listener(new.id) {
            Some(old) if old.policy == new.policy && old.routes == new.routes => old.clone(),
            _ => Arc::new(new),
        }
    }

    fn publish(&mut self, mut next: Snapshot, happenings: Vec<What>) -> Option<Publication> {
        next.services.sort_by_key(|s| s.id);
        next.listeners.sort_by_key(|l| l.id);
        if all_same(&next.services, &self.current.services)
            && all_same(&next.listeners, &self.current.listeners)
        {
            return None;
        }
        self.current = Arc::new(next);
        Some(Publication { snapshot: self.current.clone(), happenings })
    }
}

fn all_same<T>(a: &[Arc<T>], b: &[Arc<T>]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| Arc::ptr_eq(a, b))
}

fn told(service: &Arc<str>, before: &EndpointSet, after: &EndpointSet, change: &EndpointChange) -> Vec<What> {
    let spec =
        |set: &EndpointSet, id: EndpointId| set.endpoints.iter().find(|e| e.id == id).map(|e| e.spec.clone());
    let added = change
        .added
        .iter()
        .filter_map(|&id| Some(What::EndpointAdded { service: service.clone(), endpoint: spec(after, id)? }));
    let removed = change.removed.iter().filter_map(|&id| {
        Some(What::EndpointRemoved { service: service.clone(), endpoint: spec(before, id)? })
    });
    let changed = change.changed.iter().filter_map(|&id| {
        Some(What::EndpointChanged { service: service.clone(), was: spec(before, id)?, is: spec(after, id)? })
    });
    added.chain(removed).chain(changed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::test_config::{config, list, listener, service};
    use evenkeel_core::endpoint::EndpointState;

    const NOW: Moment = Moment::ZERO;

    fn two_services() -> Config {
        let services = vec![service("a", list(&[1, 2])), service("b", list(&[3]))];
        config(vec![listener("web", "a"), listener("other", "b")], services)
    }

    #[test]
    fn the_same_configuration_publishes_nothing() {
        let mut publisher = Publisher::new(1);
        assert_eq!(publisher.apply_config(&two_services(), NOW).unwrap().happenings.len(), 3);
        assert!(publisher.apply_config(&two_services(), NOW).is_none());
        assert!(publisher.announce(&two_services(), NOW).is_none());
    }

    #[test]
    fn the_same_endpoints_in_another_order_publish_nothing() {
        let mut publisher = Publisher::new(1);
        publisher.apply_config(&two_services(), NOW).unwrap();
        let EndpointSource::Static(same) = list(&[2, 1]) else { unreachable!() };
        assert!(publisher.set_endpoints("a", same, NOW).is_none());
        assert!(publisher.set_endpoints("absent", Vec::new(), NOW).is_none());
    }

    #[test]
    fn what_did_not_change_stays_the_same_value() {
        let mut publisher = Publisher::new(1);
        let before = publisher.apply_config(&two_services(), NOW).unwrap().snapshot;
        let mut changed = two_services();
        changed.services[1].policy.balance.slow_start = std::time::Duration::from_secs(9);
        let after = publisher.apply_config(&changed, NOW).unwrap().snapshot;
        assert!(Arc::ptr_eq(&before.services[0], &after.services[0]));
        assert!(!Arc::ptr_eq(&before.services[1], &after.services[1]));
        assert!(Arc::ptr_eq(&before.services[1].endpoints, &after.services[1].endpoints));
        assert!(Arc::ptr_eq(&before.services[1].stats, &after.services[1].stats));
        assert!(all_same(&before.listeners, &after.listeners));
    }

    /// Two services behind a listener each, with keys for the first listener, its route, and the first service.
    fn written(listener: &str, route: &str, service: &str) -> Config {
        let text = format!(
            "listeners:\n\
             \x20 - {{ name: web, bind: 127.0.0.1:1, {listener} routes: [{{ service: a, {route} }}] }}\n\
             \x20 - {{ name: other, bind: 127.0.0.1:2, service: b }}\n\
             services:\n\
             \x20 - {{ name: a, endpoints: {{ static: [127.0.0.1:3] }}, {service} }}\n\
             \x20 - {{ name: b, endpoints: {{ static: [127.0.0.1:4] }} }}\n"
        );
        evenkeel_config::parse(&text, "test").unwrap()
    }

    #[test]
    fn what_is_written_in_another_way_or_needs_a_restart_publishes_nothing() {
        let mut publisher = Publisher::new(1);
        publisher.apply_config(&written("", "", ""), NOW).unwrap();
        let mut same = written(
            "timeouts: { request: none }, headers: { x_request_id: pass },",
            "retry: { on: [unprocessed], budget: 20% }",
            "retry: { attempts: 2 }",
        );
        same.limits.exchanges = 7;
        assert!(publisher.apply_config(&same, NOW).is_none());
    }

    #[test]
    fn what_is_said_of_exchanges_changes_the_listener_that_leads_there_and_nothing_else() {
        for (listener, route, service) in [
            ("", "", "retry: { on: [reset] }"),
            ("", "", "timeouts: { request: 7s }"),
            ("", "timeouts: { request: 7s }", ""),
            ("", "headers: { x_request_id: add }", ""),
            ("headers: { x_forwarded_for: append },", "", ""),
            ("timeouts: { request: 7s },", "", ""),
        ] {
            let mut publisher = Publisher::new(1);
            let before = publisher.apply_config(&written("", "", ""), NOW).unwrap().snapshot;
            let changed = written(listener, route, service);
            let after = publisher.apply_config(&changed, NOW).unwrap().snapshot;
            assert!(all_same(&before.services, &after.services), "{listener} {route} {service}");
            assert!(!Arc::ptr_eq(&before.listeners[0], &after.listeners[0]));
            assert!(Arc::ptr_eq(&before.listeners[0].stats, &after.listeners[0].stats));
            assert!(Arc::ptr_eq(&before.listeners[1], &after.listeners[1]));
        }
    }

    #[test]
    fn endpoints_of_one_service_that_change_leave_all_else_the_same_value() {
        let mut publisher = Publisher::new(1);
        let before = publisher.apply_config(&two_services(), NOW).unwrap().snapshot;
        let EndpointSource::Static(next) = list(&[2, 7]) else { unreachable!() };
        let after = publisher.set_endpoints("a", next, NOW).unwrap().snapshot;
        assert!(!Arc::ptr_eq(&before.services[0], &after.services[0]));
        assert!(Arc::ptr_eq(&before.services[1], &after.services[1]));
        assert!(all_same(&before.listeners, &after.listeners));
    }

    #[test]
    fn endpoints_that_come_go_and_change_are_told() {
        let mut publisher = Publisher::new(1);
        publisher.apply_config(&two_services(), NOW).unwrap();
        let EndpointSource::Static(mut next) = list(&[2, 7]) else { unreachable!() };
        next[0].state = EndpointState::Terminating;
        let told = publisher.set_endpoints("a", next, NOW).unwrap().happenings;
        let port = |spec: &EndpointSpec| spec.address.port();
        assert!(matches!(&told[0], What::EndpointAdded { endpoint, .. } if port(endpoint) == 7));
        assert!(matches!(&told[1], What::EndpointRemoved { endpoint, .. } if port(endpoint) == 1));
        assert!(matches!(&told[2], What::EndpointChanged { was, is, .. }
            if port(is) == 2 && was.state == EndpointState::Ready && is.state == EndpointState::Terminating));
        assert_eq!(told.len(), 3);
    }

    #[test]
    fn an_id_is_never_given_to_another_name() {
        let mut publisher = Publisher::new(1);
        let before = publisher.apply_config(&two_services(), NOW).unwrap().snapshot;
        let only = config(vec![listener("web", "c")], vec![service("c", list(&[1]))]);
        let after = publisher.apply_config(&only, NOW).unwrap().snapshot;
        assert!(before.services.iter().all(|s| s.id != after.services[0].id));
        assert_eq!(before.listeners[0].id, after.listeners[0].id, "the listener kept its name");
    }

    #[test]
    fn an_announcement_adds_and_changes_nothing_else_and_can_be_taken_back() {
        let mut publisher = Publisher::new(1);
        let before = publisher.apply_config(&two_services(), NOW).unwrap().snapshot;
        let mut next = two_services();
        next.services[0].policy.balance.slow_start = std::time::Duration::from_secs(9);
        next.services.push(service("c", list(&[9])));
        next.listeners.push(listener("third", "c"));
        let announced = publisher.announce(&next, NOW).unwrap().snapshot;
        assert!(all_same(&before.services, &announced.services[..2]));
        assert!(all_same(&before.listeners, &announced.listeners[..2]));
        assert_eq!((announced.services.len(), announced.listeners.len()), (3, 3));
        assert_eq!(announced.services[2].endpoints.endpoints.len(), 1);

        let retracted = publisher.retract(&before).unwrap().snapshot;
        assert!(all_same(&before.services, &retracted.services));
        assert!(publisher.listener_id("third").is_none());
        assert!(publisher.apply_config(&two_services(), NOW).is_none());
    }
}
