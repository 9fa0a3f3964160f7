/* letters.h - dead letters from and to files: what dead export and dead import do on this side */
#ifndef HANDOFFCTL_LETTERS_H
#define HANDOFFCTL_LETTERS_H

#include <stdbool.h>

/*
 * "dead export … --output FILE": takes the option out of the words and makes standard output the
 * file. Returns 0, or an exit status after saying why the file cannot be written.
 */
int letters_take_output(char *words[], int *count);

bool letters_is_export(char *const words[], int count);
/* Whether the words are "dead import [FILE]". */
bool letters_is_import(char *const words[], int count);
/*
 * Sends the letters of the file, or of standard input, one after the other over fd; says which
 * failed and why, and how many there were. Returns the exit status.
 */
int letters_import(int fd, char *const words[], int count, const char *reason, bool json);

#endif
