use proptest::prelude::*;
use rstest::rstest;

use super::*;

#[rstest]
#[case("dial postgres://app:s3cr3t@db:5432/x", "dial postgres://***@db:5432/x")]
#[case("amqp://guest:pa@ss@mq.shop.example.org:5672", "amqp://***@mq.shop.example.org:5672")]
#[case("redis://:hunter2@cache/0", "redis://***@cache/0")]
#[case(
    "see jdbc:postgresql://u:p@h/db?user=u&password=p&ssl=true",
    "see jdbc:postgresql://***@h/db?user=u&password=***&ssl=true"
)]
#[case("Authorization: Bearer abcdefgh12345", "Authorization: Bearer ***")]
#[case("authorization=Basic YXBwOmh1bnRlcjI=", "authorization=Basic ***")]
#[case("> Authorization: Token a b c\n> Accept: */*", "> Authorization: Token ***\n> Accept: */*")]
#[case("sent bearer aB3-._~+/=xyz twice", "sent bearer *** twice")]
#[case("Set-Cookie: session=a1b2; Path=/\nnext", "Set-Cookie: ***\nnext")]
#[case("got eyJhbGciOi.eyJzdWIiOi.c2ln back", "got *** back")]
#[case("?jwt=eyJhbGciOi.eyJzdWIiOi&n=1", "?jwt=***&n=1")]
#[case("DB_PASSWORD=hunter2 PORT=80", "DB_PASSWORD=*** PORT=80")]
#[case("PGPASSWORD=x MYSQL_PWD=y", "PGPASSWORD=*** MYSQL_PWD=***")]
#[case("spring.datasource.password = hunter2", "spring.datasource.password = ***")]
#[case("clientSecret: 9f8e7d6c", "clientSecret: ***")]
#[case("SECRET_KEY_BASE=abc AWSSecretKey=def", "SECRET_KEY_BASE=*** AWSSecretKey=***")]
#[case("password: swordfish", "password: ***")]
#[case("DB_PASS: hunter2, dbPass: swordfish", "DB_PASS: ***, dbPass: ***")]
#[case("auth: { user: 'app', pass: 'hunter2' }", "auth: { user: 'app', pass: '***' }")]
#[case(r#"{"level":"error","db_pass":"hunter2"}"#, r#"{"level":"error","db_pass":"***"}"#)]
#[case("serve --db-pass hunter2 --port 80", "serve --db-pass *** --port 80")]
#[case("serve -pass hunter2 -pw hunter2 --db-pw hunter2", "serve -pass *** -pw *** --db-pw ***")]
#[case("DB_PW=hunter2 APP_KEY=base64:c2VjcmV0", "DB_PW=*** APP_KEY=***")]
#[case(r#"[{"name":"DB_PASSWORD","value":"hunter2"}]"#, r#"[{"name":"DB_PASSWORD","value":"***"}]"#)]
#[case(r#"env="{\"key\": \"api_key\", \"value\": \"a b\"}""#, r#"env="{\"key\": \"api_key\", \"value\": \"***\"}""#)]
#[case("- name: DB_PASSWORD\n  value: hunter2", "- name: DB_PASSWORD\n  value: ***")]
#[case("{Name:DB_PASSWORD Value:hunter2 ValueFrom:nil}", "{Name:DB_PASSWORD Value:*** ValueFrom:nil}")]
#[case(r#"{"token": "abc", "n": 1}"#, r#"{"token": "***", "n": 1}"#)]
#[case(r#"{"password":"a\"b","n":1}"#, r#"{"password":"***","n":1}"#)]
#[case(r#"msg="{\"api_key\":\"abc\",\"n\":1}""#, r#"msg="{\"api_key\":\"***\",\"n\":1}""#)]
#[case(r#"config {:password=>"x", :port=>1}"#, r#"config {:password=>"***", :port=>1}"#)]
#[case("--api-key='a b' go", "--api-key='***' go")]
#[case("Server=db;User Id=sa;Password=my secret;Encrypt=true", "Server=db;User Id=sa;Password=***;Encrypt=true")]
#[case("AccountName=x;AccountKey=aGVsbG8=;EndpointSuffix=y", "AccountName=x;AccountKey=***;EndpointSuffix=y")]
#[case("SharedAccessKeyName=root;SharedAccessKey=abc=", "SharedAccessKeyName=root;SharedAccessKey=***")]
#[case("host=db user=app password='a b' dbname=x", "host=db user=app password='***' dbname=x")]
#[case("mail to someone.else+x@example.org now", "mail to *** now")]
#[case("<jane@mail.example.co.uk>", "<***>")]
#[case("id AKIAIOSFODNN7EXAMPLE used", "id *** used")]
#[case("key AIzaSyA-1234567890abcdefghijklmnopqrstu!", "key ***!")]
#[case("push with ghp_0123456789abcdefABCDEF0123456789abcd", "push with ***")]
#[case("slack xoxb-1234-5678-abcdefABCDEF1234", "slack ***")]
#[case("-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc=\n-----END RSA PRIVATE KEY-----\nafter", "***\nafter")]
#[case(
    "\"private_key\": \"-----BEGIN PRIVATE KEY-----\\nMIIE\\n-----END PRIVATE KEY-----\\n\"",
    "\"private_key\": \"***\""
)]
#[case("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl cut off", "***")]
#[case("read: MIIEpQIBAAKC+aGk=\n-----END PRIVATE KEY-----", "read:***")]
#[case("a://u:p@h token=x", "a://***@h token=***")]
#[case("token=Bearer abcdefgh12345", "token=*** ***")]
#[case("Authorization: Bearer DB_PASSWORD='hunter2'", "Authorization: Bearer ***'***'")]
#[case("https://x-access-token:ghs_0123@git.example/a", "https://***@git.example/a")]
#[case("open app:hunter2@tcp(db:3306)/shop?parseTime=true", "open ***@tcp(db:3306)/shop?parseTime=true")]
#[case("dsn=\"app:p@ss:w/rd@tcp(db:3306)/shop\"", "dsn=\"***@tcp(db:3306)/shop\"")]
#[case("DSN=app:pa=ss@unix(/run/mysqld.sock)/shop", "DSN=***@unix(/run/mysqld.sock)/shop")]
#[case("exec: app --password hunter2 --port 80", "exec: app --password *** --port 80")]
#[case("app --db-password 'hunter2' --api-key  k3y", "app --db-password '***' --api-key  ***")]
#[case(r#"["--password","hunter2","--port","80"]"#, r#"["--password","***","--port","80"]"#)]
#[case("args: -u app -p hunter2 -h db", "args: -u app -p *** -h db")]
#[case("+ mysql -h db -u app -phunter2 shop", "+ mysql -h db -u app -p*** shop")]
#[case("sshpass -p hunter2 ssh app@db", "sshpass -p *** ssh app@db")]
fn secrets_are_redacted(#[case] text: &str, #[case] redacted: &str) {
    assert_eq!(redact(text), redacted);
}

#[rstest]
#[case(r#"secret "db-password" not found"#)]
#[case(r#"MountVolume.SetUp failed for volume "db-secret" : secret "db-secret" not found"#)]
#[case("couldn't find key token in Secret shop/db")]
#[case("failed to fetch oauth token: 401 Unauthorized")]
#[case("SyntaxError: unexpected token: identifier")]
#[case("insufficient_scope: authorization failed")]
#[case("server requires basic authentication, Bearer tokens are refused")]
#[case(r#"password authentication failed for user "app""#)]
#[case("max_tokens=512 token_url=https://id/x secretName=db tokenizer=bpe")]
#[case("private_key_path=/etc/key password_file=/run/secrets/db")]
#[case("PWD=/home/app OLDPWD=/")]
#[case(r#"{"name":"LOG_LEVEL","value":"debug"} {"name":"DB_PASSWORD_FILE","value":"/run/db"} {"value":"x"}"#)]
#[case("pass=12 fail=3")]
#[case("tests: 31, pass: 30, fail: 1, second pass: done")]
#[case("password=${DB_PASSWORD} token= secret: {")]
#[case(r#"{"token": null, "password": ""}"#)]
#[case("GET https://unpkg.example/react@18.2.0/index.js and https://example.org/a?x=1#y")]
#[case("nginx@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")]
#[case("com.example.Bean@1f2e3d4c and user@host")]
#[case("Access denied for user 'app'@'10.1.2.3' (using password: YES)")]
#[case("-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----")]
#[case("AKIA is a prefix, akiaiosfodnn7example is not one")]
#[case("npm_config_registry_of_example_2=x ghp_short")]
#[case("/usr/local/lib/node/Releases/20240101/Applications/Server/Component/Main1")]
#[case("at 12:34:56 a=b, c: d")]
#[case("root@tcp(db:3306)/shop")]
#[case("flag --password is required, use --password-file or --token-url https://id/x")]
#[case("mkdir -p /srv/app && docker run -p 8080:80 web && psql -U app -p 5432")]
#[case("mysql -P 3306 and a password of the secret kind, a token to read")]
#[case("couldn't find key password in Secret shop/db")]
fn what_a_person_needs_to_see_is_not_redacted(#[case] text: &str) {
    assert_eq!(redact(text), text);
}

/// However long a secret is, all of it is hidden at once.
#[rstest]
#[case("Cookie: ", "")]
#[case("password=\"", "\"")]
#[case("password=\"", "")]
#[case("password=", " end")]
#[case("a=b;password=", ";c=d")]
#[case("token: ghp_0123456789abcdef", " end")]
fn a_long_secret_is_hidden_whole(#[case] before: &str, #[case] after: &str) {
    let redacted = redact(&format!("{before}{}{after}", "xY9".repeat(20_000))).into_owned();
    assert!(redacted.len() < 40 && !redacted.contains("xY9"), "{redacted:.100}");
    assert_eq!(redact(&redacted), redacted);
}

#[test]
fn a_masked_text_keeps_its_places() {
    let text = "start password=hunter2 ü postgres://app:pä@db end";
    let masked = mask(text);
    assert_eq!(masked.len(), text.len());
    assert_eq!(masked, "start password=******* ü postgres://*******@db end");
    assert_eq!(mask(&masked), masked);
}

#[test]
fn the_marks_make_an_automaton() {
    assert!(AUTOMATON.is_some());
}

/// A megabyte of what looks like the beginning of a secret is read in time that grows with its length alone: were it
/// squared, each of these would take hours and the test never end.
#[rstest]
#[case("password=\"")]
#[case("password='a")]
#[case("token: ")]
#[case("=")]
#[case("a://")]
#[case("a://b@")]
#[case("a@b.")]
#[case("eyJ")]
#[case("eyJabcde.")]
#[case("bearer ")]
#[case("-----BEGIN PRIVATE KEY-----")]
#[case("-----END PRIVATE KEY-----")]
#[case("aB3")]
#[case("Cookie: a")]
#[case("\\\"token\\\":\\\"x")]
#[case("é=ß@")]
#[case("token=${")]
#[case("token=\"${")]
#[case("cookie:${")]
#[case("oldpwd=/")]
#[case("eyJa.")]
#[case("eyJabcde.a.")]
#[case("ghp_")]
#[case("github_pat_.")]
#[case("token=Bearer ")]
#[case("token='a\"token=\"a'")]
#[case("--token ")]
#[case(" -p")]
#[case("mysql -p ")]
#[case("a:b@tcp(")]
fn a_megabyte_of_marks_comes_to_an_end(#[case] part: &str) {
    let text = part.repeat(1_000_000 / part.len());
    let once = redact(&text).into_owned();
    assert_eq!(redact(&once), once);
}

/// Text that is rich in what secrets are made of.
fn rich() -> impl Strategy<Value = String> {
    let parts = prop_oneof![
        Just("password".to_owned()),
        Just("token".to_owned()),
        Just("://".to_owned()),
        Just("Bearer ".to_owned()),
        Just("Authorization: ".to_owned()),
        Just("eyJabcdef.".to_owned()),
        Just("-----BEGIN PRIVATE KEY-----".to_owned()),
        Just("-----END PRIVATE KEY-----".to_owned()),
        Just("***".to_owned()),
        Just("AKIAIOSFODNN7EXAMPLE".to_owned()),
        Just(" --password ".to_owned()),
        Just(" mysql -p".to_owned()),
        Just("app:x@tcp(".to_owned()),
        "[=:@\"'\\\\ /;,.*&\n{}a-zA-Z0-9é]{1,6}",
    ];
    proptest::collection::vec(parts, 0..24).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn redacting_twice_is_redacting_once(text in rich()) {
        let once = redact(&text).into_owned();
        let twice = redact(&once).into_owned();
        prop_assert_eq!(twice, once);
    }

    #[test]
    fn any_text_can_be_redacted(text in "\\PC*|(?s).*") {
        let _ = redact(&text);
    }

    #[test]
    fn a_password_never_shows(name in "(DB_|my-|app\\.)?(password|PASSWORD|secret|apiKey|token)", value in "[a-zA-Z0-9!%/+_.-]{6,30}[0-9]", form in 0_usize..5) {
        let text = match form {
            0 => format!("start {name}={value} end"),
            1 => format!("start {name}: {value} end"),
            2 => format!("{{\"a\":1,\"{name}\":\"{value}\"}}"),
            3 => format!("level=info msg=\"{name}='{value}'\""),
            _ => format!("postgres://app:{}@db/x", value.replace('/', "")),
        };
        let shown = redact(&text);
        prop_assert!(!shown.contains(&value), "{}", shown);
    }
}
