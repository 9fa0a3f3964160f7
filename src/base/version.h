/* version.h - the version of handoff, as programs and WELCOME tell it */
#ifndef HANDOFF_BASE_VERSION_H
#define HANDOFF_BASE_VERSION_H

#define HANDOFF_VERSION "0.1.0"

#endif
