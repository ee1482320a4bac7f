//! Who waits for the end of a case hears of it here: one cheap look at the log for everybody, after each commit.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use events::ids::CaseId;
use hub::wake::Wake;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// Looks at least this often.
const TICK: Duration = Duration::from_millis(100);

/// Cases whose end somebody waits for, or that have ended before anybody asked.
#[derive(Default)]
struct Known {
    awaited: HashMap<CaseId, oneshot::Sender<()>>,
    ended: HashMap<CaseId, ()>,
}

/// The one who looks.
pub struct Ends {
    known: Arc<Mutex<Known>>,
    looking: JoinHandle<()>,
}

impl Ends {
    /// Looks at the log at `path` whenever `recorded` rings.
    pub fn watch(path: &Path, recorded: &Wake) -> Self {
        let known = Arc::<Mutex<Known>>::default();
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let log = Connection::open_with_flags(path, flags).expect("the log is there");
        let mut ear = recorded.listen();
        let (told, mut log) = (known.clone(), Some(log));
        let looking = tokio::spawn(async move {
            let mut after = 0;
            loop {
                let mine = log.take().expect("it was put back");
                let looked = tokio::task::spawn_blocking(move || {
                    let found = ended_after(&mine, after);
                    (mine, found)
                });
                let (mine, (cases, last)) = looked.await.expect("the log can be read");
                log = Some(mine);
                after = last;
                tell(&told, cases);
                ear.heard(TICK).await;
            }
        });
        Self { known, looking }
    }

    /// Returns when the decision of `case` is on record.
    pub async fn of(&self, case: CaseId) {
        let (tell, told) = oneshot::channel();
        {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if known.ended.remove(&case).is_some() {
                return;
            }
            known.awaited.insert(case, tell);
        }
        told.await.expect("somebody looks");
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        self.looking.abort();
    }
}

fn tell(known: &Mutex<Known>, cases: Vec<CaseId>) {
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    for case in cases {
        match known.awaited.remove(&case) {
            Some(awaited) => {
                let _gone = awaited.send(());
            }
            None => {
                known.ended.insert(case, ());
            }
        }
    }
}

/// The cases that were completed after a position, and the last position that was looked at.
fn ended_after(log: &Connection, after: i64) -> (Vec<CaseId>, i64) {
    let sql = "SELECT position, CASE kind WHEN 'case.completed.v1' THEN name END
        FROM event JOIN stream USING (stream_ref) WHERE position > ?1 ORDER BY position";
    let mut statement = log.prepare_cached(sql).expect("it is a log");
    let mut rows = statement.query([after]).expect("it is a log");
    let (mut cases, mut last) = (Vec::new(), after);
    while let Some(row) = rows.next().expect("it is whole") {
        last = row.get(0).expect("a position");
        if let Some(id) = row.get::<_, Option<Vec<u8>>>(1).expect("a case's name is its id") {
            cases.push(CaseId(Uuid::from_slice(&id).expect("sixteen bytes")));
        }
    }
    (cases, last)
}
