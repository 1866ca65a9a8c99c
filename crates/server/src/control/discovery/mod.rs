//! Where endpoints come from: one task a service that asks its source again and again and reports each answer.
//!
//! Owns the tasks and which answer still counts; refuses to know what becomes of the answers. The control loop tells
//! it the services and takes the answers.

mod dns;
mod failure;
mod file;
mod pace;
mod report;
mod settings;

pub use failure::{DiscoveryFailure, FailureReason};
pub use pace::Pace;
pub use report::{Answer, MAX_ENDPOINTS, Outcome};
pub use settings::{DiscoverySettings, NameServers};

use evenkeel_config::model::{EndpointSource, Service};
use report::Reporter;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

/// Answers that wait for the control loop; a source that is faster waits.
const ANSWERS_QUEUED: usize = 64;

/// The stable word for a source.
#[must_use]
pub fn source_code(source: &EndpointSource) -> &'static str {
    match source {
        EndpointSource::Static(_) => "static",
        EndpointSource::Dns { .. } => "dns",
        EndpointSource::Srv { .. } => "srv",
        EndpointSource::File { .. } => "file",
    }
}

/// Every service's source, and the task that asks it.
pub struct Discovery {
    settings: DiscoverySettings,
    answers: mpsc::Sender<Answer>,
    followed: HashMap<Arc<str>, Followed>,
    generations: u64,
}

struct Followed {
    source: EndpointSource,
    generation: u64,
    task: Option<AbortHandle>,
}

impl Drop for Followed {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Discovery {
    /// Follows nothing yet. The receiver gets every answer.
    #[must_use]
    pub fn new(settings: DiscoverySettings) -> (Self, mpsc::Receiver<Answer>) {
        let (answers, receiver) = mpsc::channel(ANSWERS_QUEUED);
        (Self { settings, answers, followed: HashMap::new(), generations: 0 }, receiver)
    }

    /// Follows exactly these services. A service whose source is as before is not touched; static lists are answered
    /// at once, by the return value. Must be called on the control runtime.
    pub fn follow(&mut self, services: &[Service]) -> Vec<Answer> {
        self.followed.retain(|name, _| services.iter().any(|s| s.name == *name));
        let mut at_once = Vec::new();
        for service in services {
            if self.followed.get(&service.name).is_some_and(|f| f.source == service.endpoints) {
                continue;
            }
            self.generations += 1;
            let answer = |outcome| Answer {
                service: service.name.clone(),
                source: source_code(&service.endpoints),
                outcome,
                generation: self.generations,
            };
            let reporter = Reporter { answers: self.answers.clone(), template: answer(Outcome::StillGood) };
            let task = match &service.endpoints {
                EndpointSource::Static(list) => {
                    at_once.push(answer(Outcome::Endpoints(list.clone())));
                    None
                }
                EndpointSource::Dns { name, port } => {
                    let question = dns::Question::Addresses { name: name.clone(), port: *port };
                    Some(tokio::spawn(dns::follow(question, self.settings.clone(), reporter)))
                }
                EndpointSource::Srv { name } => {
                    let question = dns::Question::Services { name: name.clone() };
                    Some(tokio::spawn(dns::follow(question, self.settings.clone(), reporter)))
                }
                EndpointSource::File { path } => Some(tokio::spawn(file::follow(path.clone(), reporter))),
            };
            let followed = Followed {
                source: service.endpoints.clone(),
                generation: self.generations,
                task: task.map(|t| t.abort_handle()),
            };
            self.followed.insert(service.name.clone(), followed);
        }
        at_once
    }

    /// Whether an answer is of a source that is still followed, and not one that was replaced meanwhile.
    #[must_use]
    pub fn is_current(&self, answer: &Answer) -> bool {
        self.followed.get(&answer.service).is_some_and(|f| f.generation == answer.generation)
    }
}

#[cfg(test)]
pub(super) use dns::tests as dns_server;

#[cfg(test)]
mod tests {
    use super::*;
    use evenkeel_core::endpoint::EndpointSpec;
    use evenkeel_core::policy::ServicePolicy;
    use std::net::{Ipv4Addr, SocketAddr};

    fn on_runtime<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
    }

    fn service(name: &str, endpoints: EndpointSource) -> Service {
        Service { name: name.into(), endpoints, policy: ServicePolicy::default(), tls: None }
    }

    fn list(port: u16) -> EndpointSource {
        EndpointSource::Static(vec![EndpointSpec::at(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))])
    }

    #[test]
    fn a_static_list_is_answered_at_once_and_not_again_while_it_stays() {
        on_runtime(async {
            let (mut discovery, _answers) = Discovery::new(DiscoverySettings::default());
            let first = discovery.follow(&[service("a", list(1)), service("b", list(2))]);
            assert_eq!(first.len(), 2);
            let second = discovery.follow(&[service("a", list(1)), service("b", list(3))]);
            assert_eq!(second.len(), 1);
            assert_eq!(&*second[0].service, "b");
        });
    }

    #[test]
    fn an_answer_of_a_replaced_source_does_not_count() {
        on_runtime(async {
            let (mut discovery, _answers) = Discovery::new(DiscoverySettings::default());
            let old = discovery.follow(&[service("a", list(1))]).remove(0);
            assert!(discovery.is_current(&old));
            let new = discovery.follow(&[service("a", list(2))]).remove(0);
            assert!(!discovery.is_current(&old));
            assert!(discovery.is_current(&new));
            discovery.follow(&[]);
            assert!(!discovery.is_current(&new));
        });
    }
}
