/* library.h - what is done once for all clients of the process */
#ifndef HANDOFF_CLIENT_LIBRARY_H
#define HANDOFF_CLIENT_LIBRARY_H

/* Readies the libraries below; safe to call from any thread, any number of times. */
void library_init(void);

#endif
