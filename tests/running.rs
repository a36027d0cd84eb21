//! The program as a whole: what it prints, refuses, survives, and leaves behind.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails, in its helpers too"
)]

#[path = "running/first_process.rs"]
mod first_process;
#[path = "running/gateway.rs"]
mod gateway;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use gateway::{Gateway, download, exchange, field, offset, program, run, text, upload};
use rustix::process::Signal;
use tempfile::tempdir;

#[test]
fn the_printed_command_uploads() {
    let folder = tempdir().unwrap();
    let gateway = Gateway::start(&folder.path().join("data"));
    let command = gateway.printed("try it");
    let output = Command::new("sh").args(["-c", command]).output().unwrap();
    let answer = text(&output.stdout);
    assert!(answer.starts_with("HTTP/1.1 201"), "{command}: {answer}{}", text(&output.stderr));
    let path = field(&answer, "location").unwrap();
    assert_eq!(download(gateway.upload_address(), &path), "hello");
}

#[test]
fn the_data_directory_is_printed_as_an_absolute_path() {
    let folder = tempdir().unwrap();
    let gateway = Gateway::start(&folder.path().join("data"));
    assert!(Path::new(gateway.printed("data")).is_absolute());
}

#[test]
fn a_termination_ends_it_with_success_and_keeps_what_was_uploaded() {
    let folder = tempdir().unwrap();
    let gateway = Gateway::start(folder.path());
    let path = upload(gateway.upload_address(), "kept");
    assert!(gateway.stop().success());
    let again = Gateway::start(folder.path());
    assert_eq!(download(again.upload_address(), &path), "kept");
}

/// Begins a PATCH of ten bytes of which `sent` arrive; returns the upload and its connection.
fn half_a_transfer(gateway: &Gateway, sent: &str) -> (String, TcpStream) {
    let address = gateway.upload_address();
    let head = "POST /files HTTP/1.1\r\nTus-Resumable: 1.0.0\r\nUpload-Length: 10";
    let path = field(&exchange(address, head, ""), "location").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "PATCH {path} HTTP/1.1\r\nHost: {address}\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n\
         Content-Type: application/offset+octet-stream\r\nContent-Length: 10\r\n\r\n{sent}"
    );
    stream.write_all(head.as_bytes()).unwrap();
    (path, stream)
}

/// Waits until the file of an upload has this many bytes.
fn await_bytes(data: &Path, path: &str, bytes: u64) {
    let id = path.rsplit('/').next().unwrap();
    by_the_deadline("the bytes are on the disk", || {
        let mut folders = vec![data.join("blobs")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().flatten() {
                let Ok(metadata) = entry.metadata() else { continue };
                if metadata.is_dir() {
                    folders.push(entry.path());
                } else if entry.file_name().to_string_lossy().contains(id)
                    && metadata.len() == bytes
                {
                    return true;
                }
            }
        }
        false
    });
}

fn by_the_deadline(what: &str, mut is_so: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < gateway::DEADLINE, "in time, {what}");
        std::thread::yield_now();
    }
}

#[test]
fn a_stop_commits_what_a_running_upload_has_brought() {
    let folder = tempdir().unwrap();
    let gateway = Gateway::start(folder.path());
    let (path, mut stream) = half_a_transfer(&gateway, "half");
    await_bytes(folder.path(), &path, 4);
    gateway.signal(Signal::TERM);
    let mut status = [0; 12];
    stream.read_exact(&mut status).unwrap();
    assert_eq!(text(&status), "HTTP/1.1 503");
    drop(stream);
    assert!(gateway.ended().success());
    let again = Gateway::start(folder.path());
    assert_eq!(offset(again.upload_address(), &path), 4);
}

#[test]
fn an_idle_connection_does_not_hold_up_the_end() {
    let folder = tempdir().unwrap();
    let gateway =
        Gateway::start_with(folder.path(), &[], &[("TIDEGATE__TIMEOUTS__SHUTDOWN", "1h")]);
    let mut idle = TcpStream::connect(gateway.upload_address()).unwrap();
    idle.write_all(b"OPTIONS /files HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut first = [0; 1];
    idle.read_exact(&mut first).unwrap();
    assert!(gateway.stop().success());
}

#[test]
fn a_second_signal_does_not_wait_for_a_client_that_does_not_read() {
    let folder = tempdir().unwrap();
    let hour = [("TIDEGATE__TIMEOUTS__SHUTDOWN", "1h"), ("TIDEGATE__TIMEOUTS__WRITETIMEOUT", "1h")];
    let gateway = Gateway::start_with(folder.path(), &[], &hour);
    // More than the buffers of the kernel take.
    let path = upload(gateway.upload_address(), &"x".repeat(32 * 1024 * 1024));
    let mut stalled = TcpStream::connect(gateway.upload_address()).unwrap();
    write!(stalled, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut first = [0; 1];
    stalled.read_exact(&mut first).unwrap();
    gateway.signal(Signal::TERM);
    // No new connections are the sign that the first signal was taken.
    let address = gateway.upload_address().to_owned();
    by_the_deadline("it takes no connections", || TcpStream::connect(&address).is_err());
    gateway.signal(Signal::TERM);
    assert!(gateway.ended().success());
}

#[test]
fn a_service_manager_is_told_when_it_is_ready_and_when_it_stops() {
    let folder = tempdir().unwrap();
    let socket = folder.path().join("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(gateway::DEADLINE)).unwrap();
    let variables = [("NOTIFY_SOCKET", socket.to_str().unwrap())];
    let gateway = Gateway::start_with(&folder.path().join("data"), &[], &variables);
    let heard = || {
        let mut message = [0; 256];
        let length = manager.recv(&mut message).unwrap();
        text(&message[..length]).trim().to_owned()
    };
    assert_eq!(heard(), "READY=1");
    gateway.signal(Signal::TERM);
    assert_eq!(heard(), "STOPPING=1");
    assert!(gateway.ended().success());
}

#[test]
fn a_unix_socket_is_listened_on_and_removed_at_the_end() {
    let folder = tempdir().unwrap();
    let socket = folder.path().join("http.sock");
    let address = format!("unix:{}", socket.display());
    let variables = [("TIDEGATE__SERVER__LISTEN", address.as_str())];
    let gateway = Gateway::start_on(&folder.path().join("data"), &[], &variables);
    assert_eq!(gateway.printed("upload endpoint"), address);
    let output = Command::new("sh").args(["-c", gateway.printed("try it")]).output().unwrap();
    assert!(text(&output.stdout).starts_with("HTTP/1.1 201"), "{output:?}");
    assert!(gateway.stop().success());
    assert!(!socket.exists());
}

#[test]
fn an_interrupt_ends_it_with_success_too() {
    let folder = tempdir().unwrap();
    let gateway = Gateway::start(folder.path());
    gateway.signal(Signal::INT);
    assert!(gateway.ended().success());
}

#[test]
fn a_hang_up_does_not_end_it() {
    let folder = tempdir().unwrap();
    let gateway = Gateway::start(folder.path());
    gateway.signal(Signal::HUP);
    upload(gateway.upload_address(), "still there");
    assert!(gateway.stop().success());
}

#[test]
fn a_gateway_that_gives_up_power_cuts_says_so() {
    for (durability, says) in [("os", true), ("fsync", false)] {
        let folder = tempdir().unwrap();
        let log = folder.path().join("log");
        let variables = [("TIDEGATE__STORAGE__DURABILITY", durability)];
        let data = folder.path().join("data");
        let written = std::fs::File::create(&log).unwrap().into();
        assert!(Gateway::start_logging(&data, &variables, written).stop().success());
        let text = std::fs::read_to_string(&log).unwrap();
        assert_eq!(text.contains("not a power cut"), says, "{durability}: {text}");
    }
}

#[test]
fn a_kill_loses_nothing_that_was_acknowledged() {
    let folder = tempdir().unwrap();
    let gateway = Gateway::start(folder.path());
    let path = upload(gateway.upload_address(), "kept");
    gateway.kill();
    let again = Gateway::start(folder.path());
    assert_eq!(download(again.upload_address(), &path), "kept");
}

#[test]
fn a_second_gateway_on_one_data_directory_is_refused() {
    let folder = tempdir().unwrap();
    let _first = Gateway::start(folder.path());
    let data = folder.path().to_str().unwrap();
    let output =
        run(&["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--data-dir", data]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("another tidegate works on the data directory"), "{said}");
}

#[test]
fn a_port_in_use_is_named_with_its_setting() {
    let folder = tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let data = folder.path().to_str().unwrap();
    for (mine, other, setting) in [
        ("--listen", "--admin-listen", "server.listen"),
        ("--admin-listen", "--listen", "server.admin_listen"),
    ] {
        let output = run(&[mine, &address, other, "127.0.0.1:0", "--data-dir", data]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(&format!("{setting} = {address} cannot be listened on")), "{said}");
    }
}

#[test]
fn it_does_not_listen_for_everybody_while_nothing_authenticates() {
    let folder = tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let output = run(&["--listen", "0.0.0.0:0", "--data-dir", data]);
    assert_eq!(output.status.code(), Some(78));
    assert!(text(&output.stderr).contains("server.allow_public_without_auth = true"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was touched");
}

#[test]
fn an_unknown_setting_is_refused_with_the_nearest_one() {
    let output =
        program(&["config", "check"]).env("TIDEGATE__STORAGE__DURABILTY", "os").output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    assert!(text(&output.stderr).contains("did you mean storage.durability?"));
}

#[test]
fn the_default_settings_can_be_written_checked_and_shown() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("tidegate.toml");
    let default = run(&["config", "default"]);
    std::fs::write(&file, &default.stdout).unwrap();
    let path = file.to_str().unwrap();
    assert!(run(&["config", "check", "--config", path]).status.success());
    let shown = run(&["config", "show", "--config", path]);
    assert_eq!(text(&shown.stdout), text(&run(&["config", "show"]).stdout));
}

#[test]
fn shown_settings_hide_tokens() {
    let tokens = "[{name = \"me\", token = \"0123456789abcdef-secret\"}]";
    let output =
        program(&["config", "show"]).env("TIDEGATE__AUTH__TOKENS", tokens).output().unwrap();
    let shown = text(&output.stdout);
    assert!(shown.contains("(hidden)") && !shown.contains("0123456789abcdef"), "{shown}");
}

#[test]
fn health_says_whether_a_gateway_is_ready() {
    let folder = tempdir().unwrap();
    let gateway = Gateway::start(folder.path());
    let admin = gateway.admin_address().to_owned();
    assert_eq!(run(&["health", "--admin-listen", &admin]).status.code(), Some(0));
    assert!(gateway.stop().success());
    assert_eq!(run(&["health", "--admin-listen", &admin]).status.code(), Some(4));
}

#[test]
fn uploads_are_listed_shown_and_removed_while_the_gateway_runs_and_while_it_does_not() {
    let folder = tempdir().unwrap();
    let data = folder.path().to_str().unwrap().to_owned();
    let gateway = Gateway::start(folder.path());
    let admin = gateway.admin_address().to_owned();
    let paths = [upload(gateway.upload_address(), "one"), upload(gateway.upload_address(), "two")];
    let ids = paths.each_ref().map(|path| path.rsplit('/').next().unwrap().to_owned());
    let sessions = |words: &[&str]| {
        let words =
            [&["sessions"], words, &["--data-dir", &data, "--admin-listen", &admin]].concat();
        let output = run(&words);
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    };
    let check = |mine: &str| {
        let (code, listed) = sessions(&["list"]);
        assert!(code == Some(0) && listed.contains(mine), "{listed}");
        let (code, shown) = sessions(&["show", mine]);
        assert!(code == Some(0) && shown.contains("complete"), "{shown}");
        let (code, said) = sessions(&["rm", mine]);
        assert_eq!(code, Some(0), "{said}");
        let (code, said) = sessions(&["show", "0123456789abcdef0123456789abcdef"]);
        assert!(code == Some(1) && said.contains("no upload has the id"), "{said}");
    };
    check(&ids[0]);
    let gone = exchange(gateway.upload_address(), &format!("GET {} HTTP/1.1", paths[0]), "");
    assert!(gone.starts_with("HTTP/1.1 404"), "{gone}");
    assert!(gateway.stop().success());
    check(&ids[1]);
}

#[test]
fn a_lost_session_store_is_noticed_and_rebuilt() {
    let folder = tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let gateway = Gateway::start(folder.path());
    let path = upload(gateway.upload_address(), "kept");
    assert!(gateway.stop().success());
    std::fs::remove_dir_all(folder.path().join("sessions")).unwrap();

    let refused =
        run(&["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--data-dir", data]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("tidegate doctor --rebuild"), "{refused:?}");
    assert_eq!(run(&["doctor", "--data-dir", data]).status.code(), Some(3));

    let rebuilt = run(&["doctor", "--rebuild", "--data-dir", data]);
    assert_eq!(rebuilt.status.code(), Some(0), "{rebuilt:?}");
    let again = Gateway::start(folder.path());
    assert_eq!(download(again.upload_address(), &path), "kept");
}

#[test]
fn a_damaged_session_store_is_set_aside_and_rebuilt() {
    let folder = tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let gateway = Gateway::start(folder.path());
    let path = upload(gateway.upload_address(), "kept");
    assert!(gateway.stop().success());
    std::fs::write(folder.path().join("sessions/conf"), b"this is not a database").unwrap();

    assert_eq!(run(&["doctor", "--data-dir", data]).status.code(), Some(3));
    let rebuilt = run(&["doctor", "--rebuild", "--data-dir", data]);
    assert_eq!(rebuilt.status.code(), Some(0), "{rebuilt:?}");
    assert!(folder.path().join("sessions.damaged-1/conf").exists());
    let again = Gateway::start(folder.path());
    assert_eq!(download(again.upload_address(), &path), "kept");
}

#[test]
fn a_sound_data_directory_has_nothing_wrong() {
    let folder = tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let gateway = Gateway::start(folder.path());
    upload(gateway.upload_address(), "one");
    assert!(gateway.stop().success());
    let output = run(&["doctor", "--data-dir", data]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("1 uploads looked at, 0 of them with something wrong"), "{said}");
}

#[test]
fn a_wrong_command_line_is_told_apart_from_a_failure() {
    assert_eq!(run(&["--no-such-flag"]).status.code(), Some(2));
    assert_eq!(
        run(&["sessions", "show", "not-an-id", "--data-dir", "/nonexistent/x"]).status.code(),
        Some(1)
    );
    assert!(run(&["--version"]).status.success());
    assert!(text(&run(&["completions", "bash"]).stdout).contains("tidegate"));
}

#[test]
fn output_that_nobody_reads_is_not_a_failure() {
    let mut child =
        program(&["config", "default"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let status = child.wait().unwrap();
    assert!(status.success() && status.signal().is_none(), "{status:?}");
}
