/* spoil.c - the files of a store: a bit of one is changed, or one is cut, and it is taken back */
#include "spoil.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

const char *const spoil_names[SPOIL_FILES] = { "custody.mdb", "custody.redo" };

static void read_file(struct spoiled *f, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0)
		fatalx("%s cannot be read", path);
	f->size = f->used = (uint64_t)st.st_size;
	f->kept = mmap(NULL, f->size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (f->kept == MAP_FAILED)
		fatalx("%s cannot be mapped", path);
	close(fd);
	while (f->used > 0 && f->kept[f->used - 1] == 0)
		f->used--;
	f->used = (f->used + 4095) / 4096 * 4096;
}

void spoil_read(struct spoil *s, const char *dir)
{
	char path[512];

	for (int i = 0; i < SPOIL_FILES; i++) {
		snprintf(path, sizeof path, "%s/%s", dir, spoil_names[i]);
		read_file(&s->files[i], path);
	}
}

static void lay_file(struct spoiled *f, const char *path)
{
	struct stat st;

	f->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (f->fd < 0 || ftruncate(f->fd, (off_t)f->size) != 0 || fstat(f->fd, &st) != 0)
		fatalx("%s cannot be made", path);
	f->inode = (uint32_t)st.st_ino;
	f->image = mmap(NULL, f->size, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd, 0);
	if (f->image == MAP_FAILED)
		fatalx("%s cannot be mapped", path);
	memcpy(f->image, f->kept, f->used);
}

void spoil_lay(struct spoil *s, const char *dir)
{
	char path[512];

	for (int i = 0; i < SPOIL_FILES; i++) {
		snprintf(path, sizeof path, "%s/%s", dir, spoil_names[i]);
		lay_file(&s->files[i], path);
	}
}

uint64_t spoil_bits(const struct spoil *s)
{
	uint64_t n = 0;

	for (int i = 0; i < SPOIL_FILES; i++)
		n += s->files[i].used * 8;
	return n;
}

struct change spoil_flip(const struct spoil *s, uint64_t bit)
{
	struct change c = { false, SPOIL_STORE, bit };

	if (bit >= s->files[SPOIL_STORE].used * 8)
		c = (struct change){ false, SPOIL_REDO, bit - s->files[SPOIL_STORE].used * 8 };
	return c;
}

uint64_t spoil_bit(const struct spoil *s, const struct change *c)
{
	return c->at + (c->file == SPOIL_REDO && !c->is_cut ? s->files[SPOIL_STORE].used * 8 : 0);
}

void spoil_make(struct spoil *s, const struct change *c)
{
	struct spoiled *f = &s->files[c->file];

	if (!c->is_cut)
		f->image[c->at / 8] ^= (uint8_t)(1 << c->at % 8);
	else if (ftruncate(f->fd, (off_t)c->at) != 0)
		fatalx("an image cannot be cut");
}

void spoil_wrote(void *spoil, uint32_t inode, uint64_t at, size_t n)
{
	struct spoil *s = spoil;
	int i = 0;

	while (i < SPOIL_FILES && s->files[i].inode != inode)
		i++;
	if (i == SPOIL_FILES)
		return;
	if (s->touched_count == SPOIL_TOUCHED_MAX)
		fatalx("a start writes more than can be taken back");
	s->touched[s->touched_count].file = (enum spoil_file)i;
	s->touched[s->touched_count].at = at;
	s->touched[s->touched_count++].n = n;
}

void spoil_restore(struct spoil *s, const struct change *c)
{
	struct spoiled *f = &s->files[c->file];

	if (c->is_cut) {
		if (ftruncate(f->fd, 0) != 0 || ftruncate(f->fd, (off_t)f->size) != 0)
			fatalx("an image cannot be resized");
		memcpy(f->image, f->kept, f->used);
	} else {
		f->image[c->at / 8] = f->kept[c->at / 8];
	}
	for (size_t i = 0; i < s->touched_count; i++) {
		f = &s->files[s->touched[i].file];
		memcpy(f->image + s->touched[i].at, f->kept + s->touched[i].at, s->touched[i].n);
	}
	s->touched_count = 0;
}
