//! Three network namespaces and two paths between the first and the last.
//!
//! ```text
//! client  10.71.0.1 ──A── bridge ──A── 10.71.0.2  gateway
//!         10.71.1.1 ───────────B────── 10.71.1.2
//! ```
//!
//! Path A carries IPv6 as well: fd71::1 and fd71::2.
//!
//! We are the client, in the namespace that we were started in, which has to be our own. The two
//! others belong to processes that end with us, so nothing is left behind.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::thread::LinkNameSpaceType;

use crate::trouble::Trouble;

/// The gateway by the path that is cut.
pub const BY_A: &str = "10.71.0.2:8080";
/// The same by IPv6.
pub const BY_A_IPV6: &str = "[fd71::2]:8080";
/// The gateway by the path that stays.
pub const BY_B: &str = "10.71.1.2:8080";

/// A server at the far end of the paths, by the port that it listens on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Server {
    port: u16,
}

impl Server {
    /// The gateway.
    pub const GATEWAY: Self = Self { port: 8080 };

    /// The one beside it that is `nth`, from 1 on.
    #[must_use]
    pub const fn beside_the_gateway(nth: u16) -> Self {
        Self { port: Self::GATEWAY.port.saturating_add(nth) }
    }

    /// Where it listens.
    #[must_use]
    pub const fn port(self) -> u16 {
        self.port
    }

    /// It by the path that is cut.
    #[must_use]
    pub fn by_a(self) -> String {
        format!("10.71.0.2:{}", self.port)
    }

    /// It by the path that stays.
    #[must_use]
    pub fn by_b(self) -> String {
        format!("10.71.1.2:{}", self.port)
    }
}

/// Longest wait for a namespace.
const PATIENCE: Duration = Duration::from_secs(10);

const CLIENT: &str = "\
link set lo up
link add a0 type veth peer name c0 netns MIDDLE
link add b0 type veth peer name b1 netns GATEWAY
addr add 10.71.0.1/24 dev a0
addr add fd71::1/64 dev a0 nodad
addr add 10.71.1.1/24 dev b0
link set a0 up
link set b0 up
";
const MIDDLE: &str = "\
link add over type bridge
link add s0 type veth peer name a1 netns GATEWAY
link set c0 master over
link set s0 master over
link set c0 up
link set s0 up
link set over up
";
const GATEWAY: &str = "\
link set lo up
addr add 10.71.0.2/24 dev a1
addr add fd71::2/64 dev a1 nodad
addr add 10.71.1.2/24 dev b1
link set a1 up
link set b1 up
";

/// A family of addresses, of which path A has one each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// 10.71.0.2
    Ipv4,
    /// fd71::2
    Ipv6,
}

impl Family {
    /// The gateway by path A.
    #[must_use]
    pub const fn by_a(self) -> &'static str {
        match self {
            Self::Ipv4 => BY_A,
            Self::Ipv6 => BY_A_IPV6,
        }
    }
}

/// Where path A is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The client's own interface goes down.
    AtTheClient,
    /// Something in the middle stops to forward: both ends see a link that is up.
    InTheMiddle,
}

/// The namespaces and their paths.
#[derive(Debug)]
pub struct Lab {
    middle: Space,
    gateway: Space,
}

impl Lab {
    /// Makes namespaces and paths.
    ///
    /// # Errors
    ///
    /// [`Trouble::System`] if they cannot be had, or if our own namespace is the machine's.
    pub fn build() -> Result<Self, Trouble> {
        ours_alone()?;
        let lab = Self { middle: Space::make()?, gateway: Space::make()? };
        let named = |script: &str| {
            let script = script.replace("MIDDLE", &lab.middle.pid());
            script.replace("GATEWAY", &lab.gateway.pid())
        };
        configure(Command::new("ip"), &named(CLIENT))?;
        configure(lab.middle.inside("ip"), &named(MIDDLE))?;
        configure(lab.gateway.inside("ip"), &named(GATEWAY))?;
        passes()?;
        Ok(lab)
    }

    /// Runs `program` where the gateway is.
    #[must_use]
    pub fn beside_the_gateway(&self, program: &str) -> Command {
        self.gateway.inside(program)
    }

    /// What the server on `port` of the gateway's loopback answers to a GET of `path`.
    ///
    /// # Errors
    ///
    /// [`Trouble::System`] if it does not.
    pub fn get(&self, port: u16, path: &str) -> Result<String, Trouble> {
        self.there(|| {
            let mut stream = TcpStream::connect(("127.0.0.1", port))?;
            stream.set_read_timeout(Some(PATIENCE))?;
            let head =
                format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
            stream.write_all(head.as_bytes())?;
            let mut text = String::new();
            stream.read_to_string(&mut text).map(|_| text)
        })
    }

    /// Bytes from our `port` that the server's kernel has, and that the server has not read yet.
    ///
    /// # Errors
    ///
    /// [`Trouble::System`] if the kernel cannot be asked.
    pub fn unread(&self, server: Server, port: u16) -> Result<u64, Trouble> {
        let table = self.there(|| fs::read_to_string("/proc/thread-self/net/tcp"))?;
        let (its, ours) = (format!(":{:04X}", server.port), format!(":{port:04X}"));
        let found = table.lines().find_map(|line| {
            let mut fields = line.split_whitespace().skip(1);
            let is_its = fields.next()?.ends_with(&its);
            let is_ours = fields.next()?.ends_with(&ours);
            let queues = fields.nth(1).filter(|_| is_its && is_ours)?;
            u64::from_str_radix(queues.split_once(':')?.1, 16).ok()
        });
        Ok(found.unwrap_or(0))
    }

    /// Does something where the gateway is. The namespace is that of one thread.
    fn there<T: Send>(&self, work: impl FnOnce() -> io::Result<T> + Send) -> Result<T, Trouble> {
        let working = || {
            let space = File::open(format!("/proc/{}/ns/net", self.gateway.pid()))?;
            let network = Some(LinkNameSpaceType::Network);
            rustix::thread::move_into_link_name_space(space.as_fd(), network)?;
            work()
        };
        let done = thread::scope(|scope| scope.spawn(working).join());
        let panicked = |_| Err(io::Error::other("the thread panicked"));
        done.unwrap_or_else(panicked).map_err(Trouble::system("looking around beside the gateway"))
    }

    /// Cuts path A: nothing passes any more, and no end is told.
    ///
    /// # Errors
    ///
    /// [`Trouble::System`] if the link stays.
    pub fn cut(&self, at: Cut) -> Result<(), Trouble> {
        match at {
            Cut::AtTheClient => set(Command::new("ip"), "a0", "down"),
            Cut::InTheMiddle => set(self.middle.inside("ip"), "over", "down"),
        }
    }

    /// The gateway's address of that family on path A is gone; its link stays.
    ///
    /// # Errors
    ///
    /// [`Trouble::System`] if it stays.
    pub fn address_goes(&self, family: Family) -> Result<(), Trouble> {
        self.address("del", family)
    }

    /// It is there again.
    ///
    /// # Errors
    ///
    /// [`Trouble::System`] if it is not.
    pub fn address_comes(&self, family: Family) -> Result<(), Trouble> {
        self.address("replace", family)
    }

    fn address(&self, verb: &str, family: Family) -> Result<(), Trouble> {
        let mut ip = self.gateway.inside("ip");
        ip.args(["addr", verb]);
        match family {
            Family::Ipv4 => ip.args(["10.71.0.2/24", "dev", "a1"]),
            Family::Ipv6 => ip.args(["fd71::2/64", "dev", "a1", "nodad"]),
        };
        done(ip.status(), "changing an address")
    }

    /// Path A is whole again.
    ///
    /// # Errors
    ///
    /// [`Trouble::System`] if it is not.
    pub fn mend(&self) -> Result<(), Trouble> {
        set(Command::new("ip"), "a0", "up")?;
        // A link that goes down takes its address of IPv6 along, and not that of IPv4.
        let mut ip = Command::new("ip");
        ip.args(["addr", "replace", "fd71::1/64", "dev", "a0", "nodad"]);
        done(ip.status(), "giving an address back")?;
        set(self.middle.inside("ip"), "over", "up")?;
        passes()
    }

    /// Bytes that reached the server's kernel on the connection from our `port`; `None` if that
    /// connection is gone.
    ///
    /// # Errors
    ///
    /// [`Trouble::System`] if the kernel cannot be asked.
    pub fn arrived(&self, server: Server, port: u16) -> Result<Option<u64>, Trouble> {
        let text = self.connections(server, &format!("and dport = :{port}"))?;
        let count = text.split_once("bytes_received:").and_then(|(_, rest)| {
            let digits = rest.split(|digit: char| !digit.is_ascii_digit()).next()?;
            digits.parse().ok()
        });
        // The kernel leaves the field out as long as it is 0.
        Ok(if text.trim().is_empty() { None } else { Some(count.unwrap_or(0)) })
    }

    /// The server's connections that `filter` (`and ..`) lets through, as `ss` shows them; all if it is empty.
    ///
    /// # Errors
    ///
    /// [`Trouble::System`] if the kernel cannot be asked.
    pub fn connections(&self, server: Server, filter: &str) -> Result<String, Trouble> {
        let mut ss = self.beside_the_gateway("ss");
        let filter = format!("sport = :{} {filter}", server.port);
        ss.args(["-tinHO", "state", "connected", filter.trim()]);
        let output = ss.output().map_err(Trouble::system("running ss (iproute2)"))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(Trouble::system("asking ss")(io::Error::other(said)));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// A namespace, kept by a process that ends with us.
#[derive(Debug)]
struct Space {
    keeper: Child,
}

impl Space {
    fn make() -> Result<Self, Trouble> {
        const DOING: &str = "making a network namespace (unshare --net)";
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "unshare", "--net", "sleep", "infinity"]);
        let keeper = command.stdin(Stdio::null()).spawn().map_err(Trouble::system(DOING))?;
        let mut space = Self { keeper };
        let (ours, until) = (namespace("self")?, Instant::now() + PATIENCE);
        while namespace(&space.pid()).is_ok_and(|theirs| theirs == ours) {
            let ended = space.keeper.try_wait().map_err(Trouble::system(DOING))?;
            if ended.is_some() || Instant::now() > until {
                let refused = io::Error::other("it did not come into being");
                return Err(Trouble::system(DOING)(refused));
            }
            thread::park_timeout(Duration::from_millis(1));
        }
        Ok(space)
    }

    fn pid(&self) -> String {
        self.keeper.id().to_string()
    }

    fn inside(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.keeper.id())).arg(program);
        command
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        drop(self.keeper.kill());
        drop(self.keeper.wait());
    }
}

fn namespace(process: &str) -> Result<std::path::PathBuf, Trouble> {
    let link = format!("/proc/{process}/ns/net");
    fs::read_link(link).map_err(Trouble::system("reading a network namespace"))
}

/// Whoever has a route is on somebody's network, and we would change that.
fn ours_alone() -> Result<(), Trouble> {
    const DOING: &str = "making links";
    let routes = fs::read_to_string("/proc/self/net/route").map_err(Trouble::system(DOING))?;
    if routes.lines().count() > 1 {
        let why = "this is not a namespace of our own; start me with `unshare --net`, \
                   or `unshare --map-root-user --net` without being root";
        return Err(Trouble::system(DOING)(io::Error::other(why)));
    }
    Ok(())
}

/// Waits until path A carries something: the far end then refuses a port that nobody listens on.
fn passes() -> Result<(), Trouble> {
    let (port, until) = (SocketAddr::from(([10, 71, 0, 2], 9)), Instant::now() + PATIENCE);
    loop {
        match TcpStream::connect_timeout(&port, Duration::from_millis(100)) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => return Ok(()),
            Err(_) if Instant::now() < until => {}
            Err(error) => return Err(Trouble::system("waiting for path A")(error)),
            Ok(_) => return Ok(()),
        }
    }
}

fn configure(mut ip: Command, script: &str) -> Result<(), Trouble> {
    const DOING: &str = "making links (ip -batch, iproute2)";
    ip.args(["-batch", "-"]).stdin(Stdio::piped());
    let mut ip = ip.spawn().map_err(Trouble::system(DOING))?;
    if let Some(mut stdin) = ip.stdin.take() {
        stdin.write_all(script.as_bytes()).map_err(Trouble::system(DOING))?;
    }
    done(ip.wait(), DOING)
}

fn set(mut ip: Command, link: &str, state: &str) -> Result<(), Trouble> {
    done(ip.args(["link", "set", link, state]).status(), "setting a link up or down")
}

fn done(status: io::Result<std::process::ExitStatus>, doing: &'static str) -> Result<(), Trouble> {
    let status = status.map_err(Trouble::system(doing))?;
    if status.success() {
        return Ok(());
    }
    Err(Trouble::system(doing)(io::Error::other(format!("it ended with {status}"))))
}
