use super::*;

fn settings(tenant: &str) -> Settings {
    let mut settings = Settings::default();
    settings.server.public_url = Some("https://up.example".to_owned());
    settings.xep0363 = toml::from_str(&format!("[[tenants]]\n{tenant}")).unwrap();
    settings
}

fn found(settings: &Settings) -> Vec<String> {
    let mut doubts = Doubts::default();
    for tenant in &settings.xep0363.tenants {
        check(settings, tenant, &mut doubts);
    }
    doubts.0.into_iter().map(|doubt| doubt.text).collect()
}

const COMPONENT: &str = "scheme = \"own\"
    [tenants.component]
    domain = \"up.example\"
    secret = \"it-is-secret\"
    users = [\"example\"]\n";

const SERVICE_URL: &str = "scheme = \"own\"
    [tenants.service_url]
    path = \"/slots/x\"\n";

#[test]
fn both_doors_of_a_tenant_can_be_open() {
    let both = format!("{COMPONENT}[tenants.service_url]\npath = \"/slots/x\"");
    let full = "scheme = \"own\"
        retention = \"none\"
        slot_lifetime = \"60s\"
        public_url = \"https://x.example/y\"
        media_types = [\"image/*\", \"application/octet-stream\"]
        purposes = { profile = { max_size = \"1MB\", retention = \"none\" }, ephemeral = {} }
        quota = { running = 5, total = \"1GB\", when_full = \"delete_oldest\" }";
    for tenant in [COMPONENT, SERVICE_URL, &both, full] {
        assert_eq!(found(&settings(tenant)), Vec::<String>::new(), "{tenant}");
    }
}

#[test]
fn who_does_not_issue_has_nothing_to_say_about_issuing() {
    for key in [
        "slot_lifetime = \"1s\"",
        "public_url = \"https://x\"",
        "media_types = [\"a/b\"]",
        "purposes = {}",
    ] {
        let tenant = format!("scheme = \"prosody\"\nsecret = \"x\"\n{key}");
        let found = found(&settings(&tenant));
        let name = key.split(' ').next().unwrap();
        assert!(found.len() == 1 && found[0].contains(&format!(": {name} is for")), "{found:?}");
    }
    let door = SERVICE_URL.replace("own", "ejabberd");
    assert!(found(&settings(&door))[0].contains("scheme = \"own\""));
}

#[test]
fn a_door_needs_to_know_the_address_of_the_gateway() {
    let mut settings = settings(COMPONENT);
    settings.server.public_url = None;
    assert!(found(&settings)[0].contains("server.public_url"));
    settings.xep0363.tenants[0].public_url = Some("https://up.example".to_owned());
    assert_eq!(found(&settings), Vec::<String>::new());
}

#[test]
fn every_mistake_of_a_component_is_named_at_once() {
    let wrong = "scheme = \"own\"
        slot_lifetime = \"25h\"
        media_types = [\"Image/PNG\", \"png\"]
        [tenants.component]
        server = \"localhost\"
        domain = \"up@example\"
        jids = [\"example\"]
        users = [\"alice@example\"]
        max_stanza = 3
        max_pending = 0
        ping_after = \"0s\"
        reconnect_first = \"2m\"";
    let found = found(&settings(wrong)).join("\n");
    for part in [
        "slot_lifetime = ",
        "\"Image/PNG\"",
        "\"png\"",
        "component.server",
        "component.domain",
        "secret and secret_file",
        "component.jids",
        "component.users",
        "component.max_stanza",
        "component.max_pending",
        "component.ping_after",
        "component.reconnect_first",
    ] {
        assert!(found.contains(part), "{part} in\n{found}");
    }
}

#[test]
fn a_component_that_lets_nobody_in_is_a_mistake() {
    let found = found(&settings(&COMPONENT.replace("users = [\"example\"]", "")));
    assert!(found.len() == 1 && found[0].contains("users = [\"example.org\"]"), "{found:?}");
}

#[test]
fn ejabberd_asks_where_nothing_else_is_served() {
    for path in ["/files", "/files/x", "/upload", "/upload/x", "/chunked-upload", "slots", "/a b"] {
        let found = found(&settings(&SERVICE_URL.replace("/slots/x", path)));
        assert_eq!(found.len(), 1, "{path}: {found:?}");
    }
    let beside_the_root = format!("base_path = \"/\"\n{SERVICE_URL}");
    assert_eq!(found(&settings(&beside_the_root)), Vec::<String>::new());
    let nobody = format!("{SERVICE_URL}allow = []");
    assert!(found(&settings(&nobody))[0].contains("service_url.allow"));
}

#[test]
fn no_two_tenants_have_the_same_door() {
    let both = format!("{COMPONENT}[tenants.service_url]\npath = \"/slots/x\"");
    let text = format!("[[tenants]]\nbase_path = \"/a\"\n{both}\n[[tenants]]\n{both}");
    let settings = Settings { xep0363: toml::from_str(&text).unwrap(), ..settings(COMPONENT) };
    let found = found(&settings);
    assert_eq!(found.len(), 4, "{found:?}");
    assert!(found[0].contains("component.domain") && found[1].contains("of another tenant"));
}

#[test]
fn a_path_that_nobody_shall_guess_is_not_quoted() {
    for path in ["/files/it-is-secret", "it-is-secret"] {
        let found = found(&settings(&SERVICE_URL.replace("/slots/x", path)));
        assert!(found.len() == 1 && !found[0].contains("it-is-secret"), "{found:?}");
    }
}

#[test]
fn servers_are_hosts_with_a_port() {
    for good in ["127.0.0.1:5347", "[::1]:5347", "xmpp.example:1"] {
        assert!(is_server(good), "{good}");
    }
    for bad in ["", "localhost", ":5347", "localhost:0", "localhost:70000", "::1:5347", "a b:1"] {
        assert!(!is_server(bad), "{bad}");
    }
}
