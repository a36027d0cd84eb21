//! The disk as a mounted file system (FUSE).
//!
//! The kernel caches neither names nor attributes, and writes through: what a process has done, the
//! disk knows. `flock` and `sync_file_range` never come here; the kernel does the one by itself, and
//! the other has nothing to write, which makes nothing durable either.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fuser::{
    BackgroundSession, BsdFileFlags, Config, CopyFileRangeFlags, FileAttr, FileHandle, FileType,
    Filesystem, FopenFlags, Generation, INodeNo, LockOwner, MountOption, OpenFlags, RenameFlags,
    ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen,
    ReplyStatfs, ReplyWrite, ReplyXattr, Request, TimeOrNow, WriteFlags,
};
use rustix::io::Errno;

use crate::disk::{Kind, Outcome, ROOT, Stat};
use crate::power::{Doing, Fault, Power};

/// Nothing is believed for longer than a moment.
const NOW: Duration = Duration::ZERO;
/// `RENAME_NOREPLACE` of renameat2(2).
const NO_REPLACE: u32 = 1;

/// Mounts the disk behind `power` at `directory`, until what is returned is dropped.
///
/// # Errors
///
/// What mounting says: `/dev/fuse` is needed, and the right to mount.
pub fn mount(power: Arc<Power>, directory: &Path) -> io::Result<BackgroundSession> {
    let mut config = Config::default();
    config.mount_options = vec![MountOption::FSName("crash-tests".to_owned())];
    fuser::spawn_mount(Mount { power }, directory, &config)
}

struct Mount {
    power: Arc<Power>,
}

impl Mount {
    fn look<T>(&self, inode: INodeNo, look: impl FnOnce(&Stat) -> T) -> Outcome<T> {
        self.power.look(|disk| disk.stat(inode.0).map(|stat| look(&stat)))
    }

    fn make(
        &self,
        (parent, name): (INodeNo, &OsStr),
        kind: Kind,
        mode: u32,
        request: &Request,
    ) -> Outcome<FileAttr> {
        let mode = u16::try_from(mode & 0o7777).unwrap_or(0o600);
        let owner = (request.uid(), request.gid());
        self.power.change(Doing::Change, |disk, fault| {
            failed(fault)?;
            disk.make(parent.0, name, kind, (mode, owner)).map(|stat| attributes(&stat))
        })
    }

    fn sync(&self, inode: INodeNo, reply: ReplyEmpty) {
        let mut slow = None;
        let outcome = self.power.change(Doing::Sync, |disk, fault| match fault {
            Some(Fault::Error(error)) => {
                // A directory has no pages to lose.
                let _ = disk.fail_sync(inode.0);
                Err(error)
            }
            Some(Fault::Slow(time)) => {
                slow = Some(time);
                disk.sync(inode.0)
            }
            Some(Fault::Short(_)) | None => disk.sync(inode.0),
        });
        match slow {
            // The others are not to wait for this one.
            Some(time) => drop(std::thread::spawn(move || {
                let until = std::time::Instant::now() + time;
                while let Some(left) = until.checked_duration_since(std::time::Instant::now()) {
                    std::thread::park_timeout(left);
                }
                empty(outcome, reply);
            })),
            None => empty(outcome, reply),
        }
    }
}

fn failed(fault: Option<Fault>) -> Outcome<()> {
    match fault {
        Some(Fault::Error(error)) => Err(error),
        Some(Fault::Short(_) | Fault::Slow(_)) | None => Ok(()),
    }
}

fn code(error: Errno) -> fuser::Errno {
    fuser::Errno::from_i32(error.raw_os_error())
}

fn empty(outcome: Outcome<()>, reply: ReplyEmpty) {
    match outcome {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(code(error)),
    }
}

fn entry(outcome: Outcome<FileAttr>, reply: ReplyEntry) {
    match outcome {
        Ok(attr) => reply.entry(&NOW, &attr, Generation(0)),
        Err(error) => reply.error(code(error)),
    }
}

fn attr(outcome: Outcome<FileAttr>, reply: ReplyAttr) {
    match outcome {
        Ok(attr) => reply.attr(&NOW, &attr),
        Err(error) => reply.error(code(error)),
    }
}

fn kind(kind: Kind) -> FileType {
    match kind {
        Kind::File => FileType::RegularFile,
        Kind::Directory => FileType::Directory,
        Kind::Link => FileType::Symlink,
    }
}

fn attributes(stat: &Stat) -> FileAttr {
    FileAttr {
        ino: INodeNo(stat.inode),
        size: stat.length,
        blocks: stat.length.div_ceil(512),
        atime: stat.modified,
        mtime: stat.modified,
        ctime: stat.modified,
        crtime: stat.modified,
        kind: kind(stat.kind),
        perm: stat.mode,
        nlink: stat.names,
        uid: stat.owner.0,
        gid: stat.owner.1,
        rdev: 0,
        blksize: 4096,
        flags: 0,
    }
}

/// Answers for extended attributes: the length first, then the value.
fn value(outcome: Outcome<Vec<u8>>, size: u32, reply: ReplyXattr) {
    let length = outcome.as_ref().map_or(0, Vec::len);
    match outcome {
        Ok(_) if size == 0 => reply.size(u32::try_from(length).unwrap_or(u32::MAX)),
        Ok(_) if usize::try_from(size).is_ok_and(|size| size < length) => {
            reply.error(fuser::Errno::ERANGE);
        }
        Ok(bytes) => reply.data(&bytes),
        Err(error) => reply.error(code(error)),
    }
}

impl Filesystem for Mount {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let found = self.power.look(|disk| disk.lookup(parent.0, name));
        entry(found.map(|stat| attributes(&stat)), reply);
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        attr(self.look(inode, attributes), reply);
    }

    fn setattr(
        &self,
        _: &Request,
        inode: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let outcome = self.power.change(Doing::Change, |disk, fault| {
            failed(fault)?;
            if let Some(length) = size {
                disk.resize(inode.0, length)?;
            }
            let mode = mode.and_then(|mode| u16::try_from(mode & 0o7777).ok());
            disk.set_mode(inode.0, mode, (uid, gid))?;
            disk.stat(inode.0).map(|stat| attributes(&stat))
        });
        attr(outcome, reply);
    }

    fn readlink(&self, _: &Request, inode: INodeNo, reply: ReplyData) {
        match self.power.look(|disk| disk.read_link(inode.0).map(Path::to_owned)) {
            Ok(path) => reply.data(path.as_os_str().as_bytes()),
            Err(error) => reply.error(code(error)),
        }
    }

    fn mkdir(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        reply: ReplyEntry,
    ) {
        entry(self.make((parent, name), Kind::Directory, mode & !umask, request), reply);
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        match self.make((parent, name), Kind::File, mode & !umask, request) {
            Ok(attr) => {
                reply.created(&NOW, &attr, Generation(0), FileHandle(0), FopenFlags::empty());
            }
            Err(error) => reply.error(code(error)),
        }
    }

    fn symlink(&self, _: &Request, parent: INodeNo, name: &OsStr, to: &Path, reply: ReplyEntry) {
        let outcome = self.power.change(Doing::Change, |disk, fault| {
            failed(fault)?;
            disk.make_link(parent.0, name, to)
        });
        entry(outcome.map(|stat| attributes(&stat)), reply);
    }

    fn link(&self, _: &Request, inode: INodeNo, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let outcome = self.power.change(Doing::Change, |disk, fault| {
            failed(fault)?;
            disk.link(inode.0, parent.0, name)
        });
        entry(outcome.map(|stat| attributes(&stat)), reply);
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let outcome = self.power.change(Doing::Change, |disk, fault| {
            failed(fault)?;
            disk.remove(parent.0, name)
        });
        empty(outcome, reply);
    }

    fn rmdir(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        self.unlink(request, parent, name, reply);
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let only_new = flags.bits() & NO_REPLACE != 0;
        let outcome = self.power.change(Doing::Change, |disk, fault| {
            failed(fault)?;
            disk.rename((parent.0, name), (new_parent.0, new_name), only_new)
        });
        empty(outcome, reply);
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::empty());
    }

    fn read(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let read = self.power.read(|disk| Ok(disk.read(inode.0, offset, size.into())?.to_vec()));
        match read {
            Ok(bytes) => reply.data(&bytes),
            Err(error) => reply.error(code(error)),
        }
    }

    fn write(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let outcome = self.power.change(Doing::Write, |disk, fault| {
            failed(fault)?;
            let short = match fault {
                Some(Fault::Short(length)) => data.get(..length).unwrap_or(data),
                Some(Fault::Error(_) | Fault::Slow(_)) | None => data,
            };
            disk.write(inode.0, offset, short).map(|()| short.len())
        });
        match outcome {
            Ok(length) => reply.written(u32::try_from(length).unwrap_or(u32::MAX)),
            Err(error) => reply.error(code(error)),
        }
    }

    fn copy_file_range(
        &self,
        _: &Request,
        from: INodeNo,
        _: FileHandle,
        read_at: u64,
        to: INodeNo,
        _: FileHandle,
        write_at: u64,
        length: u64,
        _: CopyFileRangeFlags,
        reply: ReplyWrite,
    ) {
        let outcome = self.power.change(Doing::Write, |disk, fault| {
            failed(fault)?;
            disk.copy((from.0, read_at), (to.0, write_at), length)
        });
        match outcome {
            Ok(length) => reply.written(u32::try_from(length).unwrap_or(u32::MAX)),
            Err(error) => reply.error(code(error)),
        }
    }

    fn fallocate(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        if mode != 0 {
            return reply.error(fuser::Errno::EOPNOTSUPP);
        }
        let end = offset.saturating_add(length);
        let outcome = self.power.change(Doing::Change, |disk, fault| {
            failed(fault)?;
            if disk.stat(inode.0)?.length < end { disk.resize(inode.0, end) } else { Ok(()) }
        });
        empty(outcome, reply);
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsync(&self, _: &Request, inode: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.sync(inode, reply);
    }

    fn fsyncdir(&self, _: &Request, inode: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.sync(inode, reply);
    }

    fn readdir(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let names = match self.power.look(|disk| Ok(disk.list(inode.0))) {
            Ok(names) => names,
            Err(error) => return reply.error(code(error)),
        };
        let dots = [(".", inode.0), ("..", ROOT)];
        let dots = dots.map(|(name, inode)| (name.into(), inode, FileType::Directory));
        let names = names.into_iter().map(|(name, stat)| (name, stat.inode, kind(stat.kind)));
        let skip = usize::try_from(offset).unwrap_or(usize::MAX);
        let all = dots.into_iter().chain(names).zip(1_u64..);
        for ((name, inode, kind), next) in all.skip(skip) {
            if reply.add(INodeNo(inode), next, kind, &name) {
                break;
            }
        }
        reply.ok();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        match self.power.look(|disk| Ok((disk.capacity() / 4096, disk.free() / 4096))) {
            Ok((all, free)) => reply.statfs(all, free, free, 1 << 20, 1 << 20, 4096, 255, 4096),
            Err(error) => reply.error(code(error)),
        }
    }

    fn setxattr(
        &self,
        _: &Request,
        inode: INodeNo,
        name: &OsStr,
        value: &[u8],
        _: i32,
        _: u32,
        reply: ReplyEmpty,
    ) {
        let outcome = self.power.change(Doing::Change, |disk, fault| {
            failed(fault)?;
            disk.attributes(inode.0)?.insert(name.to_owned(), value.to_owned());
            Ok(())
        });
        empty(outcome, reply);
    }

    fn getxattr(&self, _: &Request, inode: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr) {
        let found = self
            .power
            .look(|disk| disk.attributes(inode.0)?.get(name).cloned().ok_or(Errno::NODATA));
        value(found, size, reply);
    }

    fn listxattr(&self, _: &Request, inode: INodeNo, size: u32, reply: ReplyXattr) {
        let names = self.power.look(|disk| {
            let names = disk.attributes(inode.0)?.keys();
            Ok(names.flat_map(|name| name.as_bytes().iter().copied().chain([0])).collect())
        });
        value(names, size, reply);
    }

    fn removexattr(&self, _: &Request, inode: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let outcome = self.power.change(Doing::Change, |disk, fault| {
            failed(fault)?;
            disk.attributes(inode.0)?.remove(name).map(drop).ok_or(Errno::NODATA)
        });
        empty(outcome, reply);
    }
}
