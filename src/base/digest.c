/* digest.c - SHA-256 by libgcrypt, and bytes to hex and back */
#include "base/digest.h"

#include <gcrypt.h>
#include <string.h>

#include "base/hex.h"
#include "base/log.h"

#define GCRYPT_VERSION_LEAST "1.8.0"

void digest_init(void)
{
	if (gcry_check_version(GCRYPT_VERSION_LEAST) == NULL)
		fatal_exit(1, "libgcrypt %s is older than %s, install a newer one",
			   gcry_check_version(NULL), GCRYPT_VERSION_LEAST);
	/* Nothing secret is hashed here: no locked memory is needed, and none is asked for. */
	if (!gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P)) {
		gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
		gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
	}
	if (gcry_md_test_algo(GCRY_MD_SHA256) != 0)
		fatal_exit(1, "libgcrypt has no SHA-256 on this system");
}

void sha256(const void *p, size_t n, uint8_t out[SHA256_BYTES])
{
	gcry_md_hash_buffer(GCRY_MD_SHA256, out, p, n);
}

/* A struct sha256 is libgcrypt's handle, under a name of ours. */
struct sha256 *sha256_begin(void)
{
	gcry_md_hd_t handle;

	return gcry_md_open(&handle, GCRY_MD_SHA256, 0) == 0 ? (struct sha256 *)handle : NULL;
}

void sha256_add(struct sha256 *h, const void *p, size_t n)
{
	gcry_md_write((gcry_md_hd_t)h, p, n);
}

void sha256_end(struct sha256 *h, uint8_t out[SHA256_BYTES])
{
	gcry_md_hd_t handle = (gcry_md_hd_t)h;

	if (out)
		memcpy(out, gcry_md_read(handle, GCRY_MD_SHA256), SHA256_BYTES);
	gcry_md_close(handle);
}

void hex_format(const uint8_t *p, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";
	size_t i = 0;

	for (; n - i >= HEX_BYTES; i += HEX_BYTES)
		hex_put(p + i, out + 2 * i);
	for (; i < n; i++) {
		out[2 * i] = digits[p[i] >> 4];
		out[2 * i + 1] = digits[p[i] & 15];
	}
	out[2 * n] = '\0';
}

/* Lower case alone: one byte has one spelling. */
static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

bool hex_parse(const char *s, size_t len, uint8_t *out, size_t n)
{
	size_t i = 0;

	if (len / 2 != n || len % 2 != 0)
		return false;
	for (; n - i >= HEX_BYTES; i += HEX_BYTES)
		if (!hex_take(s + 2 * i, false, out + i))
			return false;
	for (; i < n; i++) {
		int high = hex_value(s[2 * i]);
		int low = hex_value(s[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}
