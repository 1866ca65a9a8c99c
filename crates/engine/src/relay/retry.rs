//! An exchange goes from one endpoint to another: because the first did not process it, or because its route says that
//! it may be sent again.
//!
//! Nothing here is reached once a part of an answer went to the client. `dispatch` gives the exchange to the next
//! endpoint; who calls says what the client is told if there is none.

use super::Engine;
use crate::keys::{ExchangeKey, PoolKey};
use evenkeel_core::id::EndpointId;
use evenkeel_core::reason::{ExchangeOutcome, Limit, RetryReason};
use evenkeel_core::time::Moment;
use evenkeel_wire::http2::ErrorCode;

impl Engine {
    /// An exchange that its endpoint did not process goes to another one, or fails with `outcome`.
    pub(super) fn move_on(&mut self, now: Moment, exchange: ExchangeKey, outcome: ExchangeOutcome) {
        self.leave_upstream(now, exchange, None);
        let ex = &self.exchanges[exchange];
        if !ex.is_replayable || ex.sent_times > ex.retry.attempts {
            // Some endpoint took a connection if it was sent.
            let took = outcome == ExchangeOutcome::ConnectFailed && ex.sent_times > 0;
            let outcome = if took { ExchangeOutcome::UpstreamGone } else { outcome };
            self.fail(now, exchange, outcome);
            return;
        }
        if let Some((_, endpoint)) = self.leave_endpoint(exchange) {
            let ex = &mut self.exchanges[exchange];
            ex.tried.push(endpoint);
            if outcome == ExchangeOutcome::UpstreamGone {
                ex.went_away.push(endpoint);
            }
        }
        let Some(pick) = self.pick(now, exchange, outcome) else { return };
        self.count_retry(exchange, RetryReason::Unprocessed);
        self.give(now, exchange, pick);
    }

    /// Sends an exchange to an endpoint that it was not sent to yet, if its route allows that for this reason and
    /// the service's budget has room. False if not: it is as it was, and what its endpoint said goes to the client.
    pub(super) fn try_again(&mut self, now: Moment, exchange: ExchangeKey, reason: RetryReason) -> bool {
        let ex = &mut self.exchanges[exchange];
        let is_allowed =
            ex.retry.on.allows(reason) && ex.is_repeatable() && ex.sent_times <= ex.retry.attempts;
        let Some(pool) = ex.pool.and_then(|p| self.pools.get(p)).filter(|_| is_allowed) else { return false };
        let state = &mut self.services[ex.service];
        if state.is_removed {
            return false;
        }
        ex.tried.push(pool.endpoint.id);
        let Ok(pick) = state.pick(now, ex) else { return false };
        // An answer is better than a place in no queue.
        let most = state.service.policy.upstream.pending as usize;
        let next = self.pool_of.get(&pick.endpoint).and_then(|&p| self.pools.get(p));
        if next.is_none_or(|p| p.pending.len() >= most) {
            return false;
        }
        // An exchange that is on its way again already gives its place back and asks anew.
        if std::mem::take(&mut ex.is_retrying) {
            state.retries.end();
        }
        if !state.retries.begin(state.exchanges, ex.retry.budget) {
            self.stats.refused(Limit::RetryBudget);
            return false;
        }
        ex.is_retrying = true;
        self.leave_upstream(now, exchange, Some(ErrorCode::Cancel));
        let left = self.leave_endpoint(exchange);
        self.count_retry(exchange, reason);
        self.give(now, exchange, pick);
        if let Some((pool, _)) = left {
            self.drop_pool_if_done(pool);
        }
        self.settle(now);
        true
    }

    /// The exchange stays with its endpoint from now on: what was kept to send it again is dropped.
    pub(super) fn stay(&mut self, exchange: ExchangeKey) {
        let ex = &mut self.exchanges[exchange];
        ex.is_replayable = false;
        let (request, replay) = (std::mem::take(&mut ex.request), std::mem::take(&mut ex.replay));
        self.give_list(request);
        self.drop_replay(replay);
    }

    /// Its answer has begun: it is under way again no more.
    pub(super) fn end_retry(&mut self, exchange: ExchangeKey) {
        let ex = &mut self.exchanges[exchange];
        if std::mem::take(&mut ex.is_retrying) {
            self.services[ex.service].retries.end();
        }
    }

    /// Takes an exchange off its endpoint's count.
    pub(super) fn leave_endpoint(&mut self, exchange: ExchangeKey) -> Option<(PoolKey, EndpointId)> {
        let ex = &mut self.exchanges[exchange];
        ex.try_deadline = Moment::NEVER;
        let key = ex.pool.take()?;
        let pool = self.pools.get_mut(key)?;
        pool.exchanges -= 1;
        let cell = pool.endpoint.stats.cell(self.worker);
        cell.exchange_left();
        if ex.kind.is_session() {
            cell.session_ended();
        }
        Some((key, pool.endpoint.id))
    }

    fn count_retry(&self, exchange: ExchangeKey, reason: RetryReason) {
        let service = &self.services[self.exchanges[exchange].service].service;
        service.stats.cell(self.worker).retried(reason);
    }
}
