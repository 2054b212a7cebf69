//! Files that are refused, and where they are wrong.

use super::*;

#[test]
fn what_is_no_configuration_is_refused_with_its_line() {
    use ConfigErrorKind::{Contradiction, Endpoint, File, InvalidValue, Missing};

    let keys = "access_key_id = \"a\"\nsecret_access_key = \"b\"";
    for (lines, kind, place, hint) in [
        (
            "anonymous = true\ncontent_types = { ts = \"video\" }",
            InvalidValue,
            "line 1, mount 1",
            "the type of an extension: \"ts\"",
        ),
        (
            "anonymous = true\ncontent_type = \"as-stored\"\ncontent_types = { ts = \"video/mp2t\" }",
            Contradiction,
            "line 1, mount 1",
            "passed on as stored",
        ),
        // The form of the file. Line 4 is the first of `lines`.
        ("path = /media", File, "line 4, column ", "quoted"),
        (
            "regoin = \"us-west-2\"",
            File,
            "line 4, column 1: ",
            "unknown key `regoin`: did you mean `region`?",
        ),
        ("bucket = \"other-bucket\"", File, "line 4, column 1: ", "duplicate key"),
        ("prefix = 1", File, "line 4, column 10: ", "text in quotes"),
        ("metadata_headers = { \"ü\" = 1 }", File, "line 4, column 28: ", "text in quotes"),
        ("fips = \"yes\"", File, "line 4, column 8: ", "expected a boolean"),
        ("budget.near = 300", File, "line 4, column 15: ", "expected a whole number up to 255"),
        ("transport.connect_timeout_ms = \"3s\"", File, "line 4, column 32: ", "expected a whole number"),
        ("\ntransport.max_idle_connections = -1", File, "line 5, column 34: ", "expected a whole number"),
        (
            "connect_timeout_ms = 3000",
            File,
            "line 4, column 1: ",
            "`connect_timeout_ms` is called `transport.connect_timeout_ms` now",
        ),
        ("[mount.cache_control_rule]\ndefault = \"a\"", File, "line 4, column 1: ", "double brackets"),
        (
            "[[mount.cache_control_rule]]\ndefault = \"a\"\nage = 1",
            File,
            "line 6, column 1: ",
            "unknown key `age`: expected one of `default`",
        ),
        ("[mount.cors]\norigins = \"*\"", File, "line 5, column 11: ", "expected a sequence"),
        (
            "[mount.cors]\norigins = [\"*\"]\norigin = 1",
            File,
            "line 6, column 1: ",
            "unknown key `origin`: did you mean `origins`?",
        ),
        ("[[mount.cors]]\norigins = [\"*\"]", File, "line 4, column ", ""),
        ("anonymous = true\n[other]", File, "line 5, column 2: ", "unknown key `other`: expected one of"),
        // Variables.
        ("prefix = \"${OTHER}\"", Missing, "line 4: prefix: ", "variable OTHER is not set"),
        (
            "metadata_headers = { a = \"${OTHER}\" }",
            Missing,
            "line 4: metadata_headers: ",
            "OTHER is not set",
        ),
        ("forward_response_headers = [\n\"a\",\n\"${OTHER}\"]", Missing, "line 6: ", "OTHER is not set"),
        (
            "[[mount.cache_control_rule]]\ndefault = \"${OTHER}\"",
            Missing,
            "line 5: default: ",
            "OTHER is not set",
        ),
        ("[mount.cors]\norigins = [\"${OTHER}\"]", Missing, "line 5: origins: ", "OTHER is not set"),
        ("host = \"${REGION\"", File, "line 4: host: ", "a literal ${ is written $${"),
        // Values that only a file has.
        ("buckets_from_path = [\"*\"]", Contradiction, "line 4: ", "bucket and buckets_from_path"),
        ("anonymous = true\naccess_key_id = \"a\"", Contradiction, "line 5: ", "anonymous = true and keys"),
        ("anonymous = true\nsession_token = \"a\"", Contradiction, "line 5: ", "anonymous = true and keys"),
        ("access_key_id = \"a\"", Missing, "line 4: ", "access_key_id needs secret_access_key"),
        ("secret_access_key = \"a\"", Missing, "line 4: ", "secret_access_key needs access_key_id"),
        ("session_token = \"a\"", Missing, "line 4: ", "needs access_key_id and secret_access_key"),
        (
            "access_key_id = \"a\"\nsecret_access_key = \"${EMPTY}\"",
            Missing,
            "line 5: ",
            "secret_access_key is empty",
        ),
        ("content_type = \"guess\"", InvalidValue, "line 4: ", "must be \"by-extension\" or \"as-stored\""),
        (
            "denied = \"404\"",
            InvalidValue,
            "line 4: denied \"404\": ",
            "\"not-found\" or \"forbidden\" or \"auto\"",
        ),
        ("bad_path = \"\"", InvalidValue, "line 4: ", "\"not-found\" or \"bad-request\""),
        (
            "fallback = \"${REGION}\"",
            InvalidValue,
            "line 4: fallback \"${REGION}\": ",
            "\"none\" or \"inner\"",
        ),
        ("errors = \"json\"", InvalidValue, "line 4: ", "\"plain\" or \"problem-json\""),
        ("[[mount.cache_control_rule]]\nkey = \"*\"", Missing, "line 4: ", "needs default or override"),
        (
            "\n[[mount.cache_control_rule]]\ndefault = \"a\"\noverride = \"b\"",
            Contradiction,
            "line 5: ",
            "make it two rules",
        ),
        (
            "[mount.budget]\nday_begins = \"24:00\"",
            InvalidValue,
            "line 5: day_begins \"24:00\": ",
            "like \"06:30\"",
        ),
        ("[mount.budget]\nday_begins = \"6:30\"", InvalidValue, "line 5: ", "a time in UTC"),
        ("[mount.budget]\nanswer = \"500\"", InvalidValue, "line 5: ", "\"503\" or \"429\""),
        ("[mount.budget]\nbytes = \"many\"", InvalidValue, "line 5: ", "bytes"),
        (&format!("{keys}\nbudget = {{ near = 50 }}"), InvalidValue, "line 1, mount 1 ", "requests or bytes"),
        ("cache = true", Missing, "line 4: ", "needs the table [cache]"),
        ("cache_ttl_secs = 60", Contradiction, "line 4: ", "add [cache]"),
        ("cache = false\ncache_ttl_secs = 60", Contradiction, "line 5: ", "remove cache = false"),
        ("cache_heuristic = { percent = 10, cap_secs = 1 }", Contradiction, "line 4: ", "add [cache]"),
        ("cache_heuristic = { percent = 10 }", File, "line 4, column 19: ", "missing field `cap_secs`"),
        ("\n[[mount.cache_ttl_rule]]\nttl_secs = 1", Contradiction, "line 5: ", "add [cache]"),
        ("cache = \"no\"", File, "line 4, column 9: ", "expected a boolean"),
        ("[cache]\nsize = \"8MiB\"\n[[mount.cache_ttl_rule]]", Missing, "line 6: ", "needs ttl_secs"),
        (
            "[[mount.cache_ttl_rule]]\nttl_secs = 1\nkey = \"${OTHER}\"\n[cache]\nsize = \"8MiB\"",
            Missing,
            "line 6: key: ",
            "OTHER is not set",
        ),
        (
            &format!(
                "{keys}\n[[mount.cache_ttl_rule]]\nttl_secs = 1\nkey = \"a[\"\n[cache]\nsize = \"8MiB\""
            ),
            InvalidValue,
            "line 1, mount 1 (at \"/\"): a rule for the time to live: ",
            "a[",
        ),
        (
            &format!("{keys}\ncache_heuristic = {{ percent = 0, cap_secs = 1 }}\n[cache]\nsize = \"8MiB\""),
            InvalidValue,
            "line 1, mount 1 (at \"/\"): heuristic freshness of 0 percent",
            "1 to 100",
        ),
        ("\n[mount.cors]\nmethods = [\"GET\"]", Missing, "line 5: ", "cors needs origins"),
        ("endpoint_url = \"https://a:b@c\"", InvalidValue, "line 4: ", "must not carry a user name"),
        // What the builder refuses.
        ("", Missing, "line 1, mount 1 (at \"/\"): ", "or say anonymous = true"),
        (
            "path = \"media\"\nanonymous = true",
            InvalidValue,
            "line 1, mount 1 (at \"media\"): ",
            "mount path",
        ),
        (&format!("{keys}\nhost = \"a:1\""), InvalidValue, "line 1, mount 1 ", "without scheme, port"),
        (&format!("{keys}\ntransport.connect_timeout_ms = 0"), InvalidValue, "line 6: ", "time-out is zero"),
        (&format!("{keys}\ntransport.max_connections = 0"), InvalidValue, "line 6: ", "max_connections is 0"),
        (
            &format!("{keys}\ntransport.max_connection_age_secs = 0"),
            InvalidValue,
            "line 6: ",
            "set max_idle_connections to 0",
        ),
        (
            &format!("{keys}\ntransport.ca_file = \"/absent.pem\""),
            ConfigErrorKind::Tls,
            "line 6: ca_file /absent.pem: ",
            "the file can't be read",
        ),
        (
            &format!("{keys}\ntransport.proxy = \"http://user:secret@\""),
            InvalidValue,
            "line 6: proxy: the URL is malformed: ",
            "http://host:port",
        ),
        (&format!("{keys}\nmax_in_flight = 0"), InvalidValue, "line 1, mount 1", "max_in_flight is 0"),
        (&format!("{keys}\nqueue_timeout_ms = 0"), InvalidValue, "line 1, mount 1", "set max_queued to 0"),
        (
            &format!("{keys}\n[[mount.cache_control_rule]]\ndefault = \"a\"\nstatus = 200"),
            InvalidValue,
            "line 1, mount 1 ",
            "400 to 599",
        ),
        (
            &format!("{keys}\n[mount.cors]\norigins = [\"https://a.test/\"]"),
            InvalidValue,
            "line 1, mount 1 (at \"/\"): CORS: the origin \"https://a.test/\": ",
            "no slash at the end",
        ),
        (
            &format!("{keys}\n[mount.cors]\norigins = [\"*\"]\ncredentials = true"),
            Contradiction,
            "line 1, mount 1 (at \"/\"): CORS: any origin and credentials ",
            "list the origins",
        ),
        (
            &format!("{keys}\naccelerate = true\npath_style = true"),
            Endpoint,
            "line 1, mount 1 (at \"/\"): the bucket studio-media: ",
            "",
        ),
    ] {
        let error = error(&mount_with(lines));
        let message = error.to_string();
        assert_eq!(error.kind(), kind, "{lines}: {message}");
        assert!(message.starts_with(place), "{lines}: {message:?} begins with {place:?}");
        assert!(message.contains(hint), "{lines}: {message:?} contains {hint:?}");
        assert!(!message.contains('\n'), "{lines}: {message:?} is one line");
    }
}

#[test]
fn a_file_as_a_whole_is_refused_with_what_it_lacks() {
    use ConfigErrorKind::{DuplicateMount, File, InvalidValue, Missing};

    let public = mount_with("anonymous = true");
    for (text, kind, message) in [
        ("", Missing, "the file has no mount: a mount begins with a line [[mount]]"),
        ("region = \"us-west-2\"", Missing, "the file has no mount: a mount begins with a line [[mount]]"),
        ("mount = []", Missing, "the file has no mount: a mount begins with a line [[mount]]"),
        (
            "region = \"us-west-2\"\n\n[[mounts]]\nbucket = \"studio-media\"",
            File,
            "line 3, column 3: unknown key `mounts`: did you mean `[[mount]]`?",
        ),
        (
            "[mount]\nbucket = \"a\"",
            File,
            "line 1, column 1: invalid type: map, expected tables that begin with double brackets, like [[mount]]",
        ),
        (
            "[[mount]]\nregion = \"a\"",
            Missing,
            "line 1, mount 1 (at \"/\"): the bucket is missing: give bucket, or buckets_from_path with globs",
        ),
        ("[[mount]]\r\nbucket = 1\r\n", File, "line 2, column 10: must be text in quotes"),
        ("[[mount]]\nbucket = \"A B\"", InvalidValue, "line 2: bucket \"A B\": "),
        (
            "[[mount]]\nbucket = \"studio-media\"\nanonymous = true",
            Missing,
            "line 1, mount 1 (at \"/\"): the region is missing: ",
        ),
        (
            &format!("{public}\n{public}"),
            DuplicateMount,
            "line 6, mount 2 (at \"/\"): has the same path and host as line 1, mount 1 (at \"/\"): ",
        ),
        (
            &format!("{public}\n[[mount]]\npath = \"/a\"\nbucket = \"studio-docs\"\nanonymous = true"),
            Missing,
            "line 6, mount 2 (at \"/a\"): the region is missing: ",
        ),
    ] {
        let error = error(text);
        assert_eq!(error.kind(), kind, "{text}: {error}");
        assert!(error.to_string().starts_with(message), "{text}: {error}");
    }
}
