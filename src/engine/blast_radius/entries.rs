//! Where Ingresses and HTTPRoutes lead, and which of their hosts lead to a Service.

use super::some;
use crate::engine::text;

/// Every host.
pub const ANY_HOST: &str = "*";
/// Every host that has no rule of its own.
pub const ANY_OTHER_HOST: &str = "any other host";

/// Bytes of a host and what leads from it.
pub(super) const MAX_HOST: usize = 320;

/// What an Ingress or HTTPRoute does with requests for some hosts.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// `Ingress shop`.
    pub name: String,
    pub hosts: Vec<String>,
    pub ways: Vec<Way>,
}

/// What some of these requests lead to.
#[derive(Clone, Debug, PartialEq)]
pub struct Way {
    /// The paths that they are for; an empty one stands for every path that has no way of its own.
    pub paths: Vec<String>,
    pub services: Vec<String>,
}

impl Way {
    pub fn to(paths: Vec<String>, services: Vec<String>) -> Self {
        Self { paths, services }
    }
}

impl Entry {
    /// Its hosts, if they lead to a Service that is meant: with the paths that do, where the others lead elsewhere.
    pub(super) fn led(&self, is_meant: impl Fn(&String) -> bool) -> impl Iterator<Item = String> {
        let leads = |way: &&Way| way.services.iter().any(&is_meant);
        let led: Vec<&Way> = self.ways.iter().filter(leads).collect();
        let hosts = if led.is_empty() { &[] } else { &*self.hosts };
        let mut paths: Vec<&str> = led.iter().flat_map(|way| &way.paths).map(String::as_str).collect();
        if led.len() == self.ways.len() || paths.contains(&"") {
            paths.clear();
        }
        paths.sort_unstable();
        paths.dedup();
        let paths = some(&paths);
        hosts.iter().map(move |host| led_from(&format!("{host}{paths}"), &self.name))
    }
}

/// A host with what leads from it. Both may be as long as names are.
pub(super) fn led_from(host: &str, entry: &str) -> String {
    text::clean(&format!("{host} ({entry})"), MAX_HOST).into()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::nowhere_near(&[("", "other")], &[])]
    #[case::the_whole_host(&[("", "web")], &["a.b (Ingress shop)", "c.d (Ingress shop)"])]
    #[case::all_its_paths(&[("/x", "web"), ("/y", "web")], &["a.b (Ingress shop)", "c.d (Ingress shop)"])]
    #[case::one_path(&[("", "other"), ("/x", "web")], &["a.b/x (Ingress shop)", "c.d/x (Ingress shop)"])]
    #[case::all_but_one_path(&[("", "web"), ("/x", "other")], &["a.b (Ingress shop)", "c.d (Ingress shop)"])]
    #[case::many_paths(
        &[("/z", "web"), ("/x", "web"), ("/x", "web"), ("/v", "web"), ("/y", "web"), ("", "other")],
        &["a.b/v, /x, /y and 1 more (Ingress shop)", "c.d/v, /x, /y and 1 more (Ingress shop)"])]
    fn a_host_is_told_as_far_as_it_leads_there(#[case] ways: &[(&str, &str)], #[case] told: &[&str]) {
        let way = |(path, service): &(&str, &str)| Way::to(vec![(*path).to_owned()], vec![(*service).to_owned()]);
        let hosts = ["a.b", "c.d"].map(str::to_owned).to_vec();
        let entry = Entry { name: "Ingress shop".to_owned(), hosts, ways: ways.iter().map(way).collect() };
        assert_eq!(entry.led(|service| service == "web").collect::<Vec<_>>(), told);
    }

    #[test]
    fn a_host_and_what_leads_from_it_fit_however_long_their_names_are() {
        assert_eq!(led_from("shop.example.com", "Ingress shop"), "shop.example.com (Ingress shop)");
        let long = led_from(&"h".repeat(253), &format!("HTTPRoute {}/{}", "n".repeat(63), "r".repeat(246)));
        assert!(long.len() <= MAX_HOST && long.starts_with("hhh") && long.ends_with("rrr)"), "{long}");
    }
}
