//! The keys of what an engine holds. They say what they name without knowing it.

use crate::slots::Key;

/// Marks keys of connections.
#[derive(Debug)]
pub enum ConnMark {}

/// Marks keys of exchanges.
#[derive(Debug)]
pub(crate) enum ExchangeMark {}

/// Marks keys of pools.
#[derive(Debug)]
pub(crate) enum PoolMark {}

/// Names a connection, of a client or to an endpoint, between engine and event loop.
pub type ConnKey = Key<ConnMark>;

/// Names an exchange.
pub(crate) type ExchangeKey = Key<ExchangeMark>;

/// Names the connections to one endpoint.
pub(crate) type PoolKey = Key<PoolMark>;
