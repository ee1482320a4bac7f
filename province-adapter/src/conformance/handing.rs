//! How the stage hands out work: made, sealed and signed anew each time, as a hub does at every attempt;
//! spoilt where the script says so.

use std::sync::{Arc, PoisonError};

use events::ids::CaseId;
use events::work::WorkKind;

use super::KitError;
use super::book::{Posted, TestCase};
use super::cast;
use super::folder::{seal_key_id, sign_key_id};
use super::hub::fresh_id;
use super::script::{How, Names};
use super::spoil::{Maker, Spoil};
use super::stage::Stage;

impl Stage {
    pub(super) fn make_cases(
        &mut self,
        names: &Names,
        wants: &[super::script::Want],
    ) -> Result<(), KitError> {
        let now = self.shared().clock.real_now();
        let cases = cast::cases(names, wants, now)?;
        self.all.extend(cases.iter().map(|it| it.id));
        self.shared().book().cases.extend(cases.into_iter().map(|it| (it.id, it)));
        Ok(())
    }

    pub(super) async fn send(&mut self, who: &str, how: &How) -> Result<(), KitError> {
        let mut cases = self.named(who)?;
        if *how == How::InReverse {
            cases.reverse();
        }
        let times = if let How::Times(times) = how { *times } else { 1 };
        let spoil = match how {
            How::As(word) => Spoil::of(word),
            _ => None,
        };
        for case in cases {
            for _ in 0..times {
                self.hand_out(case, spoil).await?;
            }
        }
        Ok(())
    }

    /// Publishes the newest work of `case`, as the hub would at every attempt: the same request, a new
    /// message, sealed and signed anew.
    pub(super) async fn hand_out(
        &self,
        case: CaseId,
        spoil: Option<Spoil>,
    ) -> Result<(), KitError> {
        let now = self.shared().clock.real_now();
        let key = self.keys.seal.last().map(|it| it.1.clone()).unwrap_or_default();
        let key_id = seal_key_id(self.province, self.keys.seal.len());
        let finding = spoil.and_then(Spoil::finding);
        let work = {
            let mut book = self.shared().book();
            let epoch = book.epoch;
            let case = book.cases.get_mut(&case).ok_or_else(|| self.nobody("a case"))?;
            let at = case.given.len().saturating_sub(1);
            let mut work = cast::work(case, at, (&self.hub.origin, self.province, epoch), now);
            if let Some(spoil) = spoil {
                spoil.change(&mut work, now);
            }
            let bare =
                work.kind == WorkKind::Withdrawal || spoil == Some(Spoil::WithoutPersonalPart);
            if !bare {
                let stranger = events::proof::seal::key_pair(&super::folder::random()?).1;
                let key = match spoil {
                    Some(Spoil::SealedToAnother) => stranger.as_str(),
                    _ => key.as_str(),
                };
                cast::seal_into(&mut work, case, at, &self.scenario, (&key_id, key))?;
            }
            let given = &mut case.given[at];
            given.given_at.get_or_insert(now);
            given.bad = finding;
            // Sent again, the hub may have lost what was receipted: then it may come again.
            let said: Vec<_> = case.said.iter().map(|it| it.id).collect();
            for report in said {
                if let Some(seen) = book.reports.get_mut(&report) {
                    seen.receipted_at = None;
                }
            }
            book.note(now, Some(work.case), format!("handed out the {}", work.kind.token()));
            work
        };
        let (id, token) = (fresh_id()?, work.kind.token());
        let (bytes, signature) = match spoil {
            Some(spoil) => {
                let maker = Maker { key: &self.hub.key, stranger: &self.stranger, now, id };
                let made = spoil.make(&work, &maker);
                (made.bytes, made.signature)
            }
            None => {
                let bytes = events::wire::work_to_bytes(id, now, &work);
                let signature = self.hub.sign(&bytes);
                (bytes, Some(signature))
            }
        };
        let posted = Posted::Work { case, bad: finding.is_some() };
        self.hub.post(token, bytes, signature, posted).await
    }

    pub(super) fn rotate_keys(&mut self) -> Result<(), KitError> {
        let retired = self.keys.sign.len();
        self.keys.rotate()?;
        let url = self.broker.url();
        self.sandbox(&url).write()?;
        let newest = self.keys.sign.last().map(ed25519_dalek::SigningKey::verifying_key);
        let id = sign_key_id(self.province, self.keys.sign.len());
        let shared = Arc::clone(self.shared());
        let mut trust = shared.trust.lock().unwrap_or_else(PoisonError::into_inner);
        trust.keys.extend(newest.map(|it| (id, it)));
        trust.retired = retired;
        trust.retired_at = Some(shared.clock.real_now());
        Ok(())
    }

    pub(super) fn named(&self, who: &str) -> Result<Vec<CaseId>, KitError> {
        if who == "all" {
            return Ok(self.all.clone());
        }
        let found = self.shared().book().case(who).map(|it| it.id);
        found.map(|it| vec![it]).ok_or_else(|| self.nobody(who))
    }

    pub(super) fn nobody(&self, who: &str) -> KitError {
        KitError::Script { why: format!("scenario `{}` knows no case `{who}`", self.scenario) }
    }

    pub(super) fn with_case<T>(
        &self,
        case: CaseId,
        change: impl FnOnce(&mut TestCase) -> T,
    ) -> Result<T, KitError> {
        let mut book = self.shared().book();
        book.cases.get_mut(&case).map(change).ok_or_else(|| self.nobody("a case"))
    }
}
