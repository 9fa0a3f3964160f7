/* command.h - the subcommands of handoff, and what their exit status means */
#ifndef HANDOFF_TOOLS_COMMAND_H
#define HANDOFF_TOOLS_COMMAND_H

/*
 * A subcommand gets its own arguments, argv[0] being its name, and returns the exit status. The
 * statuses are those of sysexits.h where they fit, listed in handoff(1).
 */
int cmd_cert(int argc, char **argv);
int cmd_send(int argc, char **argv);
int cmd_work(int argc, char **argv);
int cmd_recv(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_health(int argc, char **argv);

enum status {
	STATUS_OK = 0,
	STATUS_FAILED = 1,		/* it worked, and not everything ended well */
	STATUS_USAGE = 2,
	STATUS_DATA = 65,		/* the input, or a file of state, is not right */
	STATUS_NO_INPUT = 66,		/* a file that is to be read cannot be */
	STATUS_UNAVAILABLE = 69,	/* no broker in time; nobody to take it; a command
					 * that cannot be run */
	STATUS_INTERNAL = 70,
	STATUS_SYSTEM = 71,		/* no process, no pipe, no memory */
	STATUS_CANNOT_CREATE = 73,
	STATUS_IO = 74,
	STATUS_TRY_AGAIN = 75,
	STATUS_PROTOCOL = 76,
	STATUS_PERMISSION = 77,
	STATUS_CONFIG = 78,
};

#endif
