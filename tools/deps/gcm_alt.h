/* gcm_alt.h - mbedTLS's AES-GCM context, when libgcrypt does the work; see gcm_alt.c */
#ifndef HANDOFF_DEPS_GCM_ALT_H
#define HANDOFF_DEPS_GCM_ALT_H

/* Where a computation stands; a call that does not fit is answered with an error. */
enum gcm_stage {
	GCM_NO_KEY,	/* nothing but a key may come */
	GCM_KEY_SET,	/* a start may come */
	GCM_AD,		/* associated data or data may come, or the end */
	GCM_DATA,	/* data may come, or the end */
};

typedef struct mbedtls_gcm_context {
	struct gcry_cipher_handle *cipher;	/* owned; NULL until a key is set */
	enum gcm_stage stage;
	int mode;				/* MBEDTLS_GCM_ENCRYPT or MBEDTLS_GCM_DECRYPT */
} mbedtls_gcm_context;

#endif
