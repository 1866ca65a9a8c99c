//! One worker's connections to one endpoint, and the exchanges that wait for one.

use crate::keys::{ConnKey, ExchangeKey};
use evenkeel_core::endpoint::Endpoint;
use std::collections::VecDeque;

/// The connections to one endpoint.
#[derive(Debug)]
pub(crate) struct Pool {
    /// Index of the service in the engine's list.
    pub(crate) service: usize,
    pub(crate) endpoint: Endpoint,
    pub(crate) conns: Vec<ConnKey>,
    /// How many of them do not take exchanges yet.
    pub(crate) opening: u32,
    pub(crate) pending: VecDeque<ExchangeKey>,
    /// Exchanges that are counted as the endpoint's, of which the client may still be reading an answer that is whole.
    pub(crate) exchanges: u32,
    /// The endpoint left its set: nothing new is opened, and the pool goes with its last connection and exchange.
    pub(crate) is_removed: bool,
}

impl Pool {
    pub(crate) fn new(service: usize, endpoint: Endpoint) -> Self {
        Self {
            service,
            endpoint,
            conns: Vec::new(),
            opening: 0,
            pending: VecDeque::new(),
            exchanges: 0,
            is_removed: false,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.conns.is_empty() && self.pending.is_empty() && self.exchanges == 0
    }
}
