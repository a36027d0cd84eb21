//! The new settings as a file, annotated.

use std::collections::BTreeMap;
use std::path::Path;

use super::BASE_PATH;
use super::old::Old;
use super::rules::{self, Setting, quoted};

/// Every line of one section: what it is from, and the line.
type Lines = Vec<(String, String)>;

/// The file. `carried` are settings with the keys that they come from.
pub(super) fn settings(
    old: &Old,
    carried: Vec<(Setting, String)>,
    secret_file: &Path,
    data_dir: &Path,
) -> String {
    let mut sections: BTreeMap<&str, Lines> = BTreeMap::new();
    let mut add = |section, key: &str, value: &str, note: String| {
        sections.entry(section).or_default().push((note, format!("{key} = {value}")));
    };
    match rules::listen(old) {
        Ok(at) => add("server", "listen", &quoted(&at), where_from(&at)),
        Err(why) => add("server", "listen", &quoted("127.0.0.1:8080"), format!("DECIDE: {why}")),
    }
    let note = "Everything that is kept lives here; it was never a part of the old directory.";
    add("server", "data_dir", &quoted(&data_dir.display().to_string()), note.to_owned());
    if let Some(admin) = rules::admin(old) {
        let note = "from server.metricsport; on this machine only";
        add("server", "admin_listen", &quoted(&admin), note.to_owned());
    }
    let note = "As there, nobody uploads without a token; files are fetched by their address.";
    add("auth", "required", "true", note.to_owned());
    for (Setting { section, key, value }, from) in carried {
        add(section, key, &value, format!("from {from}"));
    }
    let mut text = String::from(
        "# Made by `tidegate migrate hmac-file-server`. Everything else has its built-in value:\n\
         # `tidegate config default` shows it.\n",
    );
    for (section, lines) in sections {
        text.push_str(&format!("\n[{section}]\n"));
        for (note, line) in lines {
            text.push_str(&format!("# {note}\n{line}\n"));
        }
    }
    text.push_str(&tenant(secret_file));
    text
}

fn where_from(at: &str) -> String {
    let from = "from server.listen_address, server.bind_ip and server.unixsocket";
    let all = if at.starts_with("[::]") { "; all addresses, of IPv6 and of IPv4" } else { "" };
    format!("{from}{all}")
}

fn tenant(secret_file: &Path) -> String {
    format!(
        "\n# The slots of the XMPP server. That server had them at the root of its site, so every \
         address stays\n# what it was.\n[[xep0363.tenants]]\nbase_path = {}\nscheme = \
         \"hmac_file_server\"\n# from security.secret\nsecret_file = {}\n",
        quoted(BASE_PATH),
        quoted(&secret_file.display().to_string()),
    )
}
