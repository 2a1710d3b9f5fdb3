//! The built-in rules, asked after those of the policy. `docs/operations.md` lists them; a test compares the two.

use super::facts::Name;
use super::policy::{Guards, LogAccess, Match, Mode, Policy, Rollout, Rule, RuleAction, Threshold};
use super::words::{Class, Severity};

/// What governs a workload where no policy says otherwise: every default.
pub fn policy() -> Policy {
    Policy {
        reference: Name::from("the defaults"),
        generation: 0,
        mode: Mode::Enforce,
        rollout: Rollout::default(),
        rules: rules(),
        guards: Guards::default(),
        logs: LogAccess::default(),
        impact: None,
        stands_in_for: None,
    }
}

/// The table, in the order in which it is asked.
pub fn rules() -> Vec<Rule> {
    use Class::*;
    vec![
        rule("builtin-image", &[ImagePullBackOff], RuleAction::RollBack, Severity::Critical),
        rule("builtin-memory", &[OOMKilled], RuleAction::RollBack, Severity::Critical),
        rule("builtin-crash", &[CrashLoopBackOff, ContainerStart], RuleAction::RollBack, Severity::Critical),
        rule("builtin-configuration", &[ContainerConfig, PodSetup], RuleAction::RollBack, Severity::Critical),
        rule("builtin-readiness", &[Unready, HealthCheck], RuleAction::RollBack, Severity::Critical),
        rule("builtin-creation", &[CreateRefused], RuleAction::RollBack, Severity::Warning),
        rule("builtin-scheduling", &[Pending], RuleAction::RollBack, Severity::Warning),
        rule("builtin-init", &[InitStuck], RuleAction::RollBack, Severity::Warning),
        rule("builtin-stalled", &[RolloutStalled], RuleAction::Hold, Severity::Warning),
        rule("builtin-nodes", &[Evicted, NodeLost], RuleAction::Hold, Severity::Info),
    ]
}

fn rule(name: &str, failures: &[Class], action: RuleAction, severity: Severity) -> Rule {
    Rule {
        name: name.to_owned(),
        matches: Match { failures: failures.to_vec(), ..Match::default() },
        threshold: Threshold::default(),
        action,
        severity,
    }
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator;

    use super::*;

    #[test]
    fn every_class_is_governed_by_exactly_one_builtin_rule() {
        for class in Class::iter() {
            let n = rules().iter().filter(|r| r.matches.failures.contains(&class)).count();
            assert_eq!(n, 1, "{class}");
        }
    }
}
