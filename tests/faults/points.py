"""points.py - which calls fail in which stage, and how; in CI one error of each call by turns.

EINTR comes once: the kernel says it for a signal, and does not go on saying it.
"""

from plan import Point

ERRORS = {
    "open": ("EMFILE", "EACCES", "ENOMEM", "ENOSPC"),
    "fopen": ("EMFILE", "ENOMEM"),
    "read": ("EIO", "EINTR", "short count", "one byte"),
    "pread": ("EIO", "EINTR", "short count", "one byte"),
    "mmap": ("ENOMEM", "EACCES"),
    "ftruncate": ("ENOSPC", "EIO"),
    "posix_fallocate": ("ENOSPC", "EDQUOT", "EIO"),
    "fcntl": ("ENOLCK", "EINTR", "EACCES"),
    "flock": ("ENOLCK", "EINTR"),
    "pwrite": ("EIO", "ENOSPC", "EDQUOT", "EINTR", "short count"),
    "dsync": ("EIO", "ENOSPC", "EDQUOT", "EINTR", "short count"),
    "redo": ("EIO", "ENOSPC", "EDQUOT", "EINTR", "short count"),
    "writev": ("EIO", "ENOSPC", "EDQUOT", "EINTR", "short count"),
    "write": ("EAGAIN", "EINTR"),
    "log": ("ENOSPC", "EIO", "EAGAIN", "EINTR", "short count"),
    "fsync": ("EIO", "ENOSPC"),
    "fdatasync": ("EIO", "ENOSPC"),
    "socket": ("EMFILE", "ENOBUFS", "ENOMEM"),
    "accept4": ("EMFILE", "EAGAIN", "EINTR", "ECONNABORTED", "ENOBUFS", "ENOMEM"),
    "recv": ("ECONNRESET", "EAGAIN", "EINTR", "ENOBUFS", "one byte"),
    "send": ("ECONNRESET", "EAGAIN", "EINTR", "ENOBUFS", "one byte"),
    "epoll_wait": ("EINTR",),
    "epoll_ctl": ("ENOMEM", "ENOSPC"),
    "memory": ("ENOMEM",),
    "getrandom": ("EAGAIN", "EINTR", "ENOSYS"),
    "clock": ("frozen", "ahead", "behind"),
    "monotonic": ("ahead",),
}
FLUSHES = ("pwrite", "dsync", "redo", "writev", "fdatasync", "fsync")


def modes(kind, error):
    """Once, from then on, or both."""
    if kind == "monotonic":         # it may leap, as after a sleep; it never comes back
        return (True,)
    return (False,) if error == "EINTR" else (False, True)


def all_of(kind, first):
    return [Point(kind, first, error, forever)
            for error in ERRORS[kind] for forever in modes(kind, error)]


def by_turns(kind, first, turn):
    """One of all_of(), another for each N and seed; where it is a flush, EIO beside it."""
    choices = all_of(kind, first)
    chosen = choices[(first + turn) % len(choices)]
    if kind in FLUSHES and chosen.error != "EIO":
        return [Point(kind, first, "EIO", (first + turn) % 2 == 0), chosen]
    return [chosen]
