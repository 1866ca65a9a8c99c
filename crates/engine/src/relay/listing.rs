//! Which sessions are open, a part of the table at a time, so that a turn which is asked for them stays short.

use super::Engine;
use crate::conn::Conn;
use crate::exchange::Exchange;
use crate::open_session::OpenSession;
use evenkeel_core::time::Moment;

/// Places that one look at the table goes through, whoever stands there.
const PLACES: usize = 2048;

impl Engine {
    /// Up to `most` sessions from place `from` of the table on, and the place to go on from; `None` behind the last one.
    /// May bring less than there are, even nothing, before the end. A session keeps its place: one that is open all the
    /// while is told exactly once.
    #[must_use]
    pub fn list_sessions(&self, now: Moment, from: usize, most: usize) -> (Vec<OpenSession>, Option<usize>) {
        let mut sessions = Vec::new();
        let until = from.saturating_add(PLACES).min(self.conns.places());
        for (key, conn) in self.conns.iter_places(from..until) {
            if sessions.len() >= most {
                return (sessions, Some(key.index()));
            }
            sessions.extend(self.open_session(now, conn));
        }
        (sessions, (until < self.conns.places()).then_some(until))
    }

    fn open_session(&self, now: Moment, conn: &Conn) -> Option<OpenSession> {
        let client = conn.client()?;
        // Where several are open there is no one endpoint to name.
        let mut open = conn.streams.iter().filter_map(|(_, exchange)| self.exchanges.get(exchange));
        let only = open.next().filter(|_| conn.streams.len() == 1);
        let pool = only.and_then(|ex: &Exchange| self.pools.get(ex.pool?));
        let service = only.and_then(|ex| self.services.get(ex.service));
        let mut figures = conn.figures;
        figures.age = now.since(conn.opened);
        Some(OpenSession {
            session: client.session,
            peer: client.peer,
            listener: client.listener.id,
            protocol: client.protocol,
            tls: client.secured.as_deref().map(super::session::told),
            service: service.map(|state| state.service.id),
            endpoint: pool.map(|pool| pool.endpoint.spec.address),
            open_exchanges: conn.streams.len(),
            is_ending: conn.is_closing(),
            figures,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::EngineSetup;
    use super::*;
    use evenkeel_core::id::WorkerIndex;
    use evenkeel_core::limits::Limits;
    use evenkeel_core::session::SessionProtocol;
    use evenkeel_core::stats::WorkerStats;
    use evenkeel_testkit::simulation::one_service;
    use std::collections::HashSet;
    use std::sync::Arc;
    use std::time::Duration;

    const NOW: Moment = Moment::from_nanos(1_000_000_000);

    fn engine_with(sessions: u16) -> Engine {
        let (listener, snapshot) = one_service(1);
        let setup = EngineSetup {
            worker: WorkerIndex(0),
            seed: 1,
            limits: Limits::default(),
            log_interval: Duration::from_secs(300),
            stats: Arc::new(WorkerStats::default()),
            snapshot,
        };
        let mut engine = Engine::new(setup, NOW);
        for port in 0..sessions {
            engine.accept(NOW, listener, ([10, 0, 0, 9], port).into()).unwrap();
        }
        engine
    }

    #[test]
    fn every_session_is_told_once_whatever_the_size_of_a_page() {
        let engine = engine_with(9);
        for most in 1..=10 {
            let (mut ports, mut at) = (Vec::new(), Some(0));
            while let Some(from) = at {
                let (page, next) = engine.list_sessions(NOW, from, most);
                assert!(page.len() <= most);
                ports.extend(page.iter().map(|s| s.peer.port()));
                at = next;
            }
            assert_eq!((ports.len(), ports.iter().collect::<HashSet<_>>().len()), (9, 9), "by {most}");
        }
    }

    #[test]
    fn one_look_goes_through_a_part_of_the_table() {
        let engine = engine_with(PLACES as u16 + 1);
        let (page, next) = engine.list_sessions(NOW, 0, usize::MAX);
        assert_eq!((page.len(), next), (PLACES, Some(PLACES)));
        let (page, next) = engine.list_sessions(NOW, PLACES, usize::MAX);
        assert_eq!((page.len(), next), (1, None));
    }

    #[test]
    fn a_session_says_what_it_speaks_and_where_its_only_exchange_goes() {
        let mut engine = engine_with(1);
        let (key, _) = engine.conns.iter().next().unwrap();
        let of = |engine: &Engine| engine.list_sessions(NOW + Duration::from_secs(3), 0, 1).0.remove(0);
        let session = of(&engine);
        assert_eq!((session.protocol, session.endpoint), (SessionProtocol::Unknown, None));
        engine.received(NOW, key, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        let session = of(&engine);
        assert_eq!((session.protocol, session.open_exchanges), (SessionProtocol::Http1, 1));
        assert!(session.endpoint.is_some() && session.service.is_some());
        assert_eq!((session.figures.age, session.figures.exchanges), (Duration::from_secs(3), 1));
    }
}
