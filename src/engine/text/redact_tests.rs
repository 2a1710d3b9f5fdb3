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
#[case("bearer aB3-._~+/=x twice; authorization=Basic YXBwOmh1bnRlcjI=", "bearer *** twice; authorization=Basic ***")]
#[case("> Authorization: Token a b c\n> Accept: */*", "> Authorization: Token ***\n> Accept: */*")]
#[case("Set-Cookie: session=a1b2; Path=/\nnext", "Set-Cookie: ***\nnext")]
#[case("got eyJhbGciOi.eyJzdWIiOi.c2ln back", "got *** back")]
#[case("?jwt=eyJhbGciOi.eyJzdWIiOi&n=1", "?jwt=***&n=1")]
#[case("DB_PASSWORD=hunter2 PORT=80 PGPASSWORD=x MYSQL_PWD=y", "DB_PASSWORD=*** PORT=80 PGPASSWORD=*** MYSQL_PWD=***")]
#[case("spring.datasource.password = hunter2", "spring.datasource.password = ***")]
#[case("password: swordfish clientSecret: 9f8e7d6c", "password: *** clientSecret: ***")]
#[case("SECRET_KEY_BASE=abc AWSSecretKey=def", "SECRET_KEY_BASE=*** AWSSecretKey=***")]
#[case("DB_PASS: hunter2, dbPass: swordfish", "DB_PASS: ***, dbPass: ***")]
#[case("auth: { user: 'app', pass: 'hunter2' }", "auth: { user: 'app', pass: '***' }")]
#[case(r#"{"level":"error","db_pass":"hunter2"}"#, r#"{"level":"error","db_pass":"***"}"#)]
#[case("mysql -uroot -prootpassword -h db", "mysql -uroot -p*** -h db")]
#[case("mysql -h db -e \"SELECT 1;\" -phunter2", "mysql -h db -e \"SELECT 1;\" -p***")]
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
#[case("Authorization: Bearer DB_PASSWORD='hunter2'", "Authorization: Bearer ***")]
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
#[case("Authorization: Bearer tok1  DB_PASSWORD='hunter2' up", "Authorization: Bearer ***")]
fn secrets_are_redacted(#[case] text: &str, #[case] redacted: &str) {
    assert_eq!(redact(text), redacted);
}

#[rstest]
#[case(
    "DBPASS=hunter2 LDAP_BINDPASS=x storepass=x dbpass=\"x\" bindpw=x",
    "DBPASS=*** LDAP_BINDPASS=*** storepass=*** dbpass=\"***\" bindpw=***"
)]
#[case("userpass: hunter2, smtpPass: \"x\", DB_PASS=123456", "userpass: ***, smtpPass: \"***\", DB_PASS=***")]
#[case(r#"["redis-server","--requirepass","x"]"#, r#"["redis-server","--requirepass","***"]"#)]
#[case("serve --requirepass=x -Dpass=x --masterauth x y", "serve --requirepass=*** -Dpass=*** --masterauth *** y")]
#[case("CONFIG SET requirepass hunter2", "CONFIG SET requirepass ***")]
#[case(
    r#"Config { user: "app", password: Some("a b"), port: 1 }"#,
    r#"Config { user: "app", password: Some("***"), port: 1 }"#
)]
#[case("Settings(api_key=SecretStr('x'), n=1)", "Settings(api_key=SecretStr('***'), n=1)")]
#[case("{Host:db User:app Pass:hunter2}", "{Host:db User:app Pass:***")]
#[case(
    "&{Addr:{Host:db Port:1} Pass:x Level:info} map[pass:x n:1]",
    "&{Addr:{Host:db Port:1} Pass:*** Level:info} map[pass:*** n:1]"
)]
#[case(
    "[{DB_PASSWORD a b nil} {LEVEL info nil} {API_TOKEN x <nil>}]",
    "[{DB_PASSWORD *** nil} {LEVEL info nil} {API_TOKEN *** <nil>}]"
)]
#[case("[{DB_PASSWORD hunter2} {A b}]", "[{DB_PASSWORD ***} {A b}]")]
#[case(r#"{"x-api-key":["X","Y"],"n":1}"#, r#"{"x-api-key":["***"],"n":1}"#)]
#[case(
    "{ 'x-auth-token': [ 'X1' ], \"set-cookie\": [\"a=b; Path=/\"] }",
    "{ 'x-auth-token': [ '***' ], \"set-cookie\": [\"***\"] }"
)]
#[case("[X-Api-Key]=[abc] user[password]=x\n[password] => x", "[X-Api-Key]=*** user[password]=***\n[password] => ***")]
#[case(
    "dict_items([('user', 'app'), ('password', 'swordfish')])",
    "dict_items([('user', 'app'), ('password', '***')])"
)]
#[case(r#"("password", "hunter2") [["x-api-key","k3y"]]"#, r#"("password", "***") [["x-api-key","***"]]"#)]
#[case(r#"msg="[(\"password\", \"X1\")]""#, r#"msg="[(\"password\", \"***\")]""#)]
#[case("<password>X: y</password><token type=\"a\">b</token>", "<password>***</password><token type=\"a\">***</token>")]
#[case(r#"command "AUTH" "X" failed, ["AUTH","app1"]"#, r#"command "AUTH" "***" failed, ["AUTH","***"]"#)]
#[case(r#"1.2 [0 10.0.0.1:1] "AUTH" "app" "a b""#, r#"1.2 [0 10.0.0.1:1] "AUTH" "***""#)]
#[case("ERROR AUTH app hunter2Secret99", "ERROR AUTH app ***")]
#[case(
    "command: {\n  name: 'auth',\n  args: [ 'app', 'swordfish' ]\n}",
    "command: {\n  name: 'auth',\n  args: [ '***' ]\n}"
)]
#[case("run \"--password hunter2 --port 80\"", "run \"--password *** --port 80\"")]
fn secrets_are_found_beside_their_names(#[case] text: &str, #[case] redacted: &str) {
    assert_eq!(redact(text), redacted);
}

#[rstest]
#[case(r#"{"dsn":"postgres:\/\/app:X@db\/app"}"#, r#"{"dsn":"postgres:\/\/***@db\/app"}"#)]
#[case("postgres://app:p@ss/X@db:5432/app?a=b", "postgres://***@db:5432/app?a=b")]
#[case(
    r#"panic: parse "postgres://app:Zq#X@db:5432/app": invalid port ":Zq" after host"#,
    r#"panic: parse "postgres://***@db:5432/app": invalid port ":***" after host"#
)]
#[case("redis://default:Zq7?X@redis:6379/0 amqp://guest:pa/ss@mq", "redis://***@redis:6379/0 amqp://***@mq")]
#[case("https://app:x/y@r.example/v2 mysql://app:12/34@db:3306/x", "https://***@r.example/v2 mysql://***@db:3306/x")]
#[case("redis://:Zq7RqVt2Error 1 postgres://app:Zq7RqVt2/db?x", "redis://:*** 1 postgres://app:***/db?x")]
#[case(r#"{"msg":"invalid port \":Zq\" after host"}"#, r#"{"msg":"invalid port \":***\" after host"}"#)]
#[case("Port could not be cast to integer value as 'Zq7'", "Port could not be cast to integer value as '***'")]
#[case("jdbc:oracle:thin:app/X@db:1521:XE", "jdbc:oracle:thin:***@db:1521:XE")]
#[case(
    "https://api.telegram.org/bot123456:AAEabcdEFGH1234567890abcdEFGH/getMe",
    "https://api.telegram.org/bot***/getMe"
)]
#[case(
    "post https://hooks.slack.com/services/T000/B000/XXabcd1234: EOF",
    "post https://hooks.slack.com/services/***: EOF"
)]
#[case("https://discord.com/api/webhooks/123456789012/abcDEF-1_2", "https://discord.com/api/webhooks/***")]
#[case(
    "https://s/x?X-Amz-Date=1&X-Amz-Signature=0a1b2c3d4e5f6071: EOF",
    "https://s/x?X-Amz-Date=1&X-Amz-Signature=***: EOF"
)]
#[case(
    r"https://s/x?a=1\u0026X-Goog-Signature=0a1b2c3d4e5f6071\u0026n=1",
    r"https://s/x?a=1\u0026X-Goog-Signature=***\u0026n=1"
)]
#[case(
    "https://s/x?Expires=1&Signature=abc~d-ef123456789&Key-Pair-Id=K1",
    "https://s/x?Expires=1&Signature=***&Key-Pair-Id=K1"
)]
#[case("https://s/x?key=abcdEFGH12345678 500", "https://s/x?key=*** 500")]
#[case("+ redis-cli -h redis -a hunter2 ping", "+ redis-cli -h redis -a *** ping")]
#[case(
    "curl -u app:x https://a; curl --user 'app:a b'; curl --user=a:x -ua:x",
    "curl -u *** https://a; curl --user '***'; curl --user=*** -u***"
)]
#[case(r#"["redis-cli","-a","a b"] ["redis-cli" "-a" "x"]"#, r#"["redis-cli","-a","***"] ["redis-cli" "-a" "***"]"#)]
#[case("['curl', '-u', 'app:x'] --password 'a b'", "['curl', '-u', '***'] --password '***'")]
#[case(r#"{"cmd":"[\"curl\",\"-u\",\"a:x\"]"}"#, r#"{"cmd":"[\"curl\",\"-u\",\"***\"]"}"#)]
fn secrets_in_addresses_and_commands_are_redacted(#[case] text: &str, #[case] redacted: &str) {
    assert_eq!(redact(text), redacted);
}

#[rstest]
#[case("sk-proj-abcdEFGH1234567890")]
#[case("sk-ant-api03-abcdEFGH1234567890")]
#[case("sk_test_abcdEFGH1234567890")]
#[case("whsec_abcdEFGH1234567890")]
#[case("dckr_pat_abcdEFGH1234567890")]
#[case("glsa_abcdEFGH1234567890_1a2b3c4d")]
#[case("hf_abcdEFGH1234567890")]
#[case("shpat_abcdef1234567890abcdef")]
#[case("SG.abcdEFGH1234.abcdEFGH1234567890")]
fn tokens_are_known_by_their_beginning(#[case] token: &str) {
    assert_eq!(redact(&format!("with {token} sent")), "with *** sent");
}

#[rstest]
#[case("OPENAI_KEY")]
#[case("STRIPE_KEY")]
#[case("HMAC_KEY")]
#[case("ssh_key")]
#[case("service_role_key")]
#[case("NEW_RELIC_LICENSE_KEY")]
#[case("PHPSESSID")]
#[case("JSESSIONID")]
#[case("REDISCLI_AUTH")]
fn names_of_keys_and_sessions_are_known(#[case] name: &str) {
    assert_eq!(redact(&format!("{name}=/aB3 end")), format!("{name}=*** end"));
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
#[case("mysql -P 3306, a password of the secret kind, a token to read; couldn't find key password in Secret a/db")]
#[case("bypass=x compass=x9 encompass=x trespass=x pass=12 bypass=true renderpass=main --bypass x")]
#[case(
    "primary key=x foreign_key=x partition_key=x routing_key=x cache_key=x sort_key=x public_key=x idempotency_key=x role_key=x"
)]
#[case("ssh_key=/root/.ssh/id_rsa private_key=/etc/tls/tls.key")]
#[case("https://host/path@version https://host:8080/a@b/c http://[::1]:80/a@b/c x://registry:4873/@scope/name")]
#[case("http://:8080 http://web:http http://host:{port8080} docker://sha256:0a1b2c3d4e redis://:6379… http://a:1: x")]
#[case("http://a:80801234 x://r/web@sha256:0a1b2c3d4e invalid port \":99999\" after host, invalid port 70000")]
#[case("{ name: 'get', args: [ 'x' ] }")]
#[case("mongodb://h1:27017,h2:27017/db?x=a@b jdbc:oracle:thin:@db:1521:XE")]
#[case("/api/webhooks/list /bot12/x /bot123456:short https://s/x?key=user-7&signature=v1 Signature=v1aaaaaaaaaaaaaaa")]
#[case(r#"{"password":["This field is required."],"token":["invalid"],"secret":["too_short"]}"#)]
#[case(r#"invalid token: Error("EOF while parsing a value", line: 1, column: 5)"#)]
#[case(r#"{"msg":"second pass:done"} {"msg":"First Pass:ok"} [step 2 pass:ok] {Pass:12 Fail:3} PASS: TestX"#)]
#[case(r#"("Secret", "db-1") ["password","userId"] fields ("password", "email")"#)]
#[case("[{DB_PASSWORD  0xc000123} {LEVEL info nil}] {token expired} {DB_PASSWORD_FILE /run/db nil}")]
#[case(r#""AUTH" "LOGIN"; AUTH LOGIN failed, AUTH service-2 started on 10.0.0.1:8080, NOAUTH Authentication required"#)]
#[case("the requirepass directive; unknown flag '--api-key' for x; msg=\"needs --token \" level=error")]
#[case("curl -u \"$USER:$PASS\" https://x | docker run -u 1000:1000 x; tar -a x; ls -a /srv")]
#[case("<password></password> <token>${x}</token> <Key>a/b</Key> </secret>")]
#[case("rsaKeyBits=2048 aesKeySizes=16 license_key_path=/x signing_key_version=2")]
#[case("hf_hub_download_version_2_of_models1 MSG.abcdEFGH1234.abcdEFGH1234 sk-test-1")]
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
#[case("\"AUTH\" \"", "\"")]
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
#[case("a://b:c1")]
#[case("invalid port \"")]
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
#[case("(\"password\",\"a\")")]
#[case("(\"password\",'")]
#[case("{DB_PASSWORD ")]
#[case("{a:b Pass:")]
#[case("</password>")]
#[case(">a</token")]
#[case("?key=a")]
#[case("&Signature=")]
#[case("\"AUTH\" \"")]
#[case("AUTH ")]
#[case("a://b:c/@d")]
#[case(":thin:a/")]
#[case("/bot123456:")]
#[case("token: [\"a b\",")]
#[case("token: [\"\",")]
#[case("token=a(a(")]
#[case("curl -u ")]
#[case("curl -u app:x €€ ")]
#[case(" --user=\"")]
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
        Just("('password', '".to_owned()),
        Just("\"AUTH\" \"".to_owned()),
        Just("{User:app Pass:".to_owned()),
        Just("{DB_PASSWORD a nil}".to_owned()),
        Just("</token>".to_owned()),
        Just(" curl -u ".to_owned()),
        Just("Some(\"".to_owned()),
        Just("[ \"".to_owned()),
        Just("?key=abcdEFGH12345678".to_owned()),
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
