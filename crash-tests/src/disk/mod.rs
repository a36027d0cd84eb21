//! A disk that loses what was not synced: pure, without a mount.
//!
//! Every file and every directory has two states: what a process sees, and what is on the device.
//! [`Disk::after_cut`] makes a disk out of the second, with a part of the difference that chance
//! picks. More is lost than on any one real file system, but nothing that POSIX promises.
//!
//! Modes, owners, times and extended attributes are kept at once: nothing here depends on them.

mod file;
mod names;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::io::Errno;

use crate::chance::Chance;

use file::Content;
use names::{Edit, Names};

pub use names::Journal;

/// Number of a file, a directory or a link.
pub type Inode = u64;

/// The directory that has no name.
pub const ROOT: Inode = 1;

/// Longest file.
const MAX_FILE: u64 = 1 << 30;

/// What an operation comes to.
pub type Outcome<T> = Result<T, Errno>;

#[derive(Clone, Debug)]
enum Body {
    File(Content),
    Directory,
    Link(PathBuf),
}

#[derive(Clone, Debug)]
struct Node {
    body: Body,
    mode: u16,
    owner: (u32, u32),
    modified: SystemTime,
    attributes: BTreeMap<OsString, Vec<u8>>,
}

/// What kind of thing has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Bytes.
    File,
    /// Names.
    Directory,
    /// A path that leads elsewhere.
    Link,
}

/// What `stat` tells.
#[derive(Clone, Copy, Debug)]
pub struct Stat {
    /// Number.
    pub inode: Inode,
    /// Kind.
    pub kind: Kind,
    /// Bytes.
    pub length: u64,
    /// Permissions.
    pub mode: u16,
    /// User and group.
    pub owner: (u32, u32),
    /// When it was last written.
    pub modified: SystemTime,
    /// How many names it has.
    pub names: u32,
}

/// The whole file system.
#[derive(Clone, Debug)]
pub struct Disk {
    nodes: BTreeMap<Inode, Node>,
    names: Names,
    next: Inode,
    journal: Journal,
    chance: Chance,
    /// Bytes of all files at most.
    capacity: u64,
}

impl Disk {
    /// An empty disk for `capacity` bytes.
    #[must_use]
    pub fn new(journal: Journal, capacity: u64, chance: Chance) -> Self {
        let root = Node::new(Body::Directory, 0o700, (0, 0));
        let nodes = BTreeMap::from([(ROOT, root)]);
        let names = Names::new(journal, BTreeMap::new());
        Self { nodes, names, next: ROOT + 1, journal, chance, capacity }
    }

    /// The disk after the power went: what was synced, and of the rest what chance picks.
    #[must_use]
    pub fn after_cut(mut self) -> Self {
        let kept = self.names.after_cut(&mut self.chance);
        let mut nodes = BTreeMap::new();
        let mut waiting = vec![ROOT];
        while let Some(inode) = waiting.pop() {
            let Some(mut node) = self.nodes.remove(&inode) else { continue };
            if let Body::File(content) = node.body {
                node.body = Body::File(content.after_cut(&mut self.chance));
            }
            waiting.extend(kept.get(&inode).into_iter().flat_map(BTreeMap::values));
            nodes.insert(inode, node);
        }
        let kept = kept.into_iter().filter(|(inode, _)| nodes.contains_key(inode)).collect();
        let names = Names::new(self.journal, kept);
        Self { nodes, names, ..self }
    }

    /// What `inode` is.
    ///
    /// # Errors
    ///
    /// `ENOENT` if there is no such thing; so for every operation.
    pub fn stat(&self, inode: Inode) -> Outcome<Stat> {
        let node = self.node(inode)?;
        let (kind, length) = match &node.body {
            Body::File(content) => (Kind::File, content.len()),
            Body::Directory => (Kind::Directory, 0),
            Body::Link(to) => (Kind::Link, to.as_os_str().len()),
        };
        let names = match kind {
            Kind::Directory => 2,
            Kind::File | Kind::Link => self.names.count(inode),
        };
        Ok(Stat {
            inode,
            kind,
            length: u64::try_from(length).unwrap_or(u64::MAX),
            mode: node.mode,
            owner: node.owner,
            modified: node.modified,
            names: u32::try_from(names).unwrap_or(u32::MAX),
        })
    }

    /// What a name stands for.
    ///
    /// # Errors
    ///
    /// `ENOENT`.
    pub fn lookup(&self, directory: Inode, name: &OsStr) -> Outcome<Stat> {
        self.stat(self.names.get(directory, name).ok_or(Errno::NOENT)?)
    }

    /// Every name in a directory.
    #[must_use]
    pub fn list(&self, directory: Inode) -> Vec<(OsString, Stat)> {
        let names = self.names.list(directory);
        names.filter_map(|(name, inode)| Some((name.clone(), self.stat(inode).ok()?))).collect()
    }

    /// Makes a new thing under a new name.
    ///
    /// # Errors
    ///
    /// `EEXIST`.
    pub fn make(
        &mut self,
        directory: Inode,
        name: &OsStr,
        kind: Kind,
        (mode, owner): (u16, (u32, u32)),
    ) -> Outcome<Stat> {
        let body = match kind {
            Kind::File => Body::File(Content::default()),
            Kind::Directory => Body::Directory,
            Kind::Link => return Err(Errno::INVAL),
        };
        self.add(directory, name, Node::new(body, mode, owner))
    }

    /// Makes a symbolic link.
    ///
    /// # Errors
    ///
    /// `EEXIST`.
    pub fn make_link(&mut self, directory: Inode, name: &OsStr, to: &Path) -> Outcome<Stat> {
        self.add(directory, name, Node::new(Body::Link(to.to_owned()), 0o777, (0, 0)))
    }

    fn add(&mut self, directory: Inode, name: &OsStr, node: Node) -> Outcome<Stat> {
        self.vacant(directory, name)?;
        let inode = self.next;
        self.next = self.next.saturating_add(1);
        self.nodes.insert(inode, node);
        self.names.change(vec![edit(directory, name, Some(inode))]);
        self.stat(inode)
    }

    /// Gives a file another name.
    ///
    /// # Errors
    ///
    /// `EEXIST`.
    pub fn link(&mut self, inode: Inode, directory: Inode, name: &OsStr) -> Outcome<Stat> {
        self.vacant(directory, name)?;
        self.names.change(vec![edit(directory, name, Some(inode))]);
        self.stat(inode)
    }

    fn vacant(&self, directory: Inode, name: &OsStr) -> Outcome<()> {
        self.node(directory)?;
        if self.names.get(directory, name).is_some() { Err(Errno::EXIST) } else { Ok(()) }
    }

    /// Takes a name away.
    ///
    /// # Errors
    ///
    /// `ENOTEMPTY` for a directory with names in it.
    pub fn remove(&mut self, directory: Inode, name: &OsStr) -> Outcome<()> {
        let inode = self.names.get(directory, name).ok_or(Errno::NOENT)?;
        if self.names.list(inode).next().is_some() {
            return Err(Errno::NOTEMPTY);
        }
        self.names.change(vec![edit(directory, name, None)]);
        Ok(())
    }

    /// Moves a name, over another one if there is one.
    ///
    /// # Errors
    ///
    /// `EEXIST` with `only_new` if there is one.
    pub fn rename(
        &mut self,
        (from, name): (Inode, &OsStr),
        (to, new_name): (Inode, &OsStr),
        only_new: bool,
    ) -> Outcome<()> {
        let inode = self.names.get(from, name).ok_or(Errno::NOENT)?;
        if only_new {
            self.vacant(to, new_name)?;
        }
        self.names.change(vec![edit(from, name, None), edit(to, new_name, Some(inode))]);
        Ok(())
    }

    /// Where a symbolic link leads.
    ///
    /// # Errors
    ///
    /// `EINVAL` if it is none.
    pub fn read_link(&self, inode: Inode) -> Outcome<&Path> {
        match &self.node(inode)?.body {
            Body::Link(to) => Ok(to),
            Body::File(_) | Body::Directory => Err(Errno::INVAL),
        }
    }

    /// Bytes of a file; fewer at its end.
    ///
    /// # Errors
    ///
    /// `EISDIR` if it is no file; so for every operation on files.
    pub fn read(&self, inode: Inode, at: u64, length: u64) -> Outcome<&[u8]> {
        match &self.node(inode)?.body {
            Body::File(content) => Ok(content.read(place(at)?, place(length)?)),
            Body::Directory | Body::Link(_) => Err(Errno::ISDIR),
        }
    }

    /// Writes; at times the kernel brings some pages of the file to the device by itself.
    ///
    /// # Errors
    ///
    /// `ENOSPC` beyond the capacity.
    pub fn write(&mut self, inode: Inode, at: u64, bytes: &[u8]) -> Outcome<()> {
        let grown = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if self.free() < grown {
            return Err(Errno::NOSPC);
        }
        let (place, by_itself) = (place(at)?, self.chance.once_in(16));
        let mut chance = self.chance.clone();
        let content = self.content(inode)?;
        content.write(place, bytes);
        if by_itself {
            content.write_back(&mut chance);
        }
        Ok(())
    }

    /// Copies bytes of one file into another; returns how many.
    ///
    /// # Errors
    ///
    /// As [`Disk::write`].
    pub fn copy(
        &mut self,
        (from, read_at): (Inode, u64),
        (to, write_at): (Inode, u64),
        length: u64,
    ) -> Outcome<u64> {
        let bytes = self.read(from, read_at, length.min(1 << 20))?.to_vec();
        self.write(to, write_at, &bytes)?;
        Ok(u64::try_from(bytes.len()).unwrap_or(0))
    }

    /// Makes a file this long.
    ///
    /// # Errors
    ///
    /// `EFBIG`.
    pub fn resize(&mut self, inode: Inode, length: u64) -> Outcome<()> {
        let length = place(length)?;
        self.content(inode)?.resize(length);
        Ok(())
    }

    /// Brings a file to the device.
    ///
    /// # Errors
    ///
    /// `EISDIR`.
    pub fn sync(&mut self, inode: Inode) -> Outcome<()> {
        if self.stat(inode)?.kind == Kind::Directory {
            return self.sync_names(inode);
        }
        self.content(inode)?.sync();
        self.names.file_synced();
        Ok(())
    }

    /// A sync that fails: what was to be written is lost for good, though it is still seen.
    ///
    /// # Errors
    ///
    /// `EISDIR`.
    pub fn fail_sync(&mut self, inode: Inode) -> Outcome<()> {
        self.content(inode)?.fail_sync();
        Ok(())
    }

    /// Brings the names in a directory to the device.
    ///
    /// # Errors
    ///
    /// `ENOENT`.
    pub fn sync_names(&mut self, directory: Inode) -> Outcome<()> {
        self.node(directory)?;
        self.names.sync(directory);
        Ok(())
    }

    /// Changes permissions or owner.
    ///
    /// # Errors
    ///
    /// `ENOENT`.
    pub fn set_mode(
        &mut self,
        inode: Inode,
        mode: Option<u16>,
        (user, group): (Option<u32>, Option<u32>),
    ) -> Outcome<()> {
        let node = self.nodes.get_mut(&inode).ok_or(Errno::NOENT)?;
        node.mode = mode.unwrap_or(node.mode);
        node.owner = (user.unwrap_or(node.owner.0), group.unwrap_or(node.owner.1));
        Ok(())
    }

    /// The extended attributes of something.
    ///
    /// # Errors
    ///
    /// `ENOENT`.
    pub fn attributes(&mut self, inode: Inode) -> Outcome<&mut BTreeMap<OsString, Vec<u8>>> {
        Ok(&mut self.nodes.get_mut(&inode).ok_or(Errno::NOENT)?.attributes)
    }

    /// Bytes there is room for.
    #[must_use]
    pub fn free(&self) -> u64 {
        let files = self.nodes.values().map(|node| match &node.body {
            Body::File(content) => u64::try_from(content.len()).unwrap_or(u64::MAX),
            Body::Directory | Body::Link(_) => 0,
        });
        self.capacity.saturating_sub(files.sum())
    }

    /// Bytes of all files at most.
    #[must_use]
    pub const fn capacity(&self) -> u64 {
        self.capacity
    }

    fn node(&self, inode: Inode) -> Outcome<&Node> {
        self.nodes.get(&inode).ok_or(Errno::NOENT)
    }

    fn content(&mut self, inode: Inode) -> Outcome<&mut Content> {
        let node = self.nodes.get_mut(&inode).ok_or(Errno::NOENT)?;
        node.modified = SystemTime::now();
        match &mut node.body {
            Body::File(content) => Ok(content),
            Body::Directory | Body::Link(_) => Err(Errno::ISDIR),
        }
    }
}

impl Node {
    fn new(body: Body, mode: u16, owner: (u32, u32)) -> Self {
        Self { body, mode, owner, modified: SystemTime::now(), attributes: BTreeMap::new() }
    }
}

fn edit(directory: Inode, name: &OsStr, now: Option<Inode>) -> Edit {
    Edit { directory, name: name.to_owned(), now }
}

fn place(at: u64) -> Outcome<usize> {
    if at > MAX_FILE { Err(Errno::FBIG) } else { usize::try_from(at).map_err(|_| Errno::FBIG) }
}
