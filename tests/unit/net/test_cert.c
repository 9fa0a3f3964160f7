/* test_cert.c - the development authority, judged by the openssl command */
#include "fixture.h"

#include <sys/stat.h>

#include "net/cert.h"

static char why[256];

static struct cert_files files(const char *name)
{
	return (struct cert_files){ path_of(name, ".crt"), path_of(name, ".key") };
}

static int begin(void **state)
{
	const char *const names[] = { "localhost", "broker.example", "127.0.0.1", "2001:db8::1" };
	struct cert_files ca, module, broker;

	fixture_begin(state);
	ca = files("dev");
	module = files("gamma");
	broker = files("hub");
	if (!cert_make_authority(&ca, false, "handoff development", 30, why, sizeof(why)) ||
	    !cert_issue_module(&ca, &module, false, "example.org", "GAMMA", 10, why, sizeof(why)) ||
	    !cert_issue_broker(&ca, &broker, false, names, 4, 10, why, sizeof(why)))
		fail_msg("%s", why);
	return 0;
}

static mode_t mode_of(const char *name, const char *suffix)
{
	struct stat st;

	assert_int_equal(stat(path_of(name, suffix), &st), 0);
	return st.st_mode & 07777;
}

static void keys_are_private_and_certificates_public(void **state)
{
	(void)state;
	assert_int_equal(mode_of("dev", ".key"), 0600);
	assert_int_equal(mode_of("dev", ".crt"), 0644);
	assert_int_equal(mode_of("gamma", ".key"), 0600);
	assert_int_equal(mode_of("gamma", ".crt"), 0644);
}

static void openssl_agrees_with_all_of_them(void **state)
{
	(void)state;
	assert_int_equal(run_command("openssl verify -x509_strict -CAfile dev.crt dev.crt"), 0);
	assert_int_equal(run_command("openssl verify -x509_strict -CAfile dev.crt -purpose "
				     "sslclient gamma.crt"), 0);
	assert_int_equal(run_command("openssl verify -x509_strict -CAfile dev.crt -purpose "
				     "sslserver -verify_hostname broker.example hub.crt"), 0);
	assert_int_equal(run_command("openssl verify -CAfile dev.crt -purpose sslserver "
				     "-verify_ip 127.0.0.1 hub.crt"), 0);
	assert_int_equal(run_command("openssl verify -CAfile dev.crt -purpose sslserver "
				     "-verify_ip 2001:db8::1 hub.crt"), 0);
	/* And each is good for its own purpose alone. */
	assert_int_not_equal(run_command("openssl verify -CAfile dev.crt -purpose sslserver "
					 "gamma.crt"), 0);
	assert_int_not_equal(run_command("openssl verify -CAfile dev.crt -purpose sslclient "
					 "hub.crt"), 0);
	assert_int_not_equal(run_command("openssl verify -CAfile dev.crt -verify_hostname "
					 "elsewhere hub.crt"), 0);
	assert_int_not_equal(run_command("openssl verify -CAfile ca.crt gamma.crt"), 0);
}

static void assert_shows(const char *certificate, const char *text)
{
	if (run_command("openssl x509 -in %s -noout -text | grep -F '%s'", certificate, text) != 0)
		fail_msg("openssl does not show '%s' in %s", text, certificate);
}

static void openssl_reads_what_was_asked_for(void **state)
{
	(void)state;
	assert_shows("gamma.crt", "URI:spiffe://example.org/module/gamma");
	assert_shows("gamma.crt", "TLS Web Client Authentication");
	assert_shows("gamma.crt", "Digital Signature");
	assert_shows("gamma.crt", "CA:FALSE");
	assert_shows("gamma.crt", "ecdsa-with-SHA256");
	assert_shows("gamma.crt", "prime256v1");
	assert_shows("dev.crt", "CA:TRUE, pathlen:0");
	assert_shows("dev.crt", "Certificate Sign, CRL Sign");
	assert_int_equal(run_command("openssl ec -in gamma.key -check -noout"), 0);
}

static void both_sides_load_what_was_made(void **state)
{
	(void)state;
	tls_destroy(load(true, "dev", "hub"));
	tls_destroy(load(false, "dev", "gamma"));
}

static void existing_files_are_kept_unless_asked(void **state)
{
	const struct cert_files ca = files("dev"), one = files("kept");
	char before[4096] = "", after[4096] = "";

	(void)state;
	assert_true(cert_issue_module(&ca, &one, false, "x", "kept", 1, why, sizeof(why)));
	read_text(one.certificate, before, sizeof(before));
	assert_false(cert_issue_module(&ca, &one, false, "x", "kept", 1, why, sizeof(why)));
	assert_non_null(strstr(why, "File exists"));
	read_text(one.certificate, after, sizeof(after));
	assert_string_equal(before, after);
	/* The key is new, but the certificate cannot be: neither is left. */
	assert_int_equal(unlink(one.key), 0);
	assert_false(cert_issue_module(&ca, &one, false, "x", "kept", 1, why, sizeof(why)));
	assert_int_equal(access(one.key, F_OK), -1);
	assert_true(cert_issue_module(&ca, &one, true, "x", "kept", 1, why, sizeof(why)));
	read_text(one.certificate, after, sizeof(after));
	assert_string_not_equal(before, after);
	tls_destroy(load(false, "dev", "kept"));
}

static void nothing_outlives_its_authority(void **state)
{
	const struct cert_files ca = files("dev"), one = files("long");
	struct cert_info info, authority;

	(void)state;
	assert_true(cert_issue_module(&ca, &one, true, "x", "long", 10000, why, sizeof(why)));
	assert_true(cert_read_info(one.certificate, &info, why, sizeof(why)));
	assert_true(cert_read_info(ca.certificate, &authority, why, sizeof(why)));
	assert_string_equal(info.not_after, authority.not_after);
}

static void wrong_wishes_are_refused_in_words(void **state)
{
	static const char *const modules[] = { "", "9LIVES", "A B", "A/../B", "A,CN=B", "Ä",
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456" };
	const struct cert_files ca = files("dev"), one = files("wrong"), leaf = files("gamma");
	const struct cert_files mixed = { path_of("dev", ".crt"), path_of("gamma", ".key") };
	const char *const names[] = { "a name" }, *const good[] = { "localhost" };

	(void)state;
	for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++) {
		assert_false(cert_issue_module(&ca, &one, true, "x", modules[i], 1, why,
					       sizeof(why)));
		assert_non_null(strstr(why, "module's name"));
	}
	assert_false(cert_issue_module(&ca, &one, true, "a/b", "alpha", 1, why, sizeof(why)));
	assert_non_null(strstr(why, "trust domain"));
	assert_false(cert_issue_module(&ca, &one, true, "x", "alpha", 0, why, sizeof(why)));
	assert_false(cert_issue_module(&ca, &one, true, "x", "alpha", 36501, why, sizeof(why)));
	assert_non_null(strstr(why, "36500"));
	assert_false(cert_issue_broker(&ca, &one, true, names, 1, 1, why, sizeof(why)));
	assert_non_null(strstr(why, "'a name'"));
	assert_false(cert_issue_broker(&ca, &one, true, names, 0, 1, why, sizeof(why)));
	assert_false(cert_issue_broker(&leaf, &one, true, good, 1, 1, why, sizeof(why)));
	assert_non_null(strstr(why, "no authority"));
	assert_false(cert_issue_broker(&mixed, &one, true, good, 1, 1, why, sizeof(why)));
	assert_non_null(strstr(why, "another one's"));
	assert_false(cert_make_authority(&one, true, "a,O=b", 1, why, sizeof(why)));
	assert_int_equal(access(one.key, F_OK), -1);
	assert_int_equal(access(one.certificate, F_OK), -1);
}

static void what_stands_inside_is_shown(void **state)
{
	struct cert_info info;

	(void)state;
	assert_true(cert_read_info(path_of("hub", ".crt"), &info, why, sizeof(why)));
	assert_string_equal(info.subject, "CN=handoff broker");
	assert_string_equal(info.issuer, "CN=handoff development");
	assert_string_equal(info.key, "EC 256 bit");
	assert_true(info.is_server && !info.is_client && !info.is_authority);
	assert_true(!info.is_expired && !info.is_future);
	assert_int_equal(info.identity.dns_count, 2);
	assert_string_equal(info.identity.dns[1], "broker.example");
	assert_int_equal(info.address_count, 2);
	assert_string_equal(info.address[0], "127.0.0.1");
	assert_string_equal(info.address[1], "2001:db8::1");
	assert_int_equal(strlen(info.serial), 16 * 3 - 1);
	assert_int_equal(strlen(info.not_before), 20);
	assert_true(cert_read_info(path_of("gamma", ".crt"), &info, why, sizeof(why)));
	assert_true(info.is_client && !info.is_server);
	assert_string_equal(info.identity.uri[0], "spiffe://example.org/module/gamma");
	/* The fingerprint is openssl's. */
	assert_int_equal(run_command("openssl x509 -in gamma.crt -noout -fingerprint -sha256 | tr "
				     "-d : | tr A-F a-f | grep -q "
				     "%s", info.identity.fingerprint), 0);
	assert_true(cert_read_info(path_of("dev", ".crt"), &info, why, sizeof(why)));
	assert_true(info.is_authority);
	write_text(path_of("text", ".crt"), "no certificate\n");
	assert_false(cert_read_info(path_of("text", ".crt"), &info, why, sizeof(why)));
	assert_non_null(strstr(why, "text.crt"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_private_and_certificates_public),
		cmocka_unit_test(openssl_agrees_with_all_of_them),
		cmocka_unit_test(openssl_reads_what_was_asked_for),
		cmocka_unit_test(both_sides_load_what_was_made),
		cmocka_unit_test(existing_files_are_kept_unless_asked),
		cmocka_unit_test(nothing_outlives_its_authority),
		cmocka_unit_test(wrong_wishes_are_refused_in_words),
		cmocka_unit_test(what_stands_inside_is_shown),
	};

	return cmocka_run_group_tests(tests, begin, fixture_end);
}
