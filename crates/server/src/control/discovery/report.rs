//! What a source says, and the way that it takes to the control loop.

use super::failure::{DiscoveryFailure, FailureReason};
use evenkeel_core::endpoint::EndpointSpec;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Most endpoints of one service; an answer that names more is refused and the last good one stays.
pub const MAX_ENDPOINTS: usize = 10_000;

/// What a source said.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// These are the endpoints.
    Endpoints(Vec<EndpointSpec>),
    /// Nothing changed since the last good answer.
    StillGood,
    /// No answer; the last good one stays.
    Failed(DiscoveryFailure),
}

/// What a service's source said.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The service's name.
    pub service: Arc<str>,
    /// `static`, `dns`, `srv` or `file`.
    pub source: &'static str,
    /// What it said.
    pub outcome: Outcome,
    /// Which of the service's sources, one after the other, said it.
    pub(super) generation: u64,
}

/// The way of a source's answers to the control loop.
pub(super) struct Reporter {
    pub(super) answers: mpsc::Sender<Answer>,
    pub(super) template: Answer,
}

impl Reporter {
    pub(super) async fn report(&self, outcome: Outcome) {
        let outcome = match outcome {
            Outcome::Endpoints(list) if list.len() > MAX_ENDPOINTS => Outcome::Failed(DiscoveryFailure::new(
                FailureReason::TooManyEndpoints,
                format!("{} endpoints, {MAX_ENDPOINTS} are allowed", list.len()),
            )),
            outcome => outcome,
        };
        // Refused only when the control loop is gone, and then this task is about to be aborted.
        let _ = self.answers.send(Answer { outcome, ..self.template.clone() }).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, SocketAddr};

    fn on_runtime<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
    }

    #[test]
    fn the_most_endpoints_are_taken_and_one_more_is_refused_with_its_reason() {
        on_runtime(async {
            let (answers, mut receiver) = mpsc::channel(2);
            let template =
                Answer { service: "a".into(), source: "dns", outcome: Outcome::StillGood, generation: 1 };
            let reporter = Reporter { answers, template };
            let one = EndpointSpec::at(SocketAddr::from((Ipv4Addr::LOCALHOST, 1)));
            reporter.report(Outcome::Endpoints(vec![one.clone(); MAX_ENDPOINTS])).await;
            reporter.report(Outcome::Endpoints(vec![one; MAX_ENDPOINTS + 1])).await;
            assert!(matches!(receiver.recv().await.unwrap().outcome, Outcome::Endpoints(_)));
            let Outcome::Failed(failure) = receiver.recv().await.unwrap().outcome else { panic!("taken") };
            assert_eq!(failure.reason, FailureReason::TooManyEndpoints);
        });
    }
}
