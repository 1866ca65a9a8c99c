//! One worker's connections to one endpoint, and the exchanges that wait for one.

use crate::keys::{ConnKey, ExchangeKey};
use evenkeel_core::endpoint::Endpoint;
use evenkeel_core::time::Moment;
use std::collections::VecDeque;

/// The connections to one endpoint.
#[derive(Debug)]
pub(crate) struct Pool {
    /// Index of the service in the engine's list.
    pub(crate) service: usize,
    pub(crate) endpoint: Endpoint,
    /// Those that its exchanges share, one after the other or at once.
    pub(crate) conns: Vec<ConnKey>,
    /// Those that carry one exchange each, which they were opened for: they are of no use to who waits.
    pub(crate) own: Vec<ConnKey>,
    /// How many of those that are shared do not take exchanges yet.
    pub(crate) opening: u32,
    pub(crate) pending: VecDeque<ExchangeKey>,
    /// What the endpoint was found to speak, where that is left to find out.
    pub(crate) is_http1: Option<bool>,
    /// A wake for the queue is on the wheel.
    pub(crate) is_watched: bool,
    /// Until when waiting in vain was last reported as a failure of the endpoint.
    pub(crate) blamed_until: Moment,
    /// Exchanges that are counted as the endpoint's, of which the client may still be reading an answer that is whole.
    pub(crate) exchanges: u32,
    /// The endpoint left its set: nothing new is opened, and the pool goes with its last connection and exchange.
    pub(crate) is_removed: bool,
    /// When what is left on it is cut, once the endpoint is going or gone.
    pub(crate) leaves_at: Moment,
}

impl Pool {
    pub(crate) fn new(service: usize, endpoint: Endpoint) -> Self {
        Self {
            service,
            endpoint,
            conns: Vec::new(),
            own: Vec::new(),
            opening: 0,
            pending: VecDeque::new(),
            is_http1: None,
            is_watched: false,
            blamed_until: Moment::ZERO,
            exchanges: 0,
            is_removed: false,
            leaves_at: Moment::NEVER,
        }
    }

    /// Every connection to the endpoint.
    pub(crate) fn all(&self) -> impl Iterator<Item = ConnKey> {
        self.conns.iter().chain(&self.own).copied()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all().next().is_none() && self.pending.is_empty() && self.exchanges == 0
    }
}
