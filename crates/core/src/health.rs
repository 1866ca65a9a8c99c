//! Failures in a row and the ejection that follows, shared by all workers.

/// One endpoint's health, shared by all workers.
#[derive(Debug, Default)]
pub struct EndpointHealth {}
