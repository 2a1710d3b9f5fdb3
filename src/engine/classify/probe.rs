//! Probes: what they were answered, and whom the kubelet killed for it. A status shows neither.
//!
//! `Unhealthy` events say `Readiness probe failed: OUT` or `Liveness probe errored and resulted in unknown state: ERR`
//! (pkg/kubelet/prober and pkg/probe), `Killing` events `Container web failed liveness probe, will be restarted`
//! (pkg/kubelet/kuberuntime).

use super::hint;
use super::look::Look;
use super::start;
use crate::engine::facts::{ContainerFacts, ContainerTemplate, EventFacts, ProbeFacts, ProbeKind, Termination};
use crate::engine::finding::Told;
use crate::engine::moment::seconds_between;
use crate::engine::words::Cause;

/// How long a container that is asked to end may take as a rule (`terminationGracePeriodSeconds`).
const GRACE_SECONDS: i64 = 30;

/// Which of a container's probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Readiness,
    Liveness,
    Startup,
}

impl Asked {
    /// The probe itself.
    pub(super) fn of(self, container: &ContainerTemplate) -> Option<ProbeFacts> {
        match self {
            Self::Readiness => container.readiness,
            Self::Liveness => container.liveness,
            Self::Startup => container.startup,
        }
    }
}

/// What an `Unhealthy` event says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer<'m> {
    pub asked: Asked,
    /// The probe could not be carried out, as opposed to one that failed.
    pub errored: bool,
    pub said: &'m str,
}

/// Reads the message of an `Unhealthy` event.
pub(super) fn answer(message: &str) -> Option<Answer<'_>> {
    let probes = [("Readiness", Asked::Readiness), ("Liveness", Asked::Liveness), ("Startup", Asked::Startup)];
    let (asked, rest) = probes.iter().find_map(|(name, asked)| Some((*asked, message.strip_prefix(name)?)))?;
    let rest = rest.strip_prefix(" probe ")?;
    match rest.strip_prefix("failed:") {
        Some(said) => Some(Answer { asked, errored: false, said: said.trim_start() }),
        None => {
            let error = rest.strip_prefix("errored")?.split_once(": ").map_or("", |(_, error)| error);
            Some(Answer { asked, errored: true, said: error })
        }
    }
}

impl Answer<'_> {
    /// Why the container is not ready. What an exec probe prints is the program's own and may hold any words, so the
    /// kind of probe comes before its answer.
    pub(super) fn cause(&self, kind: Option<ProbeKind>) -> Cause {
        let says = |phrases: &[&str]| phrases.iter().any(|phrase| self.said.contains(phrase));
        if self.errored {
            // The runtime does its part, and the command of the probe is not in the image or may not be executed.
            if start::of_command(self.said).is_some() {
                return Cause::ReadinessExec;
            }
            // The container ended while it was asked; how it ended tells more.
            let gone = says(&["no running task", "not running", "not found"]);
            return if gone { Cause::Unknown } else { Cause::ProbeErrored };
        }
        let timed_out =
            says(&["context deadline exceeded", "i/o timeout", "Client.Timeout", "health rpc did not complete within"]);
        match kind {
            Some(ProbeKind::Exec) if self.said.starts_with("command ") && says(&[" timed out"]) => {
                Cause::ReadinessTimeout
            }
            Some(ProbeKind::Exec) => Cause::ReadinessExec,
            _ if says(&["HTTP probe failed with statuscode: "]) => Cause::ReadinessHttp,
            _ if says(&["connection refused", "no such host"]) => Cause::ReadinessRefused,
            // The kubelet does not get as far as the program.
            _ if says(&["no route to host", "network is unreachable"]) => Cause::ProbeErrored,
            _ if timed_out => Cause::ReadinessTimeout,
            // gRPC's own words for a connection that did not come about in time.
            Some(ProbeKind::Grpc) if self.said.starts_with("timeout: ") => Cause::ReadinessTimeout,
            Some(ProbeKind::Grpc) => Cause::ReadinessGrpc,
            _ if says(&["(responded with \"", "grpc health protocol"]) => Cause::ReadinessGrpc,
            _ if says(&[
                "EOF",
                "connection reset by peer",
                "malformed HTTP",
                "HTTP response to HTTPS client",
                "tls: ",
                "x509: ",
                "stopped after 10 redirects",
            ]) =>
            {
                Cause::ReadinessHttp
            }
            _ => Cause::Unknown,
        }
    }

    /// The port that was asked: that of `dial tcp 10.0.0.9:8081: connect: …` or of `Get "http://10.0.0.9:8081/": …`.
    pub(super) fn port(&self) -> Option<u16> {
        let address = match (self.said.split_once("dial tcp "), self.said.split_once("://")) {
            (Some((_, rest)), _) => rest.split(": ").next()?,
            (None, Some((_, rest))) => rest.split(['/', '"', '?']).next()?,
            (None, None) => return None,
        };
        address.rsplit_once(':')?.1.parse().ok()
    }
}

/// The newest answer to the readiness probe of a container since `at`, and why it is not ready by that.
pub(super) fn unready<'a>(
    look: &Look<'_, 'a>,
    container: &ContainerFacts,
    at: jiff::Timestamp,
    kind: Option<ProbeKind>,
) -> Option<(Cause, Told<'a>)> {
    let of_readiness = |event: &EventFacts| answer(&event.message).is_some_and(|a| a.asked == Asked::Readiness);
    let told = look
        .event_of(container, |event| hint::is(event, "Unhealthy") && hint::since(event, at) && of_readiness(event))?;
    Some((answer(&told.event.message)?.cause(kind), told))
}

/// The kubelet ended this run because a probe failed. An exit code does not tell: the program may catch the signal and
/// leave with any code, also 0.
pub(super) fn killed(look: &Look<'_, '_>, container: &ContainerFacts, run: &Termination) -> Option<Cause> {
    let asked = killing(look, container, run).or_else(|| failing(look, container, run)).map(|(asked, _)| asked);
    Some(match asked? {
        Asked::Startup => Cause::StartupProbeKilled,
        Asked::Readiness | Asked::Liveness => Cause::LivenessKilled,
    })
}

/// What the probe was answered for which the kubelet ended this run; else that it did.
pub(super) fn told<'a>(look: &Look<'_, 'a>, container: &ContainerFacts, run: &Termination) -> Option<Told<'a>> {
    let Some((asked, killing)) = killing(look, container, run) else {
        return failing(look, container, run).map(|(_, told)| told);
    };
    let answered = |event: &EventFacts| answer(&event.message).is_some_and(|answer| answer.asked == asked);
    let of_run = |event: &EventFacts| hint::is(event, "Unhealthy") && hint::during(event, run);
    look.event_of(container, |event| of_run(event) && answered(event)).or(Some(killing))
}

/// The event of the kill may be lost. A run that ended by a signal, soon after a probe had failed for which the kubelet
/// kills, ended for that.
fn failing<'a>(look: &Look<'_, 'a>, container: &ContainerFacts, run: &Termination) -> Option<(Asked, Told<'a>)> {
    let finished = run.finished.filter(|_| matches!(run.exit_code, 137 | 143))?;
    let template = look.template(container)?;
    // Nothing is killed for its readiness.
    let probe = |asked: Asked| asked.of(template).filter(|_| asked != Asked::Readiness);
    let failed = |event: &EventFacts| {
        let asked = answer(&event.message).filter(|answer| !answer.errored)?.asked;
        let period = i64::from(probe(asked)?.period_seconds);
        let soon = seconds_between(event.last, finished) <= period.saturating_add(GRACE_SECONDS);
        (soon && hint::is(event, "Unhealthy") && hint::during(event, run)).then_some(asked)
    };
    let told = look.event_of(container, |event| failed(event).is_some())?;
    Some((failed(told.event)?, told))
}

fn killing<'a>(look: &Look<'_, 'a>, container: &ContainerFacts, run: &Termination) -> Option<(Asked, Told<'a>)> {
    let failed = |event: &EventFacts| {
        let (name, rest) = event.message.strip_prefix("Container ")?.split_once(" failed ")?;
        let asked = match rest.split(' ').next()? {
            "liveness" => Asked::Liveness,
            "startup" => Asked::Startup,
            _ => return None,
        };
        (name == &*container.name).then_some(asked)
    };
    let of_run = |event: &EventFacts| hint::is(event, "Killing") && hint::during(event, run);
    let told = look.event_of(container, |event| of_run(event) && failed(event).is_some())?;
    Some((failed(told.event)?, told))
}
