//! Applications of the last moment, for as long as the views may not know them. Losing it costs nothing kept.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use events::ids::{CaseId, CaseNumber};
use events::proof::Digest;
use events::vocabulary::{Category, Item};
use tokio::time::Instant;

use crate::log::SenderKey;

/// Most that are remembered.
pub const RECENT_MAX: usize = 10_000;
/// How long each is remembered.
pub const RECENT_MS: u64 = 60_000;

/// The same person with the same item and category.
pub(super) type Application = (Digest, Item, Category);

/// Who handed it in last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) sender: SenderKey,
    pub(super) case: CaseId,
    pub(super) number: CaseNumber,
}

/// The applications of the last moment.
#[derive(Debug, Default)]
pub struct Recent(Mutex<Inside>);

#[derive(Debug, Default)]
struct Inside {
    claims: HashMap<Application, (Claim, Instant)>,
    // Oldest first; an entry may be outdated, then the map has a younger claim or none.
    order: VecDeque<(Application, Instant)>,
}

impl Recent {
    /// Claims `application` unless another sender has; then that one's claim.
    pub(super) fn claim(&self, application: Application, mine: &Claim) -> Option<Claim> {
        let now = Instant::now();
        let mut inside = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inside.forget_old(now);
        match inside.claims.get(&application) {
            Some((there, _)) if there.sender != mine.sender => Some(there.clone()),
            Some(_own) => None,
            None => {
                inside.claims.insert(application, (mine.clone(), now));
                inside.order.push_back((application, now));
                None
            }
        }
    }

    /// Takes back `sender`'s claim: nothing was recorded, or the case has ended.
    pub(super) fn release(&self, application: Application, sender: SenderKey) {
        let mut inside = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if inside.claims.get(&application).is_some_and(|it| it.0.sender == sender) {
            inside.claims.remove(&application);
        }
    }
}

impl Inside {
    fn forget_old(&mut self, now: Instant) {
        let kept = Duration::from_millis(RECENT_MS);
        while let Some((application, at)) = self.order.front().copied() {
            if now.duration_since(at) < kept && self.order.len() < RECENT_MAX {
                break;
            }
            self.order.pop_front();
            if self.claims.get(&application).is_some_and(|it| it.1 == at) {
                self.claims.remove(&application);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use uuid::Uuid;

    fn claim(number: u128) -> Claim {
        let case = CaseId(Uuid::from_u128(number));
        let number = CaseNumber::of(case, date(2026, 2, 13));
        Claim { sender: SenderKey([number.as_str().len() as u8; 32]), case, number }
    }

    fn application(last: u64) -> Application {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&last.to_le_bytes());
        (events::proof::Hash(digest), Item::Renewal, Category::Passenger)
    }

    #[tokio::test(start_paused = true)]
    async fn another_sender_meets_the_claim_until_it_is_released_or_old() {
        let recent = Recent::default();
        let mine = claim(1);
        let other = Claim { sender: SenderKey([9; 32]), ..claim(2) };
        assert_eq!(recent.claim(application(1), &mine), None);
        assert_eq!(recent.claim(application(1), &mine), None, "the same again");
        assert_eq!(recent.claim(application(1), &other), Some(mine.clone()));
        recent.release(application(1), other.sender);
        assert_eq!(recent.claim(application(1), &other), Some(mine.clone()), "not the other's");
        recent.release(application(1), mine.sender);
        assert_eq!(recent.claim(application(1), &other), None);
        tokio::time::advance(Duration::from_millis(RECENT_MS)).await;
        assert_eq!(recent.claim(application(1), &mine), None, "old claims are forgotten");
    }

    #[test]
    fn the_memory_is_bounded() {
        let recent = Recent::default();
        for number in 0..(RECENT_MAX as u64 + 500) {
            recent.claim(application(number), &claim(1));
        }
        assert!(recent.0.lock().unwrap().claims.len() <= RECENT_MAX);
    }
}
