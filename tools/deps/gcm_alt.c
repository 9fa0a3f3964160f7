/*
 * gcm_alt.c - mbedTLS's AES-GCM, done by libgcrypt
 *
 * libgcrypt picks at run time what the processor has (AES-NI, PCLMUL, VAES, ...) and works on many
 * blocks at once; mbedTLS's own code does one block at a time and is more than ten times slower.
 * tests/deps/test_gcm.c compares both, byte by byte.
 *
 * Rules of this file: an order of calls that GCM does not know is answered with an error and never
 * ends the process; plaintext that did not authenticate is wiped before the error is returned.
 */
#include <gcrypt.h>
#include <stdint.h>
#include <string.h>

#include "mbedtls/constant_time.h"
#include "mbedtls/error.h"
#include "mbedtls/gcm.h"
#include "mbedtls/platform_util.h"

#define TAG_BYTES 16
#define TAG_BYTES_LEAST 4

/* The host program may have set libgcrypt up already; a second time does no harm. */
static int engine_init(void)
{
	if (gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P))
		return 0;
	if (gcry_check_version("1.8.0") == NULL)
		return MBEDTLS_ERR_PLATFORM_FEATURE_UNSUPPORTED;
	gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
	gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
	return 0;
}

void mbedtls_gcm_init(mbedtls_gcm_context *ctx)
{
	memset(ctx, 0, sizeof(*ctx));
}

void mbedtls_gcm_free(mbedtls_gcm_context *ctx)
{
	if (ctx == NULL)
		return;
	gcry_cipher_close(ctx->cipher);		/* wipes the key */
	mbedtls_gcm_init(ctx);
}

int mbedtls_gcm_setkey(mbedtls_gcm_context *ctx, mbedtls_cipher_id_t cipher,
		       const unsigned char *key, unsigned int keybits)
{
	int algorithm = keybits == 128 ? GCRY_CIPHER_AES128 :
			keybits == 192 ? GCRY_CIPHER_AES192 :
			keybits == 256 ? GCRY_CIPHER_AES256 : GCRY_CIPHER_NONE;

	if (cipher != MBEDTLS_CIPHER_ID_AES || algorithm == GCRY_CIPHER_NONE)
		return MBEDTLS_ERR_GCM_BAD_INPUT;
	if (engine_init() != 0)
		return MBEDTLS_ERR_PLATFORM_FEATURE_UNSUPPORTED;
	mbedtls_gcm_free(ctx);
	if (gcry_cipher_open(&ctx->cipher, algorithm, GCRY_CIPHER_MODE_GCM, 0) != 0) {
		ctx->cipher = NULL;
		return MBEDTLS_ERR_PLATFORM_FEATURE_UNSUPPORTED;
	}
	if (gcry_cipher_setkey(ctx->cipher, key, keybits / 8) != 0) {
		mbedtls_gcm_free(ctx);
		return MBEDTLS_ERR_GCM_BAD_INPUT;
	}
	ctx->stage = GCM_KEY_SET;
	return 0;
}

int mbedtls_gcm_starts(mbedtls_gcm_context *ctx, int mode, const unsigned char *iv, size_t iv_len)
{
	if (ctx->stage == GCM_NO_KEY || iv_len == 0 || (uint64_t)iv_len >> 61 != 0)
		return MBEDTLS_ERR_GCM_BAD_INPUT;
	if (mode != MBEDTLS_GCM_ENCRYPT && mode != MBEDTLS_GCM_DECRYPT)
		return MBEDTLS_ERR_GCM_BAD_INPUT;
	/* A message that was given up left a part of a block, which setiv alone would keep. */
	if (ctx->stage != GCM_KEY_SET)
		gcry_cipher_reset(ctx->cipher);
	ctx->stage = GCM_KEY_SET;
	if (gcry_cipher_setiv(ctx->cipher, iv, iv_len) != 0)
		return MBEDTLS_ERR_GCM_BAD_INPUT;
	ctx->mode = mode;
	ctx->stage = GCM_AD;
	return 0;
}

int mbedtls_gcm_update_ad(mbedtls_gcm_context *ctx, const unsigned char *add, size_t add_len)
{
	if (ctx->stage != GCM_AD)
		return MBEDTLS_ERR_GCM_BAD_INPUT;
	if (add_len == 0)
		return 0;
	return gcry_cipher_authenticate(ctx->cipher, add, add_len) == 0 ?
	       0 : MBEDTLS_ERR_GCM_BAD_INPUT;
}

/* In place is fine; any other overlap would be read after it was written. */
static int overlaps(const unsigned char *in, const unsigned char *out, size_t n)
{
	uintptr_t a = (uintptr_t)in, b = (uintptr_t)out;

	return a != b && (a < b ? b - a : a - b) < n;
}

int mbedtls_gcm_update(mbedtls_gcm_context *ctx, const unsigned char *input, size_t input_length,
		       unsigned char *output, size_t output_size, size_t *output_length)
{
	gcry_error_t e;

	*output_length = 0;
	if (ctx->stage != GCM_AD && ctx->stage != GCM_DATA)
		return MBEDTLS_ERR_GCM_BAD_INPUT;
	if (output_size < input_length)
		return MBEDTLS_ERR_GCM_BUFFER_TOO_SMALL;
	if (input_length == 0)
		return 0;
	if (overlaps(input, output, input_length))
		return MBEDTLS_ERR_GCM_BAD_INPUT;
	ctx->stage = GCM_DATA;
	if (ctx->mode == MBEDTLS_GCM_ENCRYPT)
		e = gcry_cipher_encrypt(ctx->cipher, output, input_length, input, input_length);
	else
		e = gcry_cipher_decrypt(ctx->cipher, output, input_length, input, input_length);
	if (e != 0)
		return MBEDTLS_ERR_GCM_BAD_INPUT;
	*output_length = input_length;
	return 0;
}

int mbedtls_gcm_finish(mbedtls_gcm_context *ctx, unsigned char *output, size_t output_size,
		       size_t *output_length, unsigned char *tag, size_t tag_len)
{
	unsigned char whole[TAG_BYTES];		/* libgcrypt knows fewer lengths than mbedTLS allows */

	(void)output;		/* nothing is held back: every byte left with its update */
	(void)output_size;
	*output_length = 0;
	if (ctx->stage != GCM_AD && ctx->stage != GCM_DATA)
		return MBEDTLS_ERR_GCM_BAD_INPUT;
	if (tag_len < TAG_BYTES_LEAST || tag_len > TAG_BYTES)
		return MBEDTLS_ERR_GCM_BAD_INPUT;
	ctx->stage = GCM_KEY_SET;
	if (gcry_cipher_gettag(ctx->cipher, whole, sizeof(whole)) != 0)
		return MBEDTLS_ERR_GCM_BAD_INPUT;
	memcpy(tag, whole, tag_len);
	return 0;
}

int mbedtls_gcm_crypt_and_tag(mbedtls_gcm_context *ctx, int mode, size_t length,
			      const unsigned char *iv, size_t iv_len, const unsigned char *add,
			      size_t add_len, const unsigned char *input, unsigned char *output,
			      size_t tag_len, unsigned char *tag)
{
	size_t n;
	int r = mbedtls_gcm_starts(ctx, mode, iv, iv_len);

	if (r == 0)
		r = mbedtls_gcm_update_ad(ctx, add, add_len);
	if (r == 0)
		r = mbedtls_gcm_update(ctx, input, length, output, length, &n);
	if (r == 0)
		r = mbedtls_gcm_finish(ctx, NULL, 0, &n, tag, tag_len);
	return r;
}

int mbedtls_gcm_auth_decrypt(mbedtls_gcm_context *ctx, size_t length, const unsigned char *iv,
			     size_t iv_len, const unsigned char *add, size_t add_len,
			     const unsigned char *tag, size_t tag_len, const unsigned char *input,
			     unsigned char *output)
{
	unsigned char expected[TAG_BYTES];
	int r = mbedtls_gcm_crypt_and_tag(ctx, MBEDTLS_GCM_DECRYPT, length, iv, iv_len, add,
					  add_len, input, output, tag_len, expected);

	if (r == 0 && mbedtls_ct_memcmp(expected, tag, tag_len) != 0) {
		mbedtls_platform_zeroize(output, length);
		r = MBEDTLS_ERR_GCM_AUTH_FAILED;
	}
	return r;
}
