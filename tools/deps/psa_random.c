/*
 * psa_random.c - the randomness of mbedTLS's PSA functions: the kernel's, each time
 *
 * No generator of our own: none to seed, and none that a fork could give to two processes.
 */
#include <errno.h>
#include <sys/random.h>

#include "psa/crypto.h"

psa_status_t mbedtls_psa_external_get_random(mbedtls_psa_external_random_context_t *context,
					     uint8_t *output, size_t output_size,
					     size_t *output_length)
{
	size_t got = 0;

	(void)context;
	while (got < output_size) {
		ssize_t n = getrandom(output + got, output_size - got, 0);

		if (n < 0 && errno != EINTR)
			return PSA_ERROR_INSUFFICIENT_ENTROPY;
		if (n > 0)
			got += (size_t)n;
	}
	*output_length = got;
	return PSA_SUCCESS;
}
