//! Annex 1 as a province tells it, by form or by its adapter: of several the one recorded last counts.

use std::collections::BTreeMap;

use events::proof::Hash;
use events::province::{ProvinceEvent, PublicityStated, Sent};
use events::publicity::Month;
use jiff::{SignedDuration, Timestamp};

use crate::calendar::shanghai_date;
use crate::refusal::Refusal;

/// Of how many months it is remembered what was told: more than may be told.
const MONTHS_KEPT: usize = 24;
/// How often a month may be told: a clerk corrects a few times, a program that runs wild for ever.
pub const STATEMENTS_A_MONTH_MAX: u32 = 100;
/// How far a province's clock may be ahead of ours.
const CLOCK_AHEAD_MAX: SignedDuration = SignedDuration::from_mins(10);

/// What was told of one month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// Over what counts.
    pub hash: Hash,
    /// The latest that an adapter sent, whether it counts still or not.
    pub sent: Option<Sent>,
    /// How often.
    pub count: u32,
}

/// Whether it may be told at `now`: months that are open, moments that have been.
pub fn is_timely(it: &PublicityStated, now: Timestamp) -> Result<(), Refusal> {
    if !it.statement.month.is_open_on(shanghai_date(now)) {
        return Err(Refusal::OutOfBounds { field: "month" });
    }
    let ahead = it.sent.is_some_and(|it| it.stated_at.duration_since(now) > CLOCK_AHEAD_MAX);
    if ahead { Err(Refusal::ImpossibleMoment) } else { Ok(()) }
}

/// A copy is nothing new; an adapter's older statement that comes late does not replace a newer one.
pub(super) fn decide(
    state: &BTreeMap<Month, Told>,
    it: &PublicityStated,
) -> Result<Vec<ProvinceEvent>, Refusal> {
    if it.statement.flaw().is_some() {
        return Err(Refusal::OutOfBounds { field: "statement" });
    }
    let Some(known) = state.get(&it.statement.month) else { return Ok(vec![it.clone().into()]) };
    match (it.sent, known.sent) {
        (Some(sent), Some(last)) if sent.message == last.message => return Ok(vec![]),
        (Some(sent), Some(last)) if sent < last => return Err(Refusal::StatementSuperseded),
        _ => {}
    }
    if known.hash == it.statement.hash() {
        return Ok(vec![]);
    }
    if known.count >= STATEMENTS_A_MONTH_MAX {
        return Err(Refusal::TooManyStatements);
    }
    Ok(vec![it.clone().into()])
}

pub(super) fn evolve(state: &mut BTreeMap<Month, Told>, it: &PublicityStated) {
    let hash = it.statement.hash();
    let told = state.entry(it.statement.month).or_insert(Told { hash, sent: None, count: 0 });
    told.hash = hash;
    told.sent = told.sent.max(it.sent);
    told.count = told.count.saturating_add(1);
    if state.len() > MONTHS_KEPT {
        state.pop_first();
    }
}

#[cfg(test)]
mod tests {
    use events::publicity::{Fulfilment, ROWS, Statement};

    use super::*;

    fn stated(posters: u32, sent: Option<(&str, u128)>) -> PublicityStated {
        let mut rows = vec![Fulfilment::default(); ROWS];
        rows[3].second = posters;
        let month = "2026-11".parse().unwrap();
        let sent = sent.map(|(at, id)| Sent {
            stated_at: at.parse().unwrap(),
            message: format!("{id:032x}").parse().unwrap(),
        });
        let statement = Statement { month, rows, carriers_told_share: None, knowledge_base: false };
        PublicityStated { by: "22-clerk".to_owned(), statement, sent }
    }

    const EARLY: &str = "2026-11-20T01:00:00Z";
    const LATE: &str = "2026-11-20T02:00:00Z";

    /// What each of them leads to, one after the other.
    fn told(all: &[PublicityStated]) -> Vec<Result<usize, &'static str>> {
        let mut state = BTreeMap::new();
        let one = |it: &PublicityStated| {
            let events = decide(&state, it).map_err(|it| it.code())?;
            if !events.is_empty() {
                evolve(&mut state, it);
            }
            Ok(events.len())
        };
        all.iter().map(one).collect()
    }

    #[test]
    fn a_copy_changes_nothing_and_an_older_one_that_comes_late_neither() {
        let (one, two) = (stated(1, Some((EARLY, 1))), stated(2, Some((LATE, 2))));
        let answers = told(&[one.clone(), one.clone(), two.clone(), one, two]);
        let late = Err("statement-superseded");
        assert_eq!(answers, [Ok(1), Ok(0), Ok(1), late, Ok(0)]);
    }

    #[test]
    fn the_form_and_the_adapter_correct_each_other_and_a_copy_undoes_neither() {
        let (sent, form) = (stated(1, Some((EARLY, 1))), stated(2, None));
        let again = stated(1, Some((LATE, 2)));
        let answers = told(&[sent.clone(), form.clone(), sent, again, form]);
        assert_eq!(answers, [Ok(1), Ok(1), Ok(0), Ok(1), Ok(1)]);
    }

    #[test]
    fn the_same_content_under_another_id_is_nothing_new() {
        let answers = told(&[stated(1, Some((EARLY, 1))), stated(1, Some((LATE, 2)))]);
        assert_eq!(answers, [Ok(1), Ok(0)]);
    }

    #[test]
    fn who_runs_wild_is_stopped_by_a_bound() {
        let many: Vec<_> = (0..=STATEMENTS_A_MONTH_MAX).map(|it| stated(it, None)).collect();
        let answers = told(&many);
        assert!(answers[..many.len() - 1].iter().all(|it| *it == Ok(1)));
        assert_eq!(answers.last(), Some(&Err("too-many-statements")));
    }

    #[test]
    fn months_that_are_not_open_and_moments_to_come_are_refused() {
        let now = |it: &str| it.parse::<Timestamp>().unwrap();
        let code = |it: &PublicityStated, at| is_timely(it, now(at)).map_err(|it| it.code());
        let form = stated(1, None);
        // In Shanghai, November begins eight hours earlier.
        assert_eq!(code(&form, "2026-10-31T15:59:59Z"), Err("out-of-bounds"));
        assert_eq!(code(&form, "2026-10-31T16:00:00Z"), Ok(()));
        assert_eq!(code(&form, "2027-12-01T00:00:00Z"), Err("out-of-bounds"));
        let sent = stated(1, Some(("2026-11-20T01:10:00Z", 1)));
        assert_eq!(code(&sent, "2026-11-20T01:00:00Z"), Ok(()));
        assert_eq!(code(&sent, "2026-11-20T00:59:59Z"), Err("impossible-moment"));
    }
}
