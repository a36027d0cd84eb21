//! Layers, origins and complaints.

use super::*;
use crate::config::settings::{Durability, LogFormat};
use crate::config::{Size, Span};
use proptest::prelude::*;

fn from_text(text: &str) -> Result<Settings, ConfigError> {
    let mut layers = Layers::new();
    layers.file(Path::new("t.toml"), text);
    layers.settle()
}

fn from_environment(variables: &[(&str, &str)]) -> Result<Settings, ConfigError> {
    let mut layers = Layers::new();
    let variables = variables.iter().map(|&(name, text)| (name.to_owned(), text.to_owned()));
    layers.environment(&variables.collect::<Vec<_>>());
    layers.settle()
}

fn problems(outcome: Result<Settings, ConfigError>) -> Vec<String> {
    match outcome.unwrap_err() {
        ConfigError::Wrong { problems } => problems.iter().map(ToString::to_string).collect(),
        other => panic!("{other}"),
    }
}

#[test]
fn nothing_said_is_the_default() {
    assert_eq!(load(&Sources::default()).unwrap(), Settings::default());
}

#[test]
fn the_annotated_file_says_exactly_the_built_in_defaults() {
    let text = include_str!("../../../config/default.toml");
    assert_eq!(from_text(text).unwrap(), Settings::default());
    let written = crate::config::known::flat(text.parse().unwrap());
    for (section, key) in Known::new().keys() {
        assert!(
            written.get(section).and_then(|keys| keys.get(key)).is_some(),
            "config/default.toml does not mention {section}.{key}"
        );
    }
}

#[test]
fn the_environment_wins_over_the_file_and_a_flag_over_both() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tidegate.toml");
    let text = "[server]\nmax_connections = 1\nbase_path = \"/a\"\ndata_dir = \"a\"\n";
    std::fs::write(&path, text).unwrap();
    let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let settings = load(&Sources {
        file: Some(path),
        environment: vec![
            variable("TIDEGATE__SERVER__BASE_PATH", "/b"),
            variable("TIDEGATE__SERVER__DATA_DIR", "b"),
            variable("SOMETHING_ELSE", "x"),
        ],
        flags: vec![Flag {
            name: "--data-dir",
            key: ("server", "data_dir"),
            value: "c".to_owned(),
        }],
    })
    .unwrap();
    assert_eq!(settings.server.max_connections, 1);
    assert_eq!(settings.server.base_path, "/b");
    assert_eq!(settings.server.data_dir, PathBuf::from("c"));
}

#[test]
fn variables_take_the_type_of_their_key() {
    let settings = from_environment(&[
        ("TIDEGATE__STORAGE__DURABILITY", "os"),
        ("TIDEGATE__TUS__MAX_SIZE", "1MB"),
        ("TIDEGATE__TUS__CHECKSUM", "false"),
        ("TIDEGATE__TUS__MAX_METADATA_SIZE", "4096"),
        ("TIDEGATE__UPLOADS__SESSIONTIMEOUT", "1h 30m"),
        ("TIDEGATE__SERVER__WORKERS", "3"),
        ("TIDEGATE__SERVER__TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.1"),
        ("TIDEGATE__CORS__ORIGINS", "[\"https://a.example\"]"),
        ("TIDEGATE__LOG__FORMAT", "json"),
    ])
    .unwrap();
    assert_eq!(settings.storage.durability, Durability::Os);
    assert_eq!(settings.tus.max_size, Some(Size::bytes(1_000_000)));
    assert!(!settings.tus.checksum);
    assert_eq!(settings.tus.max_metadata_size, Size::kib(4));
    assert_eq!(settings.uploads.sessiontimeout, Span::seconds(5400));
    assert_eq!(settings.server.workers.map(usize::from), Some(3));
    assert_eq!(settings.server.trusted_proxies.len(), 2);
    assert_eq!(settings.cors.origins, ["https://a.example"]);
    assert_eq!(settings.log.format, LogFormat::Json);
}

#[test]
fn a_later_layer_can_take_a_bound_away() {
    let mut layers = Layers::new();
    layers.file(Path::new("t.toml"), "[tus]\nmax_size = \"1GB\"\n");
    layers.environment(&[("TIDEGATE__TUS__MAX_SIZE".to_owned(), "none".to_owned())]);
    assert_eq!(layers.settle().unwrap().tus.max_size, None);
}

#[test]
fn an_unknown_key_is_refused_with_its_line_and_the_nearest_key() {
    let text = "# comment\n[server]\nlisten = \"127.0.0.1:1\"\nlissten = 1\n";
    let found = problems(from_text(text));
    assert_eq!(
        found,
        ["t.toml:4: there is no setting server.lissten; did you mean server.listen?"]
    );
}

#[test]
fn an_unknown_variable_is_refused_by_its_name() {
    let found = problems(from_environment(&[("TIDEGATE__TUS__MAXSIZE", "1MB")]));
    assert_eq!(
        found,
        ["TIDEGATE__TUS__MAXSIZE: there is no setting tus.maxsize; did you mean tus.max_size?"]
    );
    let found = problems(from_environment(&[("TIDEGATE__LISTEN", "x")]));
    assert!(found[0].contains("TIDEGATE__SECTION__KEY"), "{found:?}");
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let found = problems(from_text(
        "[server]\nmax_connections = \"many\"\nbase_path = \"files\"\n[sotrage]\n\
         [timeouts]\nreadtimeout = 30\n[storage]\nreserve = \"lots\"\ndurability = \"yes\"\n",
    ));
    let all = found.join("\n");
    assert_eq!(found.len(), 6, "{all}");
    for part in [
        "t.toml:2: server.max_connections is wrong",
        "t.toml:3: server.base_path",
        "t.toml:4: there is no section [sotrage]; did you mean [storage]?",
        "t.toml:6: timeouts.readtimeout is wrong",
        "a duration with its unit",
        "t.toml:8: storage.reserve is wrong: \"lots\" is not a size",
        "t.toml:9: storage.durability is wrong",
        "`fsync` or `os`",
    ] {
        assert!(all.contains(part), "{part} is missing in {all}");
    }
}

#[test]
fn text_that_is_not_toml_is_refused_with_its_line() {
    let found = problems(from_text("[server]\nlisten = \n"));
    assert!(found[0].starts_with("t.toml:2: this is not TOML"), "{found:?}");
}

#[test]
fn no_error_quotes_a_token() {
    let secret = "s3cr3t-s3cr3t-s3cr3t";
    for text in [
        format!("[auth]\ntokens = \"{secret}\"\n"),
        format!("[auth]\ntokens = [\"{secret}\"]\n"),
        format!("[[auth.tokens]]\nname = \"a\"\ntoken = [\"{secret}\"]\n"),
        format!("[[auth.tokens]]\nname = \"a\"\ntoken = \"{secret}\nx\"\n"),
        format!("[[auth.tokens]]\nname = \"a\"\ntokn = \"{secret}\"\n"),
        format!("[[auth.tokens]]\nname = \"a\"\ntoken = \"{secret} \"\n"),
        format!("[[auth.tokens]]\nname = \"a\"\nsha256 = \"{secret}\"\n"),
    ] {
        let error = from_text(&text).unwrap_err();
        assert!(!error.to_string().contains(secret), "{error}");
        assert!(!format!("{error:?}").contains(secret), "{error:?}");
    }
}

#[test]
fn an_unreadable_file_is_named() {
    let missing =
        Sources { file: Some(PathBuf::from("/nonexistent/t.toml")), ..Sources::default() };
    assert!(load(&missing).unwrap_err().to_string().contains("/nonexistent/t.toml"));
}

proptest! {
    #[test]
    fn no_text_makes_the_loader_panic(text in "(?s).{0,200}") {
        let _ = from_text(&text);
    }

    #[test]
    fn no_value_of_any_key_makes_the_loader_panic(
        which in any::<prop::sample::Index>(),
        value in prop_oneof![
            "[a-z0-9:./]{0,12}".prop_map(|text| format!("{text:?}")),
            any::<i64>().prop_map(|number| number.to_string()),
            any::<f64>().prop_map(|number| format!("{number:?}")),
            Just("[[]]".to_owned()), Just("{a = 1}".to_owned()), Just("true".to_owned()),
            Just("1979-05-27".to_owned()), Just("[\"\", 1]".to_owned()),
        ],
    ) {
        let known = Known::new();
        let keys: Vec<_> = known.keys().collect();
        let (section, key) = keys[which.index(keys.len())];
        let _ = from_text(&format!("[{section}]\n{key} = {value}\n"));
    }

    #[test]
    fn no_variable_makes_the_loader_panic(name in "TIDEGATE__[A-Z_]{0,20}", text in ".{0,40}") {
        let _ = from_environment(&[(&name, &text)]);
    }
}
