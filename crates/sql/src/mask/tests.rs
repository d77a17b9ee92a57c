use super::mask_source;

#[test]
fn hides_secrets_wherever_they_stand() {
    for (text, masked) in [
        ("SELECT 1", "SELECT 1"),
        ("Token = 'abc'", "Token = '***'"),
        ("Token='a''b', User='u'", "Token='***', User='u'"),
        ("[API Token] = \"abc\")", "[API Token] = \"***\")"),
        ("Password = abc, User = u", "Password = ***, User = u"),
        ("Password abc", "Password abc"),
        ("Password 'abc'", "Password '***'"),
        (
            "@Verifier='abc' -- Token=def;",
            "@Verifier='***' -- Token=***;",
        ),
        (
            "FROM 'User=u;Token=a, b;Timeout=3'",
            "FROM 'User=u;Token=***;Timeout=3'",
        ),
        (
            "FROM 'Token=\"a;b\";User=u' x",
            "FROM 'Token=\"***\";User=u' x",
        ),
        (
            "FROM 'Token=abc' Password = def",
            "FROM 'Token=***' Password = ***",
        ),
        ("Token = 'abc\ndef", "Token = '***\n'"),
        ("Token\n=\n'abc'", "Token\n=\n'***'"),
        ("Token = ", "Token = "),
        ("'x' Token = N'abc'", "'x' Token = ***"),
        ("FROM 'Token=''a;b'';User=u'", "FROM 'Token=''***'';User=u'"),
        (
            "FROM 'Token=''a''''b;c'';User=u'",
            "FROM 'Token=''***'';User=u'",
        ),
        ("FROM 'Token=a''b c;User=u'", "FROM 'Token=***;User=u'"),
        ("FROM 'Token=\"a;b' Other", "FROM 'Token=\"***\"' Other"),
        ("FROM 'Token=ab;c;d;User=u'", "FROM 'Token=***;User=u'"),
        ("FROM 'Token=ab;c' Other", "FROM 'Token=***' Other"),
        ("-- don't\nToken = 'a b'", "-- don't\nToken = '***'"),
        (
            "/* don't /* */ */ Token = 'a b'",
            "/* don't /* */ */ Token = '***'",
        ),
        ("[it's] Token = 'a b'", "[it's] Token = '***'"),
        ("Token = -- 'x'\n 'a b'", "Token = -- 'x'\n '***'"),
        ("Token /* = */ = 'a b'", "Token /* = */ = '***'"),
        ("-- Token='a b\nSELECT 1", "-- Token='***'\nSELECT 1"),
        ("FROM 'User=u;Token=abc", "FROM 'User=u;Token=***"),
        ("Token = 'ä'; ü", "Token = '***'; ü"),
        (
            "URL = 'postgres://me:p@ss:w@host:5432/db?sslmode=verify-full'",
            "URL = 'postgres://***@host:5432/db?sslmode=verify-full'",
        ),
        ("'postgres://me@host/db'", "'postgres://***@host/db'"),
        ("'https://host/a:b@c'", "'https://***@c'"),
        ("'https://host/a' b@c", "'https://host/a' b@c"),
        ("-- postgres://me:abc@host", "-- postgres://***@host"),
    ] {
        assert_eq!(mask_source(text), masked, "{text}");
    }
}

/// Everything below was found by an attack: the planted text must be hidden.
#[test]
fn hides_secrets_in_unusual_places() {
    for text in [
        "URL = 'postgres://me:a/planted@host/db'",
        "URL = 'postgres://me:a#planted@host/db'",
        "URL = 'postgres://me:a?planted@host/db'",
        "URL = 'postgres://me:a@planted@host/db'",
        "USE DESTINATION postgres://me:a/planted@host/db",
        "SELECT * FROM t WHERE 'planted' = password AND x",
        "SELECT * FROM t WHERE 'planted' <> t.[Token]",
        "SELECT * FROM t WHERE N'planted' = @token",
        "SELECT 'planted' AS token, FROM",
        "SELECT 1, 'planted' /* as */ AS \"API Token\" FROM t",
        "INSERT INTO t (a, token) VALUES (1, 'planted'), (2, 'planted') nope",
        "INSERT INTO t ([Password], b) SELECT 'planted', 'b' nope",
        "BaseURL = 'https://planted@host/'",
        "URL = 'postgres://host/db?password=a&password=planted'",
        "URL = 'postgres://host/db?p%61ssword=planted'",
        "URL = 'postgres://host/db?passw%6Frd=planted'",
        "Token = 'x' || 'planted'",
        "Token = 'x' || 'a,planted', User = 'u'",
        "Token = CONCAT('x', 'planted')",
        "Token = UPPER(CONCAT(a, 'planted'))",
        "Token = x || 'planted'",
        "Token = E'a\\'planted'",
        "Token = E'planted'",
        "Token = U&'planted'",
        "Token = 'x' 'planted'",
        "Token = 'x'planted'",
        "Token = ('x' || 'planted')",
        "Token = $$planted word$$",
        "Token = $$ pla;x planted$$",
        "Token = $tag$a planted$tag$",
        "FROM $$User=u;Token=a planted$$",
        "Token = 12345planted",
        "WHERE token LIKE 'planted'",
        "WHERE token NOT LIKE 'planted'",
        "WHERE token SIMILAR TO 'planted'",
        "WHERE token IN ('a', 'planted')",
        "WHERE token BETWEEN 'a' AND 'planted'",
        "SET Token TO 'planted'",
        "EXEC p 'planted'",
        "EXEC p planted",
        "EXECUTE s.p 1, 'planted'",
        "EXPLAIN EXEC [my p] 'a' || 'planted'",
        "EXEC p @a = 1, 'planted'",
        "'{\"token\":\"planted\"}'",
        "'{\"a\":1,\"token\" : \"x\\\"planted\"}'",
        "{\"token\": \"planted\"}",
        "'Tok en=planted'",
        "'User=u;[Token]=planted'",
        "'User=u;Token=' 'planted'",
        "SELECT 'oops FROM x WITH Token = 'a planted b'",
        "-- Password 'planted'",
        "/* Token: planted */",
        "'Authorization: Bearer planted'",
    ] {
        let masked = mask_source(text);
        assert!(!masked.contains("planted"), "{text}: {masked}");
    }
}

#[test]
fn text_that_is_not_secret_stays() {
    for text in [
        "SELECT Id, Title FROM Issues WHERE State = 'OPEN' -- the open ones",
        "SELECT Token FROM t WHERE a = 'x'",
        "SELECT a FROM t WHERE t.TokenType = 'x' AND b = 1",
        "EXEC p @a = 1, b = 'x', c = -1",
        "EXEC [Get Things] @a = CONCAT(b, c)",
        "CREATE CONNECTION c WITH (Workspace = 'acme', BaseURL = 'https://host/2.0')",
        "SELECT 'https://host/a', 'b@c'",
        "SELECT '12:30', 'a=b;c=d'",
        "SELECT '$5', $1, $2",
    ] {
        assert_eq!(mask_source(text), text);
    }
}

#[test]
fn what_follows_a_secret_stays_visible() {
    for (text, masked) in [
        ("(Token = 'x', User = 'u')", "(Token = '***', User = 'u')"),
        (
            "Token = 'x' || 'y', User = 'u'",
            "Token = '***', User = 'u'",
        ),
        ("WITH (Token = CONCAT('x', 'y')) z", "WITH (Token = ***) z"),
        (
            "ON a.TokenId = b.TokenId WHERE c = 'x'",
            "ON a.TokenId = *** WHERE c = 'x'",
        ),
        ("EXEC p 'x', b = 'y'", "EXEC p '***', b = 'y'"),
        ("Token = 'a\nb' || 'c\nd', e", "Token = '***\n\n', e"),
    ] {
        assert_eq!(mask_source(text), masked, "{text}");
    }
}

/// With quadratic work each of these would take minutes.
#[test]
fn a_megabyte_of_anything_is_masked() {
    for part in [
        "[",
        "`",
        "'",
        "\"",
        "'[",
        "[[]",
        "(",
        ")",
        "=",
        ":",
        "://",
        "://@",
        "Token",
        "Token ",
        "Token=",
        "Token='",
        "Token ' ",
        "Token=;",
        "/*",
        "*/",
        "--",
        "-- /* ",
        "$$",
        "$a$",
        "$a",
        "EXEC ",
        "EXEC p ",
        "%61=",
        "Token=a;b;",
        "Token NOT ",
        "Token(",
        "'Token=",
        "\"Token\" ",
        " ' ",
        "a='",
        "[a",
        "`a",
        "\n",
    ] {
        let text = part.repeat((1 << 20) / part.len());
        let masked = mask_source(&text);
        assert_eq!(masked.matches('\n').count(), text.matches('\n').count());
    }
}
