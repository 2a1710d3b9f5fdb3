//! The numbers in a refusal to create a pod: of quotas (apiserver/pkg/admission/plugin/resourcequota) and of limit
//! ranges (plugin/pkg/admission/limitranger).
//!
//! ```text
//! exceeded quota: team, requested: limits.cpu=2,pods=1, used: limits.cpu=9,pods=3, limited: limits.cpu=10,pods=3
//! maximum cpu usage per Container is 500m, but limit is 2
//! ```

use std::fmt;

use super::amounts::Amount;

/// A quota that leaves no room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Quota<'t> {
    pub name: &'t str,
    pub shortages: Vec<Shortage<'t>>,
}

/// A resource of which the quota has not enough left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shortage<'t> {
    pub resource: &'t str,
    pub requested: Amount,
    pub used: Amount,
    pub limited: Amount,
}

impl Shortage<'_> {
    fn is_one(&self) -> bool {
        self.limited.less(self.used) < self.requested
    }
}

/// Reads `exceeded quota: …`. A text that lost its middle gives what is left of it.
pub(super) fn quota(message: &str) -> Option<Quota<'_>> {
    let Quota { name, mut shortages } = limits(message)?;
    shortages.retain(Shortage::is_one);
    Some(Quota { name, shortages }).filter(|quota| !quota.shortages.is_empty())
}

/// The same with what there was enough of.
pub(super) fn limits(message: &str) -> Option<Quota<'_>> {
    let (_, rest) = message.split_once("exceeded quota: ")?;
    let (name, rest) = rest.split_once(", requested: ")?;
    let (requested, rest) = rest.split_once(", used: ")?;
    let (used, limited) = rest.split_once(", limited: ")?;
    // A refusal may go on after the list.
    let limited = limited.split([' ', ']']).next().unwrap_or(limited);
    let of = |list: &'_ str, resource: &str| {
        let pair = list.split(',').find_map(|pair| pair.trim().strip_prefix(resource)?.strip_prefix('='));
        pair.and_then(Amount::read)
    };
    let all = requested.split(',').filter_map(|pair| {
        let (resource, amount) = pair.trim().split_once('=')?;
        let (requested, used, limited) = (Amount::read(amount)?, of(used, resource)?, of(limited, resource)?);
        Some(Shortage { resource, requested, used, limited })
    });
    Some(Quota { name, shortages: all.collect() })
}

impl fmt::Display for Shortage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { resource, requested, used, limited } = self;
        write!(f, "{resource}: {requested} asked for, {} left ({used} of {limited} used)", limited.less(*used))
    }
}

/// A bound of a limit range that a pod or a container is outside of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bound<'t> {
    /// `maximum` or `minimum`.
    pub end: &'t str,
    pub resource: &'t str,
    /// `Container`, `Pod` or `PersistentVolumeClaim`.
    pub of: &'t str,
    pub bound: Amount,
    /// `None` where the pod sets nothing.
    pub given: Option<Amount>,
}

/// Reads every bound in a refusal, which may hold several.
pub(super) fn bounds(message: &str) -> Vec<Bound<'_>> {
    message.match_indices(" usage per ").filter_map(|(at, _)| bound(message, at)).collect()
}

fn bound(message: &str, at: usize) -> Option<Bound<'_>> {
    let (before, after) = message.split_at_checked(at)?;
    let (before, resource) = before.rsplit_once(' ')?;
    let end = ["maximum", "minimum"].into_iter().find(|end| before.ends_with(end))?;
    let (of, rest) = after.strip_prefix(" usage per ")?.split_once(" is ")?;
    let word = |text: &'_ str| Amount::read(text.split([',', ' ', ']']).next()?.trim_end_matches('.'));
    let own = rest.split_once("usage per ").map_or(rest, |(own, _)| own);
    let given = own.split_once(", but ").and_then(|(_, given)| word(given.split_once(" is ")?.1));
    Some(Bound { end, resource, of, bound: word(rest)?, given })
}

impl fmt::Display for Bound<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { end, resource, of, bound, given } = self;
        let end = if *end == "maximum" { "most" } else { "least" };
        match given {
            Some(given) => write!(f, "{resource} of a {of}: {given} given, at {end} {bound} allowed"),
            None => write!(f, "{resource} of a {of}: nothing given, at {end} {bound} allowed"),
        }
    }
}

/// The most that a limit may be of its request, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ratio<'t> {
    pub resource: &'t str,
    /// `Container` or `Pod`.
    pub of: &'t str,
    pub most: Amount,
    /// `None` where the pod sets no limit or no request.
    pub given: Option<Amount>,
}

const RATIO: &str = " max limit to request ratio per ";

/// Reads every ratio in a refusal.
pub(super) fn ratios(message: &str) -> Vec<Ratio<'_>> {
    message.match_indices(RATIO).filter_map(|(at, _)| ratio(message, at)).collect()
}

fn ratio(message: &str, at: usize) -> Option<Ratio<'_>> {
    let (before, after) = message.split_at_checked(at)?;
    let resource = before.rsplit([' ', '[']).next()?;
    let (of, rest) = after.strip_prefix(RATIO)?.split_once(" is ")?;
    let number = |text: &'_ str| Amount::read(text.split([',', ' ', ']']).next()?.trim_end_matches('.'));
    let own = rest.split_once(RATIO).map_or(rest, |(own, _)| own);
    let given = own.split_once("provided ratio is ").and_then(|(_, given)| number(given));
    Some(Ratio { resource, of, most: number(rest)?, given })
}

impl fmt::Display for Ratio<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { resource, of, most, given } = self;
        match given {
            Some(given) => {
                write!(f, "{resource} of a {of}: the limit is {given} times the request, at most {most} times allowed")
            }
            None => write!(f, "{resource} of a {of}: no limit or request given, at most {most} times it allowed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_quota_names_what_it_has_not_enough_of() {
        let text = "pods \"web-6d-x\" is forbidden: exceeded quota: team, requested: limits.cpu=2,pods=1,requests.memory=1Gi, \
                    used: limits.cpu=9,pods=3,requests.memory=3Gi, limited: limits.cpu=10,pods=10,requests.memory=4Gi";
        let quota = quota(text).unwrap();
        let shown: Vec<String> = quota.shortages.iter().map(ToString::to_string).collect();
        assert_eq!((quota.name, shown), ("team", vec!["limits.cpu: 2 asked for, 1 left (9 of 10 used)".to_owned()]));
    }

    #[test]
    fn units_of_both_kinds_are_compared() {
        let text = "exceeded quota: q, requested: requests.memory=512Mi,requests.cpu=500m, used: requests.memory=1Gi,requests.cpu=1800m, limited: requests.memory=1.25Gi,requests.cpu=2";
        let shown: Vec<String> = quota(text).unwrap().shortages.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "requests.memory: 512Mi asked for, 256Mi left (1Gi of 1280Mi used)",
                "requests.cpu: 500m asked for, 200m left (1800m of 2 used)"
            ]
        );
    }

    #[test]
    fn a_quota_that_was_cut_or_has_room_is_none() {
        for text in [
            "exceeded quota: team, requested: pods=1, used: po … =10",
            "exceeded quota: team",
            "exceeded quota: team, requested: pods=1, used: pods=3, limited: pods=4",
            "exceeded quota: team, requested: pods=one, used: pods=3, limited: pods=3",
            "",
        ] {
            assert_eq!(quota(text), None, "{text}");
        }
    }

    #[test]
    fn limit_ranges_say_what_was_given_and_what_is_allowed() {
        let shown = |text| bounds(text).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            shown("pods \"x\" is forbidden: maximum cpu usage per Container is 500m, but limit is 2"),
            ["cpu of a Container: 2 given, at most 500m allowed"]
        );
        assert_eq!(
            shown(
                "pods \"x\" is forbidden: [minimum memory usage per Pod is 64Mi, but request is 33554432, maximum cpu usage per Container is 1, but limit is 2]"
            ),
            ["memory of a Pod: 32Mi given, at least 64Mi allowed", "cpu of a Container: 2 given, at most 1 allowed"]
        );
        assert_eq!(
            shown("maximum memory usage per Container is 1Gi.  No limit is specified"),
            ["memory of a Container: nothing given, at most 1Gi allowed"]
        );
        assert_eq!(shown("cpu max limit to request ratio per Container is 2, but provided ratio is 4.000000"), [""; 0]);
    }

    #[test]
    fn ratios_say_how_far_a_limit_may_be_from_its_request() {
        let shown = |text| ratios(text).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            shown(
                "pods \"x\" is forbidden: cpu max limit to request ratio per Container is 2, but provided ratio is 4.000000"
            ),
            ["cpu of a Container: the limit is 4 times the request, at most 2 times allowed"]
        );
        assert_eq!(
            shown(
                "[cpu max limit to request ratio per Pod is 1500m, but no request is specified, memory max limit to request ratio per Container is 2, but provided ratio is 2.500000.]"
            ),
            [
                "cpu of a Pod: no limit or request given, at most 1500m times it allowed",
                "memory of a Container: the limit is 2500m times the request, at most 2 times allowed"
            ]
        );
        assert_eq!(shown("max limit to request ratio per Container is 2"), [""; 0]);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,40}(exceeded quota: | usage per | is )?\\PC{0,40}(, requested: |, used: |=|, but )?\\PC{0,40}") {
            let _ = (quota(&text), bounds(&text), ratios(&text));
        }
    }
}
