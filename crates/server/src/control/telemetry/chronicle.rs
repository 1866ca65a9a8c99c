//! Where every happening goes: the log, the event stream and the counts of what is only known by events.
//!
//! Owned by the control loop; it decides nothing.

use super::log::Log;
use super::names::Names;
use super::rate_bound::{MAX_CONNECTION_RECORDS_PER_SECOND, RateBound};
use super::record::Record;
use crate::control::event::{Happening, What};
use crate::control::state::{State, StreamEvent};
use evenkeel_core::event::EventKind;
use evenkeel_core::snapshot::Snapshot;
use std::sync::Arc;

/// Writes down what happens.
pub struct Chronicle {
    state: Arc<State>,
    log: Arc<Log>,
    names: Names,
    bound: RateBound,
    events_dropped: u64,
}

impl Chronicle {
    /// Writes to this log, and to the state's event stream.
    #[must_use]
    pub fn new(state: Arc<State>, log: Arc<Log>) -> Self {
        let bound = RateBound::new(MAX_CONNECTION_RECORDS_PER_SECOND);
        Self { state, log, names: Names::default(), bound, events_dropped: 0 }
    }

    /// Learns the names of a new snapshot.
    pub fn learn_names(&mut self, snapshot: &Snapshot) {
        self.names.learn(snapshot);
    }

    /// It happened now.
    pub fn tell(&mut self, what: What) {
        self.take(&Happening { at: self.state.clock.now(), what });
    }

    /// It happened.
    pub fn take(&mut self, happening: &Happening) {
        if let What::DataPlane(EventKind::Ejected { service, reason, .. }) = &happening.what {
            self.state.count_ejection(self.names.service(*service), *reason);
        }
        if happening.what.is_per_connection() && !self.bound.admits(happening.at) {
            return;
        }
        let record = Record::of(happening, self.state.clock, &self.names);
        self.log.write(&record);
        if self.state.events.receiver_count() > 0 {
            let data = serde_json::to_string(&record).expect("a record holds only strings and numbers");
            // Refused only when the last subscriber left meanwhile.
            let _ = self.state.events.send(StreamEvent { event: record.event, data: data.into() });
        }
    }

    /// Tells once a second of what was left out or lost since the last time.
    pub fn tell_losses(&mut self) {
        let count = self.bound.take_left_out();
        if count > 0 {
            self.tell(What::RecordsLeftOut { count });
        }
        let dropped = self.state.data_plane.worker_stats().iter().map(|w| w.events_dropped.get()).sum();
        let count = u64::saturating_sub(dropped, self.events_dropped);
        if count > 0 {
            self.events_dropped = dropped;
            self.tell(What::EventsDropped { count });
        }
    }
}
