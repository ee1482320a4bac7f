//! What was said before: finds in a story the events that the same command led to the first time.

use events::case::CaseEvent;
use events::envelope::Recorded;
use hub_core::command::Command;

use super::case_event;

/// Whether the answer to a repeated command lies in the story.
pub(super) fn is_kept(command: &Command) -> bool {
    matches!(
        command,
        Command::Submit(_)
            | Command::SubmitCorrection { .. }
            | Command::Withdraw { .. }
            | Command::Record { .. }
    )
}

/// The events of the first time; none if the story has none for this very command.
pub(super) fn first_time(story: Vec<Recorded>, command: &Command) -> Vec<Recorded> {
    match command {
        Command::Submit(submit) => {
            let same = matches!(story.first().and_then(case_event),
                Some(CaseEvent::CaseSubmitted(it)) if it.digest == submit.digest);
            let leading = |it: &Recorded| {
                matches!(
                    case_event(it),
                    Some(CaseEvent::CaseSubmitted(_) | CaseEvent::CaseRouted(_))
                )
            };
            if same { story.into_iter().take(2).take_while(leading).collect() } else { Vec::new() }
        }
        Command::SubmitCorrection { digest, .. } => pick(
            story,
            |it| matches!(it, CaseEvent::CorrectionSubmitted(it) if it.digest == *digest),
        ),
        Command::Withdraw { .. } => pick(story, |it| matches!(it, CaseEvent::CaseWithdrawn(_))),
        Command::Record { message, .. } => {
            let report = Some(message.id.0);
            story.into_iter().filter(|it| it.envelope.caused_by == report).collect()
        }
        _ => Vec::new(),
    }
}

fn pick(story: Vec<Recorded>, is_it: impl Fn(&CaseEvent) -> bool) -> Vec<Recorded> {
    story.into_iter().find(|it| case_event(it).is_some_and(&is_it)).into_iter().collect()
}
