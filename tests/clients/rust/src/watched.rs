//! Which watched calls have been cancelled. The server marks them, and answers who asks for one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// The calls that somebody watches, by the key that the watcher gave them.
#[derive(Clone, Default)]
pub(crate) struct Watched(Arc<Mutex<HashMap<String, watch::Sender<bool>>>>);

impl Watched {
    /// The call of this key has been cancelled.
    pub(crate) fn mark(&self, key: &str) {
        self.known(key).send_replace(true);
    }

    /// Waits until the call of this key has been cancelled, whether or not it has begun.
    pub(crate) async fn marked(&self, key: &str) {
        let mut receiver = self.known(key).subscribe();
        // The senders live as long as this: there is no other end of the wait.
        let _marked = receiver.wait_for(|marked| *marked).await;
    }

    fn known(&self, key: &str) -> watch::Sender<bool> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(key.to_owned()).or_insert_with(|| watch::Sender::new(false)).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn a_mark_is_seen_whoever_comes_first() {
        let watched = Watched::default();
        assert!(watched.marked("a").now_or_never().is_none());
        watched.mark("a");
        watched.marked("a").await;
        watched.mark("b");
        watched.marked("b").await;
        assert!(watched.marked("c").now_or_never().is_none());
    }
}
