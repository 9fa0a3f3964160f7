/* spoil.h - the files of a store: a bit of one is changed, or one is cut, and it is taken back */
#ifndef HANDOFF_POWER_SPOIL_H
#define HANDOFF_POWER_SPOIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum spoil_file { SPOIL_STORE, SPOIL_REDO, SPOIL_FILES };
extern const char *const spoil_names[SPOIL_FILES];

#define SPOIL_TOUCHED_MAX 4096

struct spoil {
	struct spoiled {
		const uint8_t *kept;
		uint64_t used, size;	/* up to its last byte that is not 0; whole */
		int fd;			/* of the image */
		uint8_t *image;
		uint32_t inode;
	} files[SPOIL_FILES];
	struct { enum spoil_file file; uint64_t at; size_t n; } touched[SPOIL_TOUCHED_MAX];
	size_t touched_count;
};

struct change {
	bool is_cut;
	enum spoil_file file;
	uint64_t at;			/* the bit; the length */
};

/* Reads what is kept; the images are laid into another directory, later, by each worker. */
void spoil_read(struct spoil *s, const char *dir);
void spoil_lay(struct spoil *s, const char *dir);

/* Bits that were ever written, of all files, one behind the other; the change of one of them. */
uint64_t spoil_bits(const struct spoil *s);
struct change spoil_flip(const struct spoil *s, uint64_t bit);
uint64_t spoil_bit(const struct spoil *s, const struct change *c);

void spoil_make(struct spoil *s, const struct change *c);
/* Somebody wrote to an image: capture.h. */
void spoil_wrote(void *spoil, uint32_t inode, uint64_t at, size_t n);
/* Takes back the change, and what was written since. */
void spoil_restore(struct spoil *s, const struct change *c);

#endif
