"""test_start.py - protocol, section 10: starting, configuration, environment, signals, the log."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess

from case import Case, authority, messages
from handoff_client import PATIENCE_SECONDS


class Start(Case):
    def test_says_ready_and_accepts_connections(self):
        broker = self.start_broker()
        self.assertEqual(len([line for line in broker.lines if re.search(r"\bready\b", line)]), 1)
        self.module(broker, "ALPHA")

    def test_tells_systemd_when_it_is_ready(self):
        path = os.path.join(self.directory, "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(path)
            notify.settimeout(PATIENCE_SECONDS)
            self.start_broker(environment={"NOTIFY_SOCKET": path})
            told = b""
            while b"READY=1" not in told:
                told = notify.recv(4096)

    def test_sigterm_and_sigint_end_it_with_0(self):
        for how in (signal.SIGTERM, signal.SIGINT):
            broker = self.start_broker()
            broker.stop(how)

    def test_sigterm_ends_it_with_0_with_work_in_hand(self):
        broker = self.start_broker()
        alpha, beta = self.module(broker, "ALPHA"), self.module(broker, "BETA")
        batches = [alpha.hand_over(size=50000) for _ in range(5)]
        beta.delivery()
        broker.stop()
        broker.start()
        beta = self.module(broker, "BETA")
        for batch in batches:
            beta.finish(beta.delivery(batch))

    def test_a_second_broker_on_the_same_store_is_refused_in_words(self):
        first = self.start_broker()
        second = self.new_broker()
        shutil.rmtree(second.directory)
        second.directory, second.configuration = first.directory, first.configuration + ".second"
        second.configure()
        second.spawn()
        self.assertNotEqual(second.wait(), 0)
        self.assertRegex(second.log(), r"(?i)another|already|in use|lock")
        self.module(first, "ALPHA").hand_over()

    def test_a_port_in_use_is_refused_in_words(self):
        first = self.start_broker()
        second = self.new_broker()
        second.address = first.address
        second.configure()
        second.spawn()
        self.assertNotEqual(second.wait(), 0)
        self.assertIn(str(first.address[1]), second.log())

    def test_a_restart_on_the_same_port_needs_no_wait(self):
        broker = self.start_broker()
        for _ in range(5):
            self.module(broker, "ALPHA").hand_over()
            broker.restart()
        self.module(broker, "ALPHA").hand_over()

    def test_many_kills_during_the_start_leave_a_store_that_opens(self):
        broker = self.start_broker()
        batch = self.module(broker, "ALPHA").hand_over()
        broker.kill()
        for _ in range(10):
            broker.spawn()
            broker.kill()
        broker.start()
        self.module(broker, "BETA").delivery(batch)

    def test_kills_during_the_first_start_leave_a_store_that_opens(self):
        broker = self.new_broker()
        for _ in range(10):
            broker.spawn()
            broker.kill()
        broker.start()
        self.module(broker, "ALPHA").hand_over()


class Configuration(Case):
    def run_broker(self, broker, *arguments):
        done = subprocess.run([broker.program, *arguments], capture_output=True, text=True,
                              env={**os.environ, **broker.environment}, cwd=broker.directory,
                              timeout=PATIENCE_SECONDS)
        return done.returncode, done.stdout + done.stderr

    def check(self, broker):
        return self.run_broker(broker, "--check", "--config", broker.configuration)

    def assert_invalid(self, words, settings="", line=None, **more):
        """Both --check and a start say why, where, and end with 78."""
        broker = self.new_broker(settings, **more)
        for arguments in (["--check"], []):
            status, output = self.run_broker(broker, *arguments, "--config", broker.configuration)
            self.assertEqual(status, 78, output)
            for word in words:
                self.assertIn(word, output)
            if line:
                self.assertRegex(output, r"handoffd\.conf\D{1,8}%d\b" % line)
        return broker

    def test_check_says_that_a_valid_file_is_valid(self):
        broker = self.new_broker('route "alpha-beta" { batch_size = 5 }')
        status, output = self.check(broker)
        self.assertEqual(status, 0, output)
        self.assertFalse(os.path.exists(os.path.join(broker.directory, "data")))

    def test_the_configuration_of_the_protocols_page_is_valid(self):
        broker = self.new_broker()
        for name, source in (("ca.crt", broker.credentials.ca),
                             ("broker.crt", broker.credentials.certificate),
                             ("broker.key", broker.credentials.key)):
            shutil.copy(source, os.path.join(broker.directory, name))
        with open(broker.configuration, "w") as file:
            file.write('''
                listen = "127.0.0.1:7420"
                tls { ca = "ca.crt" certificate = "broker.crt" key = "broker.key" }
                store { path = "data" size = "1G" }
                admin { socket = "admin.sock" }
                http { listen = "127.0.0.1:7421" }
                module "ALPHA" {
                    identity = { "URI:spiffe://other/x", "DNS:alpha.example", "CN:alpha" }
                }
                route "alpha-beta" { source = "ALPHA" target = "BETA" batch_size = 1000 }
                ''')
        status, output = self.check(broker)
        self.assertEqual(status, 0, output)

    def test_a_syntax_error_is_told_with_file_and_line(self):
        self.assert_invalid([], 'route "alpha-beta" {\nbatch_size = = 5\n}', line=6)

    def test_an_unknown_key_is_refused_with_the_nearest_known_one(self):
        self.assert_invalid(["batch_sise", "batch_size"],
                            'route "alpha-beta" { batch_sise = 5 }', line=5)
        self.assert_invalid(["reclame_ms", "reclaim_ms"], "reclame_ms = 5", line=5)

    def test_a_value_out_of_range_is_refused(self):
        for setting in ("batch_size = 0", "batch_size = -1", "ack_timeout_ms = -1",
                        "backoff_multiplier = 0.5", "max_retries = -1", 'batch_size = "many"'):
            with self.subTest(setting=setting):
                self.assert_invalid([setting.split()[0]], 'route "alpha-beta" { %s }' % setting,
                                    line=5)

    def test_a_store_below_64m_is_refused(self):
        self.assert_invalid(["size"], store_size="63M")

    def test_a_route_without_source_or_target_is_refused(self):
        self.assert_invalid(["phi-beta"], 'route "phi-beta" { target = "BETA" }')

    def test_a_route_of_an_undeclared_module_is_refused(self):
        self.assert_invalid(["OMEGA"], 'route "x-y" { source = "OMEGA" target = "BETA" }')

    def test_a_pair_has_at_most_one_route(self):
        self.assert_invalid(["second"], 'route "second" { source = "ALPHA" target = "BETA" }')

    def test_names_of_modules_and_routes_have_their_form(self):
        for settings in ('module "alpha" { }', 'module "2X" { }', 'module "%s" { }' % ("A" * 33),
                         'route "Alpha-gamma" { source = "ALPHA" target = "GAMMA" }',
                         'route "%s" { source = "ALPHA" target = "GAMMA" }' % ("a" * 64)):
            with self.subTest(settings=settings):
                self.assert_invalid([], settings)

    def test_a_file_that_is_not_there_is_named(self):
        broker = self.new_broker()
        missing = os.path.join(broker.directory, "nowhere.conf")
        status, output = self.run_broker(broker, "--config", missing)
        self.assertEqual(status, 78, output)
        self.assertIn("nowhere.conf", output)

    def test_a_certificate_that_is_not_there_is_named(self):
        broker = self.new_broker()
        broker.credentials = type(broker.credentials)(
            broker.credentials.ca, broker.directory + "/nowhere.crt", broker.credentials.key)
        broker.configure()
        broker.spawn()
        self.assertNotEqual(broker.wait(), 0)
        self.assertIn("nowhere.crt", broker.log())

    def test_a_key_that_does_not_belong_to_the_certificate_is_refused(self):
        broker = self.new_broker()
        broker.credentials = type(broker.credentials)(
            broker.credentials.ca, broker.credentials.certificate, authority().module("ALPHA").key)
        broker.configure()
        broker.spawn()
        self.assertNotEqual(broker.wait(), 0)

    def test_relative_paths_are_relative_to_the_file(self):
        broker = self.new_broker()
        shutil.copy(broker.credentials.certificate, os.path.join(broker.directory, "here.crt"))
        broker.credentials = type(broker.credentials)(
            broker.credentials.ca, "here.crt", broker.credentials.key)
        broker.configure()
        subdirectory = os.path.join(broker.directory, "elsewhere")
        os.mkdir(subdirectory)
        home, broker.directory = broker.directory, subdirectory
        broker.start()
        self.assertTrue(os.path.exists(os.path.join(home, "data")))
        self.assertFalse(os.listdir(subdirectory))

    def test_naming_a_route_changes_its_settings_alone(self):
        broker = self.start_broker('route "beta-gamma" { batch_size = 5 }')
        route, = self.module(broker, "GAMMA").welcome["routes"]
        self.assertEqual((route["batch_size"], route["source_module"], route["flush_timeout_ms"]),
                         (5, "BETA", 5000))


class Environment(Configuration):
    def routes(self, environment, module="BETA", settings=""):
        broker = self.start_broker(settings, environment=environment)
        return {route["name"]: route for route in self.module(broker, module).welcome["routes"]}

    def test_the_specifications_parameters_are_set_by_variables_of_their_names(self):
        routes = self.routes({
            "ALPHA_BETA_BATCH_SIZE": "11", "ALPHA_BETA_FLUSH_TIMEOUT_MS": "12",
            "ALPHA_BETA_ACK_TIMEOUT_MS": "13", "ALPHA_BETA_RETRY_DELAY_MS": "14",
            "ALPHA_BETA_MAX_RETRIES": "15", "ALPHA_BETA_BACKOFF_MULTIPLIER": "1.5",
            "ALPHA_BETA_PROCESS_TIMEOUT_MS": "16",
            "BETA_GAMMA_BATCH_SIZE": "21", "BETA_GAMMA_FLUSH_TIMEOUT_MS": "22",
            "BETA_GAMMA_ACK_TIMEOUT_MS": "23", "BETA_GAMMA_RETRY_DELAY_MS": "24",
            "BETA_GAMMA_MAX_RETRIES": "25", "BETA_GAMMA_BACKOFF_MULTIPLIER": "2.5",
            "BETA_GAMMA_PROCESS_TIMEOUT_MS": "26"})
        names = ("batch_size", "flush_timeout_ms", "ack_timeout_ms", "retry_delay_ms",
                 "max_retries", "backoff_multiplier", "process_timeout_ms")
        self.assertEqual([routes["alpha-beta"][name] for name in names],
                         [11, 12, 13, 14, 15, 1.5, 16])
        self.assertEqual([routes["beta-gamma"][name] for name in names],
                         [21, 22, 23, 24, 25, 2.5, 26])

    def test_the_other_parameters_are_known(self):
        self.start_broker(environment={
            "BACKPRESSURE_HIGH_WATERMARK": "0.9", "BACKPRESSURE_LOW_WATERMARK": "0.4",
            "CIRCUIT_FAILURE_THRESHOLD": "7", "CIRCUIT_RESET_TIMEOUT_MS": "1000",
            "HEALTH_CHECK_INTERVAL_MS": "2000", "HEALTH_CHECK_TIMEOUT_MS": "1000",
            "ALPHA_BETA_MAX_RETRY_DELAY_MS": "5000", "BETA_GAMMA_CONFIRM_TIMEOUT_MS": "5000",
            "BETA_GAMMA_QUEUE_CAPACITY": "50"})

    def test_the_environment_wins_over_the_file(self):
        routes = self.routes({"ALPHA_BETA_BATCH_SIZE": "11"},
                             settings='route "alpha-beta" { batch_size = 5 retry_delay_ms = 6 }')
        self.assertEqual((routes["alpha-beta"]["batch_size"],
                          routes["alpha-beta"]["retry_delay_ms"]), (11, 6))

    def test_the_same_form_serves_every_route(self):
        routes = self.routes({"PHI_TO_BETA_BATCH_SIZE": "9"},
                             settings='route "phi-to-beta" { source = "PHI" target = "BETA" }')
        self.assertEqual(routes["phi-to-beta"]["batch_size"], 9)

    def test_a_capacity_set_by_the_environment_is_in_force(self):
        broker = self.start_broker(environment={"ALPHA_BETA_QUEUE_CAPACITY": "1"})
        alpha = self.module(broker, "ALPHA")
        alpha.hand_over()
        answer = alpha.answer_to(alpha.send(alpha.batch()))
        self.assertEqual(answer.code, "INT_ROUTE_002")

    def test_a_malformed_value_is_refused_and_the_variable_named(self):
        for name, value in (("ALPHA_BETA_ACK_TIMEOUT_MS", "soon"), ("ALPHA_BETA_BATCH_SIZE", ""),
                            ("BETA_GAMMA_MAX_RETRIES", "-1"), ("BETA_GAMMA_BATCH_SIZE", "5x"),
                            ("BACKPRESSURE_HIGH_WATERMARK", "1.5"),
                            ("ALPHA_BETA_BATCH_SIZE", "99999999999999999999999")):
            with self.subTest(name=name, value=value):
                self.assert_invalid([name], environment={name: value})

    def test_routes_whose_variables_would_collide_are_refused(self):
        self.assert_invalid(
            ["alpha-beta", "alpha-beta-max"],
            'route "alpha-beta-max" { source = "PHI" target = "ALPHA" }')


class Log(Case):
    def lines_of_a_session(self, *arguments):
        broker = self.start_broker(arguments=arguments)
        alpha, beta = self.module(broker, "ALPHA"), self.module(broker, "BETA")
        secret = [{"record_id": "S-1", "data": "the payload is nobody's business"}]
        batch = alpha.batch(content=messages.encode(secret), count=1)
        alpha.hand_over(batch)
        beta.finish(beta.delivery(batch))
        alpha.send(alpha.batch(priority="the payload is nobody's business"))
        alpha.barrier()
        stranger = authority().issue(self.id().split(".")[-1], cn='x\n\x1b[31mERROR "y"')
        nobody = self.connect(broker, "ALPHA", stranger)
        nobody.expect_closed()
        for client in self.clients:
            client.close()
        broker.stop()
        return broker.lines

    def test_is_one_line_an_event_with_keys_and_values(self):
        lines = self.lines_of_a_session()
        self.assertGreater(len(lines), 4)
        self.assertTrue(any(re.search(r"\b[a-z_]+=\S+", line) for line in lines))

    def test_never_shows_payload_nor_keys(self):
        text = "".join(self.lines_of_a_session())
        self.assertNotIn("nobody's business", text)
        self.assertNotIn("PRIVATE KEY", text)

    def test_escapes_what_strangers_wrote(self):
        lines = self.lines_of_a_session()
        self.assertNotIn("\x1b", "".join(lines))
        self.assertFalse([line for line in lines if line.startswith("\x1b") or
                          line.startswith('ERROR "y"')])

    def test_can_be_json(self):
        lines = self.lines_of_a_session("--log-format", "json")
        for line in lines:
            self.assertIsInstance(json.loads(line), dict)

    def test_says_nothing_of_single_batches_unless_asked(self):
        broker = self.start_broker()
        alpha, beta = self.module(broker, "ALPHA"), self.module(broker, "BETA", 50)
        before = len(broker.lines)
        for _ in range(50):
            beta.finish(beta.delivery(alpha.hand_over()))
        self.assertLess(len(broker.lines) - before, 10)
