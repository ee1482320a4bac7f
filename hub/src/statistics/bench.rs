//! Where reports are made: one at a time, a slice of the log at a time, and what was folded is kept for the next page.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use events::envelope::Position;
use events::ids::ProvinceCode;
use tokio::sync::Semaphore;

use super::fold::{Figures, Fold};
use super::period::Period;
use crate::log::Readers;
use crate::views::feed::feed;
use crate::views::reader::ViewError;

/// Events folded before somebody looks at the watch.
const SLICE_EVENTS: u64 = 20_000;
/// How long one caller may keep the bench; then it says how far it came.
const PATIENCE: Duration = Duration::from_secs(8);
/// How many half-made or live folds are kept.
const FOLDS_MAX: usize = 4;
/// How many finished reports are kept, so that a page's export is what the page showed.
const FIGURES_MAX: usize = 4;

/// Which report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Asked {
    /// Of which time.
    pub period: Period,
    /// Of one province only.
    pub scope: Option<ProvinceCode>,
    /// As of this position; without, as of now.
    pub at: Option<Position>,
}

/// What came of it.
#[derive(Debug, Clone)]
pub enum Told {
    /// Here it is.
    Done(Arc<Figures>),
    /// The log is long: so far, of so many.
    NotYet {
        /// Folded.
        done: Position,
        /// To fold.
        of: Position,
    },
    /// The log is not that long.
    NoSuchPosition,
    /// Somebody else's report is being made.
    Busy,
}

/// Copies share.
#[derive(Clone)]
pub struct Bench(Arc<Inside>);

struct Inside {
    readers: Readers,
    place: Arc<Semaphore>,
    /// What is being made, how far it is, and of how much.
    under_way: Mutex<Option<(Asked, Position, Position)>>,
    /// The last used one is the last.
    folds: Mutex<VecDeque<(Asked, Fold)>>,
    figures: Mutex<VecDeque<Arc<Figures>>>,
    /// The last ones made as of their moment, for whoever would rather have those than wait.
    latest: Mutex<VecDeque<(Asked, Arc<Figures>)>>,
}

impl Bench {
    /// Works on this log.
    pub fn new(readers: Readers) -> Self {
        Self(Arc::new(Inside {
            readers,
            place: Arc::new(Semaphore::new(1)),
            under_way: Mutex::default(),
            folds: Mutex::default(),
            figures: Mutex::default(),
            latest: Mutex::default(),
        }))
    }

    /// Makes it, or says how far it came. Whoever asks again goes on from there.
    pub async fn figures(&self, asked: Asked) -> Result<Told, ViewError> {
        if let Some(known) = self.known(&asked) {
            return Ok(Told::Done(known));
        }
        let place = tokio::time::timeout(PATIENCE * 2, self.0.place.acquire()).await;
        let Ok(Ok(_place)) = place else { return Ok(Told::Busy) };
        let bench = self.clone();
        match tokio::task::spawn_blocking(move || bench.work(asked)).await {
            Ok(told) => told,
            Err(panic) => {
                Err(ViewError::Store { what: "fold", view: "statistics", source: Box::new(panic) })
            }
        }
    }

    /// The same for somebody who does not wait for it: unless it is there within `wait`, how far it is. The
    /// making goes on, one at a time, and whoever asks again finds it further on.
    pub async fn soon(&self, asked: Asked, wait: Duration) -> Result<Told, ViewError> {
        if let Some(known) = self.known(&asked) {
            return Ok(Told::Done(known));
        }
        let making = async {
            let place = self.0.place.clone().acquire_owned().await.ok()?;
            let bench = self.clone();
            let work = tokio::task::spawn_blocking(move || {
                let _place = place;
                bench.work(asked)
            });
            Some(work.await)
        };
        match tokio::time::timeout(wait, making).await {
            Ok(Some(Ok(told))) => told,
            Ok(Some(Err(panic))) => {
                Err(ViewError::Store { what: "fold", view: "statistics", source: Box::new(panic) })
            }
            Ok(None) | Err(_) => self.far(&asked),
        }
    }

    /// The last finished ones of these that were made as of their moment, if there are any: somewhat older than
    /// now. In a long log even what is left to do may take longer than a page of counters waits.
    pub fn last(&self, asked: &Asked) -> Option<Arc<Figures>> {
        let latest = self.0.latest.lock().unwrap_or_else(PoisonError::into_inner);
        latest.iter().find(|it| it.0 == *asked).map(|it| it.1.clone())
    }

    fn remember(&self, asked: Asked, figures: Arc<Figures>) {
        let mut latest = self.0.latest.lock().unwrap_or_else(PoisonError::into_inner);
        latest.retain(|it| it.0 != asked);
        latest.push_back((asked, figures));
        if latest.len() > FIGURES_MAX {
            latest.pop_front();
        }
    }

    /// How far it is, without making anything.
    fn far(&self, asked: &Asked) -> Result<Told, ViewError> {
        let under_way = *self.0.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, done, of)) = under_way.filter(|it| it.0 == *asked) {
            return Ok(Told::NotYet { done, of });
        }
        let head = self.head()?;
        let of = asked.at.unwrap_or(head);
        if of > head {
            return Ok(Told::NoSuchPosition);
        }
        let folds = self.0.folds.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = folds.iter().find(|it| it.0 == *asked);
        Ok(Told::NotYet { done: kept.map_or(Position(0), |it| it.1.position()), of })
    }

    fn head(&self) -> Result<Position, ViewError> {
        let head = self.0.readers.read(|log| log.head()).map_err(ViewError::Log)?;
        Ok(head.map_or(Position(0), |it| it.0))
    }

    /// Until it is dropped, nothing is made.
    #[cfg(test)]
    pub(super) async fn held(&self) -> tokio::sync::OwnedSemaphorePermit {
        self.0.place.clone().acquire_owned().await.expect("nobody closes it")
    }

    fn known(&self, asked: &Asked) -> Option<Arc<Figures>> {
        let at = asked.at?;
        let figures = self.0.figures.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |it: &&Arc<Figures>| {
            (it.period, it.scope, it.position) == (asked.period, asked.scope, at)
        };
        figures.iter().find(fits).cloned()
    }

    fn work(&self, asked: Asked) -> Result<Told, ViewError> {
        let told = self.fold_on(asked);
        self.tell(None);
        told
    }

    fn tell(&self, far: Option<(Asked, Position, Position)>) {
        *self.0.under_way.lock().unwrap_or_else(PoisonError::into_inner) = far;
    }

    fn fold_on(&self, asked: Asked) -> Result<Told, ViewError> {
        let head = self.head()?;
        let until = asked.at.unwrap_or(head);
        if until > head {
            return Ok(Told::NoSuchPosition);
        }
        let mut fold = self.take(&asked);
        let begun = Instant::now();
        while fold.position() < until {
            self.tell(Some((asked, fold.position(), until)));
            let to = Position(until.0.min(fold.position().0 + SLICE_EVENTS));
            run(&self.0.readers, &mut fold, to)?;
            if begun.elapsed() > PATIENCE && fold.position() < until {
                let done = fold.position();
                self.put(asked, fold);
                return Ok(Told::NotYet { done, of: until });
            }
        }
        let figures = Arc::new(fold.figures());
        // A fold of the past has said all that it will ever be asked.
        if asked.at.is_none() {
            self.put(asked, fold);
            self.remember(asked, figures.clone());
        }
        let mut kept = self.0.figures.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back(figures.clone());
        if kept.len() > FIGURES_MAX {
            kept.pop_front();
        }
        Ok(Told::Done(figures))
    }

    fn take(&self, asked: &Asked) -> Fold {
        let mut folds = self.0.folds.lock().unwrap_or_else(PoisonError::into_inner);
        let found = folds.iter().position(|it| it.0 == *asked).and_then(|at| folds.remove(at));
        found.map_or_else(|| Fold::new(asked.period, asked.scope), |it| it.1)
    }

    fn put(&self, asked: Asked, fold: Fold) {
        let mut folds = self.0.folds.lock().unwrap_or_else(PoisonError::into_inner);
        folds.push_back((asked, fold));
        if folds.len() > FOLDS_MAX {
            folds.pop_front();
        }
    }
}

fn run(readers: &Readers, fold: &mut Fold, until: Position) -> Result<(), ViewError> {
    let after = fold.position();
    let step = |fold: &mut Fold, it: &events::envelope::Recorded| {
        fold.step(it).map_err(|it| ViewError::UnknownEvent { position: it.0 })
    };
    feed(readers, after, Some(until), fold, step, |_, _| Ok(()))
}

/// The same on this thread and to its end: for the command line. `None`: the log is not that long.
pub fn compute(
    readers: &Readers,
    asked: Asked,
    progress: &mut dyn FnMut(Position, Position),
) -> Result<Option<Figures>, ViewError> {
    let head = readers.read(|log| log.head()).map_err(ViewError::Log)?;
    let head = head.map_or(Position(0), |it| it.0);
    let until = asked.at.unwrap_or(head);
    if until > head {
        return Ok(None);
    }
    let mut fold = Fold::new(asked.period, asked.scope);
    while fold.position() < until {
        let to = Position(until.0.min(fold.position().0 + SLICE_EVENTS));
        run(readers, &mut fold, to)?;
        progress(fold.position(), until);
    }
    Ok(Some(fold.figures()))
}
