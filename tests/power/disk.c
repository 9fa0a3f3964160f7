/* disk.c - a store's directory as a disk may have it after a power loss */
#include "disk.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

#define FILES_MAX 8
#define NAMES_MAX 64		/* changes of names that are not durable */
#define NAME_BYTES 64

/*
 * A file is two mappings: `kept` has what is durable, `image` is a real file that has the same
 * between two images. Its name in the directory is a link, made and taken away as an image says.
 */
struct file {
	uint32_t inode;			/* in the trace */
	char path[512];			/* of the image's bytes, outside the directory */
	uint32_t image_inode;
	int fd;
	uint8_t *kept, *image;
	uint64_t kept_size, size;	/* durable; as the process sees it */
	uint64_t end;			/* behind the last byte that was ever written */
};

struct piece {
	struct file *file;
	uint64_t at;
	size_t n;
	size_t bytes;			/* where in `written` */
	bool chosen;
};

/* A change of the directory. */
struct change {
	enum trace_kind kind;		/* MKDIR, CREATE, UNLINK, RENAME */
	struct file *file;
	char name[NAME_BYTES], to[NAME_BYTES];
};

struct entry {
	char name[NAME_BYTES];
	struct file *file;
};

struct names {
	bool directory;			/* it is there at all */
	struct entry entries[FILES_MAX];
	size_t count;
};

struct extent {
	struct file *file;
	uint64_t at;
	size_t n;
};

struct disk {
	char *dir;
	struct file files[FILES_MAX];
	size_t file_count;
	struct names kept;
	struct change changes[NAMES_MAX];
	size_t change_count;
	struct piece *pieces;
	size_t piece_count, piece_capacity;
	uint8_t *written;
	size_t written_count, written_capacity;
	size_t latest;			/* first piece of the latest write */
	struct names laid;		/* what the directory has now */
	struct extent *touched;		/* by who opened the image */
	size_t touched_count, touched_capacity;
	char story[160];
};

/* --- beginning and end ----------------------------------------------------------------------- */

struct disk *disk_create(const char *dir)
{
	struct disk *d = xcalloc(1, sizeof *d);

	d->dir = xstrdup(dir);
	d->kept.directory = d->laid.directory = true;
	return d;
}

static void clear_directory(struct disk *d);

void disk_destroy(struct disk *d)
{
	clear_directory(d);
	for (size_t i = 0; i < d->file_count; i++) {
		munmap(d->files[i].kept, DISK_BYTES);
		munmap(d->files[i].image, DISK_BYTES);
		close(d->files[i].fd);
		unlink(d->files[i].path);
	}
	free(d->pieces);
	free(d->written);
	free(d->touched);
	free(d->dir);
	free(d);
}

static void *map(int fd)
{
	void *p = mmap(NULL, DISK_BYTES, PROT_READ | PROT_WRITE,
	    fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE : MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		fatalx("no memory for an image");
	return p;
}

static struct file *file_add(struct disk *d, uint32_t inode)
{
	struct file *f = &d->files[d->file_count];
	struct stat st;

	if (d->file_count == FILES_MAX)
		fatalx("the store makes more files than the replay knows");
	snprintf(f->path, sizeof f->path, "%s.file-%zu", d->dir, d->file_count++);
	f->inode = inode;
	f->fd = open(f->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (f->fd < 0 || fstat(f->fd, &st) != 0)
		fatalx("%s cannot be made", f->path);
	f->image_inode = (uint32_t)st.st_ino;
	f->kept = map(-1);
	f->image = map(f->fd);
	return f;
}

static struct file *file_by_inode(struct disk *d, uint32_t inode)
{
	for (size_t i = d->file_count; i-- > 0;)
		if (d->files[i].inode == inode)
			return &d->files[i];
	return NULL;
}

/* --- what the trace says --------------------------------------------------------------------- */

static bool is_lock(const uint8_t *name, size_t n)
{
	return n >= 4 && memcmp(name + n - 4, "lock", 4) == 0;
}

static void change_add(struct disk *d, enum trace_kind kind, const uint8_t *bytes, size_t n,
    struct file *file)
{
	struct change *c = &d->changes[d->change_count];

	if (d->change_count == NAMES_MAX || n >= 2 * NAME_BYTES)
		fatalx("more changes of names than the replay knows");
	d->change_count++;
	*c = (struct change){ .kind = kind, .file = file };
	size_t first = strnlen((const char *)bytes, n);
	snprintf(c->name, sizeof c->name, "%.*s", (int)first, (const char *)bytes);
	if (first < n)
		snprintf(c->to, sizeof c->to, "%.*s", (int)(n - first - 1),
		    (const char *)bytes + first + 1);
}

static void write_add(struct disk *d, struct file *f, uint64_t at, const uint8_t *bytes, size_t n)
{
	if (at + n > DISK_BYTES)
		fatalx("the store's file is larger than the replay knows");
	if (d->written_count + n > d->written_capacity) {
		d->written_capacity = 2 * (d->written_count + n);
		d->written = xrealloc(d->written, d->written_capacity);
	}
	memcpy(d->written + d->written_count, bytes, n);
	d->latest = d->piece_count;
	while (n > 0) {
		size_t part = PIECE_BYTES - at % PIECE_BYTES;

		part = part < n ? part : n;
		if (d->piece_count == d->piece_capacity) {
			d->piece_capacity = d->piece_capacity ? 2 * d->piece_capacity : 1024;
			d->pieces = xrealloc(d->pieces, d->piece_capacity * sizeof *d->pieces);
		}
		d->pieces[d->piece_count++] = (struct piece){ f, at, part, d->written_count,
			false };
		d->written_count += part;
		at += part;
		n -= part;
	}
	f->size = at > f->size ? at : f->size;
	f->end = at > f->end ? at : f->end;
}

static void put(const struct disk *d, const struct piece *p, uint8_t *to)
{
	memcpy(to + p->at, d->written + p->bytes, p->n);
}

static void keep_size(struct file *f, uint64_t size)
{
	if (size < f->kept_size)
		memset(f->kept + size, 0, f->kept_size - size);
	if (size != f->kept_size && ftruncate(f->fd, (off_t)size) != 0)
		fatalx("an image cannot be resized");
	f->kept_size = size;
}

/* What was written before to the same place can no longer come instead. */
static bool is_overtaken(const struct disk *d, const struct piece *p, size_t first)
{
	for (size_t i = first; i < d->piece_count; i++)
		if (d->pieces[i].file == p->file && d->pieces[i].at <= p->at &&
		    d->pieces[i].at + d->pieces[i].n >= p->at + p->n)
			return true;
	return false;
}

/* The file's pieces from `first` on become durable; the others stay in doubt. */
static void keep(struct disk *d, struct file *f, size_t first)
{
	size_t left = 0;

	for (size_t i = first; i < d->piece_count; i++)
		if (d->pieces[i].file == f && d->pieces[i].at + d->pieces[i].n > f->kept_size)
			keep_size(f, d->pieces[i].at + d->pieces[i].n);
	for (size_t i = 0; i < d->piece_count; i++) {
		struct piece p = d->pieces[i];

		if (p.file != f || (i < first && !is_overtaken(d, &p, first))) {
			d->pieces[left++] = p;
		} else if (i >= first) {
			put(d, &p, f->kept);
			put(d, &p, f->image);
		}
	}
	d->piece_count = left;
	if (left == 0)
		d->written_count = 0;
}

static void names_apply(struct names *n, const struct change *c)
{
	size_t at = 0;

	while (at < n->count && strcmp(n->entries[at].name, c->name) != 0)
		at++;
	switch (c->kind) {
	case TRACE_MKDIR:
		n->directory = true;
		return;
	case TRACE_CREATE:
		if (at == n->count)
			n->count++;
		n->entries[at].file = c->file;
		snprintf(n->entries[at].name, NAME_BYTES, "%s", c->name);
		return;
	case TRACE_UNLINK:
		if (at < n->count)
			n->entries[at] = n->entries[--n->count];
		return;
	default:		/* RENAME: what had the name is gone */
		if (at == n->count)
			return;
		struct entry moved = n->entries[at];
		n->entries[at] = n->entries[--n->count];
		struct change create = { .kind = TRACE_CREATE, .file = moved.file };
		memcpy(create.name, c->to, NAME_BYTES);
		names_apply(n, &create);
	}
}

static void keep_names(struct disk *d, bool made)
{
	size_t left = 0;

	for (size_t i = 0; i < d->change_count; i++) {
		if ((d->changes[i].kind == TRACE_MKDIR) == made)
			names_apply(&d->kept, &d->changes[i]);
		else
			d->changes[left++] = d->changes[i];
	}
	d->change_count = left;
}

void disk_note(struct disk *d, const struct trace_record *r, const uint8_t *bytes)
{
	struct file *f = r->file ? file_by_inode(d, r->file) : NULL;

	switch ((enum trace_kind)r->kind) {
	case TRACE_MKDIR:
		d->kept.directory = false;
		change_add(d, TRACE_MKDIR, bytes, 0, NULL);
		break;
	case TRACE_CREATE:
		if (!is_lock(bytes, r->n))
			change_add(d, TRACE_CREATE, bytes, r->n, file_add(d, r->file));
		break;
	case TRACE_UNLINK:
	case TRACE_RENAME:
		change_add(d, (enum trace_kind)r->kind, bytes, r->n, NULL);
		break;
	case TRACE_WRITE:
	case TRACE_WRITE_SYNCED:
		if (f)
			write_add(d, f, r->at, bytes, r->n);
		break;
	case TRACE_RESIZE:
		if (f)
			f->size = r->at;
		break;
	default:
		break;
	}
}

void disk_settle(struct disk *d, const struct trace_record *r)
{
	struct file *f = r->file ? file_by_inode(d, r->file) : NULL;

	if (r->kind == TRACE_WRITE_SYNCED && f)
		keep(d, f, d->latest);
	if (r->kind == TRACE_SYNC && f) {
		keep_size(f, f->size);
		keep(d, f, 0);
	}
	if (r->kind == TRACE_SYNC_DIR)
		keep_names(d, false);
	if (r->kind == TRACE_SYNC_PARENT)
		keep_names(d, true);
}

static bool has_resized(const struct disk *d)
{
	for (size_t i = 0; i < d->file_count; i++)
		if (d->files[i].size != d->files[i].kept_size)
			return true;
	return false;
}

bool disk_is_certain(const struct disk *d)
{
	return d->piece_count == 0 && d->change_count == 0 && !has_resized(d);
}

/* --- images ---------------------------------------------------------------------------------- */

/* Prefixes of the changes of names, times sizes old and new, times no piece and all of them. */
static uint64_t frames(const struct disk *d)
{
	return d->change_count > 0 || has_resized(d) ? 4 * (d->change_count + 1) : 0;
}

uint64_t disk_choices(const struct disk *d)
{
	uint64_t n = d->piece_count;

	return 2 + (n > 1 ? n - 1 : 0) + (n > 1 ? 2 * n : 0) + frames(d);
}

uint64_t disk_images(const struct disk *d)
{
	if (d->piece_count + d->change_count + d->file_count > 40)
		return UINT64_MAX;
	return (UINT64_C(1) << (d->piece_count + d->change_count)) << (has_resized(d) ? 1 : 0);
}

enum pieces { PIECES_NONE, PIECES_ALL, PIECES_PREFIX, PIECES_MISSING, PIECES_ALONE, PIECES_RANDOM };

static void choose_pieces(struct disk *d, enum pieces which, size_t at, struct rng *rng)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < d->piece_count; i++) {
		if (which == PIECES_RANDOM && i % 64 == 0)
			rng_bytes(rng, (uint8_t *)&bits, sizeof bits);
		d->pieces[i].chosen = which == PIECES_ALL || (which == PIECES_PREFIX && i <= at) ||
		    (which == PIECES_MISSING && i != at) || (which == PIECES_ALONE && i == at) ||
		    (which == PIECES_RANDOM && bits >> i % 64 & 1);
	}
}

static const char *const pieces_names[] = { "no piece", "all pieces", "the first pieces up to",
	"all pieces but", "only piece", "some pieces, beginning" };

static bool same_names(const struct names *a, const struct names *b)
{
	if (a->directory != b->directory || a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (a->entries[i].file != b->entries[i].file ||
		    strcmp(a->entries[i].name, b->entries[i].name) != 0)
			return false;
	return true;
}

static void clear_directory(struct disk *d)
{
	static const char *const names[] = { "lock", "custody.mdb", "custody.mdb.new",
		"custody.mdb-lock", "custody.mdb.new-lock", "custody.redo" };
	char path[512];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", d->dir, names[i]);
		unlink(path);
	}
	d->laid.count = 0;
}

static void lay_names(struct disk *d, const struct names *n)
{
	char path[512];

	if (same_names(n, &d->laid))
		return;
	clear_directory(d);
	if (!n->directory)
		rmdir(d->dir);
	else
		mkdir(d->dir, 0700);
	d->laid = *n;
	d->laid.count = n->directory ? n->count : 0;
	for (size_t i = 0; i < d->laid.count; i++) {
		snprintf(path, sizeof path, "%s/%s", d->dir, n->entries[i].name);
		if (link(n->entries[i].file->path, path) != 0)
			fatalx("%s cannot be laid", path);
	}
}

static void resize(struct file *f, uint64_t size)
{
	struct stat st;

	if (fstat(f->fd, &st) != 0 ||
	    ((uint64_t)st.st_size != size && ftruncate(f->fd, (off_t)size) != 0))
		fatalx("an image cannot be resized");
}

static uint64_t size_of(const struct file *f, bool new_size)
{
	return new_size ? f->size : f->kept_size;
}

static void lay(struct disk *d, size_t changes, bool new_size)
{
	struct names n = d->kept;

	for (size_t i = 0; i < changes; i++)
		names_apply(&n, &d->changes[i]);
	if (!n.directory)
		n.count = 0;
	lay_names(d, &n);
	for (size_t i = 0; i < d->file_count; i++)
		if (d->files[i].size != d->files[i].kept_size)
			resize(&d->files[i], size_of(&d->files[i], new_size));
	for (size_t i = 0; i < d->piece_count; i++) {
		struct piece *p = &d->pieces[i];

		p->chosen &= p->at + p->n <= size_of(p->file, new_size);
		if (p->chosen)
			put(d, p, p->file->image);
	}
}

void disk_image(struct disk *d, uint64_t number, struct rng *rng)
{
	uint64_t n = d->piece_count, first = 2 + (n > 1 ? n - 1 : 0), at = number;
	enum pieces which = PIECES_RANDOM;
	size_t changes = d->change_count;
	bool new_size = true;

	if (number < 2) {
		which = number == 0 ? PIECES_NONE : PIECES_ALL;
	} else if (number < first) {
		which = PIECES_PREFIX;
		at = number - 2;
	} else if (n > 1 && number < first + 2 * n) {
		which = number < first + n ? PIECES_MISSING : PIECES_ALONE;
		at = (number - first) % n;
	} else if (number < disk_choices(d)) {
		at = disk_choices(d) - number - 1;
		which = at % 2 ? PIECES_ALL : PIECES_NONE;
		new_size = at / 2 % 2;
		changes = at / 4;
	} else {
		changes = rng_below(rng, d->change_count + 1);
		new_size = rng_below(rng, 2) == 0;
	}
	choose_pieces(d, which, at, rng);
	lay(d, changes, new_size);
	snprintf(d->story, sizeof d->story, "%s %llu of %llu, %zu of %zu names, size %s",
	    pieces_names[which], (unsigned long long)at, (unsigned long long)n, changes,
	    d->change_count, new_size ? "new" : "old");
}

size_t disk_latest(const struct disk *d)
{
	size_t n = 0;

	for (size_t i = d->latest; i < d->piece_count; i++)
		n += d->pieces[i].n;
	return n;
}

void disk_image_torn(struct disk *d, size_t n)
{
	choose_pieces(d, PIECES_ALL, 0, NULL);
	lay(d, d->change_count, true);
	for (size_t i = d->latest; i < d->piece_count; i++) {
		const struct piece *p = &d->pieces[i];
		size_t whole = n < p->n ? n : p->n;

		memcpy(p->file->image + p->at + whole, p->file->kept + p->at + whole,
		    p->n - whole);
		n -= whole;
	}
	snprintf(d->story, sizeof d->story, "the latest write torn");
}

const char *disk_story(const struct disk *d)
{
	return d->story;
}

/* --- and back -------------------------------------------------------------------------------- */

void disk_wrote(struct disk *d, uint32_t inode, uint64_t at, size_t n)
{
	for (size_t i = 0; i < d->file_count; i++) {
		struct file *f = &d->files[i];

		if (f->image_inode != inode)
			continue;
		if (d->touched_count == d->touched_capacity) {
			d->touched_capacity = d->touched_capacity ? 2 * d->touched_capacity : 64;
			d->touched = xrealloc(d->touched, d->touched_capacity *
			    sizeof *d->touched);
		}
		d->touched[d->touched_count++] = (struct extent){ f, at, n };
	}
}

static const struct file *file_by_name(const struct names *n, const char *name)
{
	for (size_t i = 0; i < n->count; i++)
		if (strcmp(n->entries[i].name, name) == 0)
			return n->entries[i].file;
	return NULL;
}

bool disk_has_changed(const struct disk *d, uint64_t at, size_t n)
{
	const struct file *log = file_by_name(&d->laid, "custody.redo");

	for (size_t i = 0; i < d->piece_count; i++)
		if (d->pieces[i].chosen && (d->pieces[i].file == log ||
		    (d->pieces[i].at < at + n && at < d->pieces[i].at + d->pieces[i].n)))
			return true;
	return false;
}

static void restore(struct file *f, uint64_t at, size_t n)
{
	if (at < f->kept_size)
		memcpy(f->image + at, f->kept + at,
		    at + n <= f->kept_size ? n : f->kept_size - at);
}

/* Whoever opened it may have made it larger, or it was laid larger: all of it anew. */
static void restore_size(struct file *f)
{
	struct stat st;

	if (fstat(f->fd, &st) != 0 || (uint64_t)st.st_size == f->kept_size)
		return;
	resize(f, 0);
	resize(f, f->kept_size);
	restore(f, 0, f->end);
}

void disk_restore(struct disk *d)
{
	bool fresh = true;

	for (size_t i = 0; i < d->piece_count; i++)
		if (d->pieces[i].chosen)
			restore(d->pieces[i].file, d->pieces[i].at, d->pieces[i].n);
	for (size_t i = 0; i < d->touched_count; i++)
		restore(d->touched[i].file, d->touched[i].at, d->touched[i].n);
	d->touched_count = 0;
	for (size_t i = 0; i < d->file_count; i++)
		restore_size(&d->files[i]);
	for (size_t i = 0; i < d->laid.count; i++)
		fresh &= strcmp(d->laid.entries[i].name, "custody.mdb") != 0;
	if (fresh) {			/* whoever opened it made one */
		clear_directory(d);
		mkdir(d->dir, 0700);
		d->laid.directory = true;
		d->laid.count = 0;
	}
}
