//! Which names stand for a secret, such as `DB_PASSWORD`, `clientSecret` or `app-key`.

/// Words that stand for a secret in a name.
const SECRET_WORDS: &[&str] = &[
    "credential",
    "credentials",
    "accesskey",
    "accountkey",
    "privatekey",
    "secretkey",
    "authkey",
    "authorization",
    "cookie",
    "jwt",
    "masterauth",
];
/// Ends of words that do so, where a name is written as one word.
const SECRET_ENDS: &[&str] =
    &["password", "passwd", "passphrase", "pwd", "secret", "token", "apikey", "sessionid", "sessid"];
/// Words that end in `pass` and are about none.
const NO_PASSWORDS: &[&str] = &[
    "bypass",
    "compass",
    "trespass",
    "surpass",
    "overpass",
    "underpass",
    "subpass",
    "renderpass",
    "multipass",
    "lowpass",
    "highpass",
    "bandpass",
];
/// Words that make a secret of the key that follows them. Other keys find something: primary, cache or routing keys.
const KEY_OWNERS: &[&str] = &[
    "api",
    "app",
    "access",
    "private",
    "secret",
    "account",
    "encryption",
    "signing",
    "master",
    "shared",
    "auth",
    "storage",
    "hmac",
    "ssh",
    "rsa",
    "aes",
    "gpg",
    "license",
    "licence",
    "session",
    "webhook",
    "deploy",
    "openai",
    "anthropic",
    "gemini",
    "mistral",
    "stripe",
    "sendgrid",
    "mailgun",
    "twilio",
    "algolia",
    "datadog",
    "azure",
];
/// Words that do so only together.
const OWNERS_TOGETHER: &[[&str; 3]] = &[["service", "role", "key"]];
/// Last words of names that are about a secret and do not hold it.
const HARMLESS_ENDS: &[&str] = &[
    "url",
    "uri",
    "path",
    "file",
    "name",
    "ref",
    "ttl",
    "timeout",
    "expiry",
    "expires",
    "expiration",
    "count",
    "length",
    "len",
    "size",
    "sizes",
    "bits",
    "type",
    "endpoint",
    "host",
    "port",
    "rounds",
    "enabled",
    "required",
    "version",
    "policy",
    "class",
    "provider",
    "store",
    "id",
    "namespace",
    "limit",
    "field",
    "header",
    "algorithm",
    "alg",
    "format",
    "issuer",
    "audience",
    "scope",
    "age",
    "lifetime",
    "rotation",
    "manager",
    "mount",
];
/// The words of a name such as `DB_PASSWORD`, `dbPassword` or `db.password`, in lower case.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut before = b'_';
    for (at, byte) in name.bytes().enumerate() {
        if byte.is_ascii_alphanumeric() {
            let next_is_lower = name.as_bytes().get(at + 1).is_some_and(u8::is_ascii_lowercase);
            let capital = byte.is_ascii_uppercase() && (!before.is_ascii_uppercase() || next_is_lower);
            match words.last_mut().filter(|_| before.is_ascii_alphanumeric() && !capital) {
                Some(word) => word.push(char::from(byte.to_ascii_lowercase())),
                None => words.push(char::from(byte.to_ascii_lowercase()).to_string()),
            }
        }
        before = byte;
    }
    words
}

/// One of these is in every name that stands for a secret.
const SECRET_PARTS: &[&str] =
    &["auth", "cookie", "credential", "jwt", "key", "pass", "pw", "secret", "sess", "sig", "token"];

/// Most names do not, which can be told without taking them apart.
pub(super) fn may_stand_for_a_secret(name: &str) -> bool {
    let begins = |byte: u8| matches!(byte.to_ascii_lowercase(), b'a' | b'c' | b'j' | b'k' | b'p' | b's' | b't');
    let is = |at: usize, part: &&str| name.get(at..at + part.len()).is_some_and(|s| s.eq_ignore_ascii_case(part));
    name.bytes().enumerate().any(|(at, byte)| begins(byte) && SECRET_PARTS.iter().any(|part| is(at, part)))
}

/// Its last word is `pass` or `pw`, or ends so as `dbpass` does.
pub(super) fn is_short_password(words: &[String]) -> bool {
    words.last().is_some_and(|last| last == "pass" || last == "pw" || is_joined(last))
}

/// A word that is a name by itself, other than `pass`, which counts tests too.
pub(super) fn is_joined(word: &str) -> bool {
    (word.len() > 4 && word.ends_with("pass") && !NO_PASSWORDS.iter().any(|other| word.ends_with(other)))
        || (word.len() > 2 && word.ends_with("pw"))
}

pub(super) fn stands_for_a_secret(words: &[String], by_equals: bool) -> bool {
    let Some((last, before)) = words.split_last() else { return false };
    let is_session = last == "id" && before.last().is_some_and(|word| word == "session");
    let is_login = last == "auth" && before.last().is_some_and(|word| word == "rediscli");
    if is_session || is_login || (by_equals && (is_short_password(words) || last == "sig")) {
        return true;
    }
    let owns = |pair: &[String]| matches!(pair, [owner, key] if key == "key" && KEY_OWNERS.contains(&owner.as_str()));
    let is_secret =
        |word: &String| SECRET_WORDS.contains(&word.as_str()) || SECRET_ENDS.iter().any(|end| word.ends_with(end));
    let own_together = |three: &[String]| OWNERS_TOGETHER.iter().any(|owners| three == owners);
    (words.iter().any(is_secret) || words.windows(2).any(owns) || words.windows(3).any(own_together))
        && !HARMLESS_ENDS.contains(&last.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_that_stands_for_a_secret_is_passed_over() {
        let keys = KEY_OWNERS.iter().map(|owner| format!("{owner}_key"));
        let others = [SECRET_WORDS, SECRET_ENDS, &["session_id", "pass", "sig", "bindpw", "REDISCLI_AUTH"]].concat();
        let together = OWNERS_TOGETHER.iter().map(|words| words.join("_"));
        for name in others.into_iter().map(str::to_owned).chain(keys).chain(together) {
            assert!(stands_for_a_secret(&words(&name), true), "{name}");
            assert!(may_stand_for_a_secret(&name.to_uppercase()), "{name}");
        }
    }
}
