//! Texts as they come in. What is kept of a text is short, and what tells may stand in the middle of a long one: so a long
//! text is read as a whole, and what it says is kept in place of what is cut off. Secrets are hidden before anything is cut.

use super::{ending, scheduling, start};
use crate::engine::facts::Termination;
use crate::engine::message::Message;
use crate::engine::text::{MAX_MESSAGE, clean, shown};

/// As much as a container can leave when it ends.
const MAX_READ: usize = 4096;
/// Bytes kept of a refusal to create pods. There are few of these, and their numbers are read when they are shown.
const MAX_REFUSAL: usize = 2048;

/// What was left of a run that ended so.
pub fn of_ending(ending: &Termination, text: &str) -> Message {
    let whole = shown(text, MAX_READ);
    if whole.len() <= MAX_MESSAGE {
        return whole.into();
    }
    if start::never_ran(ending) {
        return Message::of(&whole, &start::TEXTS, start::of_text);
    }
    if !ending::tells(ending) {
        return clean(&whole, MAX_MESSAGE).into();
    }
    Message::of(&whole, &ending::TEXTS, ending::of_text)
}

/// Why no node was found for a pod. The reasons that taints do not explain are kept first.
pub fn of_scheduler(text: &str) -> Message {
    let whole = shown(text, MAX_READ);
    if whole.len() <= MAX_MESSAGE {
        return whole.into();
    }
    let said = Message::of(&whole, &scheduling::REASONS, scheduling::read);
    match scheduling::shortened(&whole, MAX_MESSAGE) {
        Some(short) => said.kept_as(short.into()),
        None => said,
    }
}

/// Why the API server creates no pods.
pub fn of_refusal(text: &str) -> Message {
    shown(text, MAX_REFUSAL).into()
}

#[cfg(test)]
mod tests {
    use super::super::refusal;
    use super::super::tests::build::ended;
    use super::*;
    use crate::engine::words::{Cause, Class};

    /// A program's last words of over a kilobyte, whose reason stands in the middle.
    fn trace() -> String {
        let frames = |n: usize| {
            (0..n).map(|n| format!("\tat com.example.Orders.book{n}(Orders.java:{n})\n")).collect::<String>()
        };
        format!(
            "Exception in thread \"main\" java.lang.IllegalStateException: cannot start\n{}Caused by: \
             org.postgresql.util.PSQLException: ERROR: relation \"orders\" does not exist\n{}",
            frames(12),
            frames(14)
        )
    }

    #[test]
    fn the_middle_of_long_last_words_is_read() {
        let (text, ending) = (trace(), ended(1, "Error"));
        assert!(text.len() > 2 * MAX_MESSAGE);
        let message = of_ending(&ending, &text);
        assert!(message.len() <= MAX_MESSAGE && !message.contains("relation"));
        let said = message.says(&ending::TEXTS, ending::of_text).unwrap();
        assert_eq!((said.class, said.cause), (Class::CrashLoopBackOff, Cause::SchemaMismatch));
        // What others ended did not write about it, and what is short is kept as it is.
        assert_eq!(of_ending(&ended(137, "Error"), &text), message);
        assert_eq!(&*of_ending(&ending, "all is well"), "all is well");
    }

    #[test]
    fn the_middle_of_a_long_text_of_the_runtime_is_read() {
        let text = format!("failed: {}exec format error{}", "a ".repeat(400), " b".repeat(400));
        let message = of_ending(&ended(128, "StartError"), &text);
        assert!(!message.contains("exec format"));
        let said = message.says(&start::TEXTS, start::of_text).unwrap();
        assert_eq!(said.cause, Cause::WrongArchitecture);
    }

    #[test]
    fn many_taints_do_not_hide_that_nodes_are_full() {
        let taints: String =
            (0..20).map(|n| format!("1 node(s) had untolerated taint {{team-{n:02}: reserved}}, ")).collect();
        let text =
            format!("0/40 nodes are available: {taints}20 Insufficient cpu. preemption: 0/40 nodes are available");
        let message = of_scheduler(&text);
        assert!(message.len() <= MAX_MESSAGE, "{message}");
        assert!(
            message
                .starts_with("0/40 nodes are available: 20 Insufficient cpu, 1 node(s) had untolerated taint {team-00")
        );
        let said = message.says(&scheduling::REASONS, scheduling::read).unwrap();
        assert_eq!(said.cause, Cause::InsufficientResources);
        assert_eq!(scheduling::read(&scheduling::REASONS, &message), Some(said), "what is kept says the same");
        let nodes: u32 = scheduling::reasons(&message).map(|reason| reason.nodes).sum();
        assert_eq!(nodes, 40, "{message}");
    }

    #[test]
    fn a_quota_of_many_resources_keeps_its_numbers() {
        let list = |amount: u32| {
            let of = |n: u32| format!("count/resources-of-team-{n}.example.org={amount}");
            (0..7).map(of).collect::<Vec<_>>().join(",")
        };
        let text = format!(
            "pods \"web-1\" is forbidden: exceeded quota: team, requested: {}, used: {}, limited: {}",
            list(2),
            list(9),
            list(10)
        );
        assert!(text.len() > MAX_MESSAGE);
        assert_eq!(refusal::quota(&of_refusal(&text)).unwrap().shortages.len(), 7);
    }
}
