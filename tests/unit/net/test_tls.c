/* test_tls.c - what loading certificates and keys refuses, and the sentence it says */
#include "fixture.h"

#include <sys/stat.h>

static char why[256];

static bool loads(bool is_server, const char *ca, const char *certificate, const char *key)
{
	struct tls_context *tls = is_server ?
		tls_server_create(path_of(ca, ".crt"), path_of(certificate, ".crt"),
				  path_of(key, ".key"), why, sizeof(why)) :
		tls_client_create(path_of(ca, ".crt"), path_of(certificate, ".crt"),
				  path_of(key, ".key"), why, sizeof(why));
	bool done = tls != NULL;

	tls_destroy(tls);
	return done;
}

/* The sentence names the file, the matter and the remedy. */
static void assert_says(const char *file, const char *matter, const char *remedy)
{
	if (strstr(why, file) == NULL || strstr(why, matter) == NULL || strstr(why, remedy) == NULL)
		fail_msg("'%s' does not name '%s', '%s' and '%s'", why, file, matter, remedy);
}

static void what_belongs_together_loads(void **state)
{
	(void)state;
	assert_true(loads(true, "ca", "broker", "broker"));
	assert_true(loads(false, "ca", "alpha", "alpha"));
	/* Whether the authority signed our own certificate too is the peer's to judge. */
	make_certificate(&(struct leaf){ .name = "other", .is_authority = true });
	assert_true(loads(true, "other", "broker", "broker"));
}

static void missing_and_unreadable_files_are_told(void **state)
{
	(void)state;
	assert_false(loads(true, "nowhere", "broker", "broker"));
	assert_says("nowhere.crt", "No such file", "correct the path");
	assert_false(loads(true, "ca", "nowhere", "broker"));
	assert_says("nowhere.crt", "No such file", "correct the path");
	assert_false(loads(true, "ca", "broker", "nowhere"));
	assert_says("nowhere.key", "No such file", "correct the path");
	assert_int_equal(mkdir(path_of("directory", ".crt"), 0700), 0);
	assert_false(loads(true, "directory", "broker", "broker"));
	assert_says("directory.crt", "Is a directory", "correct the path");
	assert_int_equal(mkfifo(path_of("fifo", ".crt"), 0600), 0);
	assert_false(loads(true, "fifo", "broker", "broker"));
	assert_says("fifo.crt", "cannot be read", "correct the path");
	assert_int_equal(run_command("head -c 2000000 /dev/zero >huge.crt"), 0);
	assert_false(loads(true, "huge", "broker", "broker"));
	assert_says("huge.crt", "File too large", "correct the path");
}

static void an_empty_authority_is_refused(void **state)
{
	(void)state;
	write_text(path_of("empty", ".crt"), "");
	assert_false(loads(true, "empty", "broker", "broker"));
	assert_says("empty.crt", "no certificate inside", "BEGIN CERTIFICATE");
	write_text(path_of("comment", ".crt"), "# the authority comes here\n");
	assert_false(loads(false, "comment", "alpha", "alpha"));
	assert_says("comment.crt", "no certificate inside", "BEGIN CERTIFICATE");
}

static void damaged_files_are_refused(void **state)
{
	(void)state;
	assert_int_equal(run_command("head -c 300 ca.crt >cut.crt; "
		"(cat ca.crt; sed 5d broker.crt) >half.crt; head -c 60 broker.key >cut.key"), 0);
	assert_false(loads(true, "cut", "broker", "broker"));
	assert_says("cut.crt", "cannot be read", "replace");
	assert_false(loads(true, "half", "broker", "broker"));
	assert_says("half.crt", "1 of its certificates cannot be read", "replace");
	assert_false(loads(true, "ca", "broker", "cut"));
	assert_says("cut.key", "cannot be read", "PEM");
}

static void a_key_of_another_certificate_is_refused(void **state)
{
	(void)state;
	assert_false(loads(true, "ca", "broker", "alpha"));
	assert_says("alpha.key", "does not match the certificate", "broker.crt");
}

static void a_key_with_a_password_is_refused(void **state)
{
	(void)state;
	assert_int_equal(run_command("openssl ec -in broker.key -aes256 -passout pass:x -out "
				     "locked.key && openssl pkcs8 -topk8 -in broker.key -passout "
				     "pass:x -out locked8.key"), 0);
	assert_false(loads(true, "ca", "broker", "locked"));
	assert_says("locked.key", "password", "store it without");
	assert_false(loads(true, "ca", "broker", "locked8"));
	assert_says("locked8.key", "password", "store it without");
}

static void what_is_out_of_date_is_refused(void **state)
{
	(void)state;
	make_certificate(&(struct leaf){ .name = "old", .by = "ca", .to = "20210203000000",
					 .usage = MBEDTLS_OID_SERVER_AUTH });
	make_certificate(&(struct leaf){ .name = "new", .by = "ca", .from = "20980203000000",
					 .usage = MBEDTLS_OID_SERVER_AUTH });
	make_certificate(&(struct leaf){ .name = "oldca", .to = "20210203000000",
					 .is_authority = true });
	assert_false(loads(true, "ca", "old", "old"));
	assert_says("old.crt", "expired on 2021-02-03", "issue a new one");
	assert_false(loads(true, "ca", "new", "new"));
	assert_says("new.crt", "not yet valid", "clock");
	assert_false(loads(true, "oldca", "broker", "broker"));
	assert_says("oldca.crt", "expired on 2021-02-03", "issue a new one");
	/* Beside one that is valid, an old authority does no harm. */
	assert_int_equal(run_command("cat oldca.crt ca.crt >both.crt"), 0);
	assert_true(loads(true, "both", "broker", "broker"));
}

static void a_leaf_is_no_authority(void **state)
{
	(void)state;
	assert_false(loads(true, "broker", "broker", "broker"));
	assert_says("broker.crt", "no authority's", "authority that issued");
	assert_int_equal(run_command("cat ca.crt alpha.crt >mixed.crt"), 0);
	assert_false(loads(true, "mixed", "broker", "broker"));
	assert_says("mixed.crt", "no authority's", "authority that issued");
}

static void a_certificate_for_the_other_side_is_refused(void **state)
{
	(void)state;
	make_certificate(&(struct leaf){ .name = "plain", .by = "ca" });
	make_certificate(&(struct leaf){ .name = "agreement", .by = "ca",
					 .key_usage = MBEDTLS_X509_KU_KEY_AGREEMENT });
	assert_false(loads(true, "ca", "alpha", "alpha"));
	assert_says("alpha.crt", "no extendedKeyUsage serverAuth", "broker");
	assert_false(loads(false, "ca", "broker", "broker"));
	assert_says("broker.crt", "no extendedKeyUsage clientAuth", "module");
	assert_false(loads(false, "ca", "plain", "plain"));
	assert_says("plain.crt", "no extendedKeyUsage clientAuth", "module");
	assert_true(loads(true, "ca", "plain", "plain"));
	assert_false(loads(true, "ca", "agreement", "agreement"));
	assert_says("agreement.crt", "lacks digitalSignature", "issue");
}

/* Looked at as it is read: its name may have stood for another file before. */
static void a_key_that_others_could_use_is_refused(void **state)
{
	static const mode_t wide[] = { 0640, 0604, 0620, 0610, 0601, 0666, 0777 };

	(void)state;
	for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++) {
		assert_int_equal(chmod(path_of("broker", ".key"), wide[i]), 0);
		assert_false(loads(true, "ca", "broker", "broker"));
		assert_says("broker.key", "others than its owner", "chmod 600");
	}
	assert_int_equal(chmod(path_of("broker", ".key"), 0400), 0);
	assert_true(loads(true, "ca", "broker", "broker"));
	assert_int_equal(chmod(path_of("broker", ".key"), 0600), 0);
}

static void a_weak_key_is_refused(void **state)
{
	(void)state;
	assert_int_equal(run_command("openssl req -x509 -newkey rsa:2048 -nodes -keyout weak.key "
				     "-out weak.crt -subj /CN=weak -days 2"), 0);
	assert_false(loads(true, "ca", "weak", "weak"));
	assert_says("weak.crt", "too weak", "P-256");
}

/* Two names, three names, none, and names that no reader should have to bear. */
static void names_are_read_or_found_malformed(void **state)
{
	static char name_255[256], name_256[257];
	mbedtls_x509_san_list many[17];
	struct tls_identity id;
	mbedtls_x509_crt crt;
	const struct {
		const char *uri;
		size_t len, count;
		bool malformed;
	} cases[] = {
		{ "spiffe://x/module/alpha", 23, 1, false },
		{ "spiffe://x/module/alpha", 23, 16, false },
		{ "spiffe://x/module/alpha", 23, 17, true },
		{ "spiffe://x/module/alpha\0.example", 32, 1, true },
		{ "spiffe://x/module/al\npha", 24, 1, true },
		{ "spiffe://x/module/\xc3\xa4", 20, 1, true },
		{ name_255, 255, 1, false },
		{ name_256, 256, 1, true },
	};

	(void)state;
	memset(name_255, 'u', 255);
	memset(name_256, 'u', 256);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const uintptr_t bytes = (uintptr_t)cases[i].uri;

		for (size_t k = 0; k < cases[i].count; k++) {
			many[k] = san_of(MBEDTLS_X509_SAN_UNIFORM_RESOURCE_IDENTIFIER, "");
			many[k].node.san.unstructured_name.p = (unsigned char *)bytes;
			many[k].node.san.unstructured_name.len = cases[i].len;
			many[k].next = k + 1 < cases[i].count ? &many[k + 1] : NULL;
		}
		make_certificate(&(struct leaf){ .name = "names", .by = "ca", .names = many });
		mbedtls_x509_crt_init(&crt);
		assert_int_equal(mbedtls_x509_crt_parse_file(&crt, path_of("names", ".crt")), 0);
		identity_read(&crt, &id);
		assert_int_equal(id.malformed, cases[i].malformed);
		if (!id.malformed) {
			assert_int_equal(id.uri_count, cases[i].count);
			assert_int_equal(strlen(id.uri[0]), cases[i].len);
		}
		mbedtls_x509_crt_free(&crt);
	}
}

static void two_common_names_are_malformed_and_a_subject_is_printable(void **state)
{
	struct tls_identity id;
	mbedtls_x509_crt crt;
	char subject[40];

	(void)state;
	assert_int_equal(run_command("openssl req -x509 -newkey ec -pkeyopt "
				     "ec_paramgen_curve:P-256 -nodes -keyout two.key -out two.crt "
				     "-subj /CN=alpha/CN=beta"), 0);
	mbedtls_x509_crt_init(&crt);
	assert_int_equal(mbedtls_x509_crt_parse_file(&crt, path_of("two", ".crt")), 0);
	identity_read(&crt, &id);
	assert_true(id.malformed);
	mbedtls_x509_crt_free(&crt);

	make_certificate(&(struct leaf){ .name = "odd", .by = "ca",
		.subject = "CN=a\\0A\\1B[31m\\C3\\A4 and a very long name that will not fit "
			   "here" });
	mbedtls_x509_crt_init(&crt);
	assert_int_equal(mbedtls_x509_crt_parse_file(&crt, path_of("odd", ".crt")), 0);
	identity_read(&crt, &id);
	assert_true(id.malformed);
	identity_subject(&crt, subject, sizeof(subject));
	assert_int_equal(strlen(subject), sizeof(subject) - 1);
	for (size_t i = 0; subject[i] != '\0'; i++)
		assert_in_range(subject[i], 0x20, 0x7e);
	mbedtls_x509_crt_free(&crt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_belongs_together_loads),
		cmocka_unit_test(missing_and_unreadable_files_are_told),
		cmocka_unit_test(an_empty_authority_is_refused),
		cmocka_unit_test(damaged_files_are_refused),
		cmocka_unit_test(a_key_of_another_certificate_is_refused),
		cmocka_unit_test(a_key_with_a_password_is_refused),
		cmocka_unit_test(what_is_out_of_date_is_refused),
		cmocka_unit_test(a_leaf_is_no_authority),
		cmocka_unit_test(a_certificate_for_the_other_side_is_refused),
		cmocka_unit_test(a_key_that_others_could_use_is_refused),
		cmocka_unit_test(a_weak_key_is_refused),
		cmocka_unit_test(names_are_read_or_found_malformed),
		cmocka_unit_test(two_common_names_are_malformed_and_a_subject_is_printable),
	};

	return cmocka_run_group_tests(tests, fixture_begin, fixture_end);
}
