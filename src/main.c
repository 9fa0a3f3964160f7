/* main.c - handoffd: options, configuration, run */
#include <stdio.h>

#include "base/log.h"
#include "server/config.h"
#include "server/options.h"
#include "server/server.h"

int main(int argc, char *argv[])
{
	struct options o;
	struct config *config;
	int rc = options_parse(argc, argv, &o);

	if (rc != OPTIONS_GO_ON)
		return rc;
	log_init(o.log_level, o.log_format);
	if (config_load(o.config_path, &config) != 0)
		return EXIT_CONFIG;
	rc = config_check_files(config) == 0 ? 0 : EXIT_CONFIG;
	if (rc == 0)
		rc = o.check ? server_check(config) : server_run(config);
	if (rc == 0 && o.check)
		printf("handoffd: %s is valid\n", o.config_path);
	config_free(config);
	return rc;
}
