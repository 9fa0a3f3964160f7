/* options.c - getopt_long, help and version */
#include "server/options.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/version.h"

enum { OPTION_CHECK = 256, OPTION_LOG_LEVEL, OPTION_LOG_FORMAT };

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "check", no_argument, NULL, OPTION_CHECK },
	{ "log-level", required_argument, NULL, OPTION_LOG_LEVEL },
	{ "log-format", required_argument, NULL, OPTION_LOG_FORMAT },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static const char help[] =
	"Usage: handoffd --config FILE [OPTION]...\n"
	"Takes custody of the batches that the modules of a pipeline hand to each other.\n"
	"\n"
	"  -c, --config FILE      the configuration, see handoffd.conf(5)\n"
	"      --check            say whether it is valid, and end: 0, or 78 when it is not\n"
	"      --log-level LEVEL  error, warning, info (default) or debug\n"
	"      --log-format FORM  text (default) or json, one line an event, on standard error\n"
	"  -V, --version          print the version\n"
	"  -h, --help             print this\n";

__attribute__((format(printf, 1, 2)))
static int usage_fault(const char *fmt, ...)
{
	va_list args;

	fputs("handoffd: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputs("\nTry 'handoffd --help'.\n", stderr);
	return EXIT_USAGE;
}

static bool log_format_parse(const char *word, enum log_format *format)
{
	*format = strcmp(word, "json") == 0 ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT;
	return *format == LOG_FORMAT_JSON || strcmp(word, "text") == 0;
}

int options_parse(int argc, char *argv[], struct options *o)
{
	const char *word;
	int option;

	*o = (struct options){ .log_level = LOG_LEVEL_INFO, .log_format = LOG_FORMAT_TEXT };
	optind = 1;
	opterr = 0;
	/* With + the options come first, and argv[optind] is the word that is read next. */
	while (word = argv[optind],
	       (option = getopt_long(argc, argv, "+:c:Vh", long_options, NULL)) != -1) {
		switch (option) {
		case 'c':
			o->config_path = optarg;
			break;
		case OPTION_CHECK:
			o->check = true;
			break;
		case OPTION_LOG_LEVEL:
			if (!log_level_parse(optarg, &o->log_level))
				return usage_fault("--log-level takes error, warning, info or "
						   "debug, not '%s'", optarg);
			break;
		case OPTION_LOG_FORMAT:
			if (!log_format_parse(optarg, &o->log_format))
				return usage_fault("--log-format takes text or json, not '%s'",
						   optarg);
			break;
		case 'V':
			puts("handoffd " HANDOFF_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			fputs(help, stdout);
			return EXIT_SUCCESS;
		case ':':
			return usage_fault("'%s' needs an argument", word);
		default:
			return usage_fault("there is no option '%s', or it takes no argument",
					   word);
		}
	}
	if (optind < argc)
		return usage_fault("'%s' is no option", argv[optind]);
	if (o->config_path == NULL)
		return usage_fault("--config FILE is missing");
	return OPTIONS_GO_ON;
}
