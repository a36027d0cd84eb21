//! `tidegate link`: makes links that let somebody upload.

use std::io::{self, Write};

use super::arguments::{Arguments, LinkCommand};
use super::exit::Exit;
use crate::config::Size;
use crate::server::links::{self, Verb, Verbs, Wanted};

pub(super) fn run(
    arguments: &Arguments,
    command: &LinkCommand,
    out: &mut impl Write,
) -> anyhow::Result<Exit> {
    let LinkCommand::Create { owner, expires, max_size, verbs } = command;
    let settings = arguments.settings()?;
    let wanted = Wanted {
        owner: owner.clone(),
        life: expires.get(),
        max_bytes: max_size.map(Size::get),
        verbs: parsed(verbs)?,
    };
    let url = links::create(&settings, &wanted)?;
    writeln!(out, "{url}")?;
    // Beside the answer, so that a script gets the URL alone.
    drop(write!(
        io::stderr(),
        "\nThis URL is a tus endpoint for {owner}, for {expires}. Give it to a tus client:\n\
         \n    new tus.Upload(file, {{ endpoint: \"{url}\" }})\n\
         \nor send a file with\n\
         \n    curl -X POST -H 'Tus-Resumable: 1.0.0' -H \"Upload-Length: $(wc -c <FILE)\" \\\n\
         \x20     -H 'Content-Type: application/offset+octet-stream' --data-binary @FILE \\\n\
         \x20     '{url}'\n\
         \nWhoever has it may use it; changing the secret ends every link.\n",
    ));
    Ok(Exit::Done)
}

fn parsed(names: &[String]) -> anyhow::Result<Verbs> {
    names.iter().try_fold(Verbs::NONE, |verbs, name| {
        let known = || Verb::ALL.map(Verb::name).join(", ");
        let verb = Verb::named(name)
            .ok_or_else(|| anyhow::anyhow!("{name:?} is nothing to allow; there is {}", known()))?;
        Ok(verbs.and(verb))
    })
}
