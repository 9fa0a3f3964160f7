/* capture.h - what LMDB writes to an image is told, to be taken back; syncs do nothing */
#ifndef HANDOFF_POWER_CAPTURE_H
#define HANDOFF_POWER_CAPTURE_H

#include <stddef.h>
#include <stdint.h>

/* From now on f is called before each write to any file; NULL: nobody is. */
void capture_writes(void (*f)(void *arg, uint32_t inode, uint64_t at, size_t n), void *arg);

#endif
