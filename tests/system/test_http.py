"""test_http.py - metrics, health and readiness over HTTP: what is answered, to whom, how long."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import unittest
import urllib.request

from broker import ROOT, free_port
from case import Case, authority, messages
from ctl import ADMIN, Ctl
from handoff_client import PATIENCE_SECONDS
from http_look import Looker, read_response

GET = b"GET /ready HTTP/1.1\r\nHost: h\r\n\r\n"
TIMEOUT_SECONDS = 5
CONNECTIONS = 8


class Http(Case):
    def start(self, settings="", **top_level):
        self.looker = Looker()
        self.broker = self.start_broker(self.looker.settings + settings, **top_level)

    def wait_for(self, what, is_so):
        """Asks for pages until one of them is so; returns it."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            page = self.looker.page()
            if is_so(page):
                return page
            self.assertLess(time.monotonic(), deadline, what)


class Requests(Http):
    def test_each_path_is_answered_and_the_connection_ends(self):
        self.start()
        page = self.looker.get("/metrics")
        self.assertEqual((page.status, page.header["content-type"], page.header["connection"]),
                         (200, "text/plain; version=0.0.4; charset=utf-8", "close"))
        self.assertEqual(int(page.header["content-length"]), len(page.body))
        ready = self.looker.get("/ready")
        self.assertEqual((ready.status, ready.json()), (200, {"ready": True}))
        self.assertEqual(ready.header["content-type"], "application/json")
        with urllib.request.urlopen("http://127.0.0.1:%d/ready" % self.looker.port) as answer:
            self.assertEqual(answer.status, 200)

    def test_head_is_answered_without_a_body(self):
        self.start()
        head, whole = self.looker.get("/ready", "HEAD"), self.looker.get("/ready")
        self.assertEqual((head.status, head.body), (200, b""))
        self.assertEqual(head.header["content-length"], whole.header["content-length"])

    def test_what_is_not_asked_for_well_is_refused_with_its_status(self):
        self.start()
        header = b"Host: h\r\n"
        for data, status in (
                (b"GET /nothing HTTP/1.1\r\n" + header + b"\r\n", 404),
                (b"GET / HTTP/1.1\r\n" + header + b"\r\n", 404),
                (b"POST /metrics HTTP/1.1\r\n" + header + b"\r\n", 405),
                (b"DELETE /nothing HTTP/1.1\r\n" + header + b"\r\n", 404),
                (b"GET /metrics HTTP/1.1\r\n\r\n", 400),
                (b"GET /metrics HTTP/1.1\r\n" + header + b"Content-Length: 3\r\n\r\nabc", 400),
                (b"GET /metrics HTTP/2.0\r\n" + header + b"\r\n", 505),
                (b"GET /" + b"x" * 2000 + b" HTTP/1.1\r\n" + header + b"\r\n", 414),
                (b"GET /metrics HTTP/1.1\r\n" + header + b"X: " + b"x" * 9000, 431),
                (b"\x16\x03\x01\x02\x00", 400)):
            with self.subTest(data=data[:40]):
                response = self.looker.ask(data)
                self.assertEqual(response.status, status)
                self.assertEqual(int(response.header["content-length"]), len(response.body))
        self.assertEqual(self.looker.get("/metrics", "PUT").header["allow"], "GET, HEAD")

    def test_a_request_that_is_never_whole_is_told_408_in_time(self):
        self.start()
        began = time.monotonic()
        response = self.looker.ask(b"GET /ready HTTP/1.1\r\nHo", 6 * PATIENCE_SECONDS)
        self.assertEqual(response.status, 408)
        self.assertGreater(time.monotonic() - began, TIMEOUT_SECONDS - 0.5)
        self.assertEqual(self.looker.get("/ready").status, 200)

    def test_a_request_may_come_byte_by_byte(self):
        self.start()
        with self.looker.connect() as peer:
            for i in range(len(GET)):
                peer.sendall(GET[i:i + 1])
            self.assertEqual(read_response(peer).status, 200)

    def test_who_waits_gives_way_to_who_asks(self):
        self.start()
        idle = [self.looker.connect() for _ in range(CONNECTIONS)]
        began = time.monotonic()
        try:
            for peer in idle:
                peer.sendall(b"GET")
            while self.looker.get("/ready").status != 200:
                pass    # refused in the turn that the others came in
            while not self.is_ended(idle[0]):
                time.sleep(0.01)
            self.assertLess(time.monotonic() - began, TIMEOUT_SECONDS - 1, "its time was over")
            self.assertFalse([peer for peer in idle[1:] if self.is_ended(peer)])
        finally:
            for peer in idle:
                peer.close()

    @staticmethod
    def is_ended(peer):
        peer.setblocking(False)
        try:
            return peer.recv(1) == b""
        except BlockingIOError:
            return False
        except ConnectionError:
            return True

    def test_more_than_a_few_answers_that_nobody_takes_are_refused(self):
        routes = "".join('module "M%d" { }\nroute "r%d" { source = "ALPHA" target = "M%d" }\n'
                         % (i, i, i) for i in range(59))
        self.start(routes)
        deaf = []
        try:
            for _ in range(CONNECTIONS):
                peer = socket.socket()
                deaf.append(peer)
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
                peer.connect(("127.0.0.1", self.looker.port))
                peer.sendall(b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n")
                peer.settimeout(PATIENCE_SECONDS)
                self.assertEqual(peer.recv(9), b"HTTP/1.1 ")
            self.assertEqual(self.looker.ask(b"").status, 503)
            # Their time is over some day: then there is room again.
            deadline = time.monotonic() + 3 * PATIENCE_SECONDS
            while True:
                try:
                    if self.looker.get("/ready").status == 200:
                        break
                except ConnectionError:
                    pass    # refused before all was sent
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.1)
        finally:
            for peer in deaf:
                peer.close()

    def test_ready_says_503_while_the_broker_stops(self):
        self.start()
        self.module(self.broker, "BETA", receive_buffer=2048)
        self.broker.process.send_signal(signal.SIGTERM)
        self.broker.expected_to_end = True
        answers = []
        try:
            while True:
                answers.append(self.looker.get("/ready"))
        except (OSError, AssertionError):
            pass    # it has ended
        self.assertIn((503, {"ready": False, "reason": "stopping"}),
                      [(one.status, one.json()) for one in answers])

    def test_nothing_listens_without_the_setting(self):
        broker = self.start_broker()
        self.assertNotIn("http opened", broker.log())

    def test_a_port_in_use_is_refused_in_words(self):
        self.start()
        second = self.new_broker(self.looker.settings)
        second.spawn()
        self.assertEqual(second.wait(), 71)
        self.assertIn("http.listen: cannot listen on", second.log())


class Figures(Http):
    """Each figure is what the test's own modules did."""

    settings = ADMIN + '''route "alpha-beta" {
        retry_delay_ms = 50 max_retries = 1 backoff_multiplier = 1.0 }
        module "SIGMA_2" { }
        route "beta-sigma-2" { source = "BETA" target = "SIGMA_2" }
        '''

    def setUp(self):
        super().setUp()
        self.start(self.settings)
        self.alpha = self.module(self.broker, "ALPHA")

    def test_names_of_the_specification_serve_every_route_and_module(self):
        page = self.looker.page()
        for name, kind in (
                ("integration_retries_total", "counter"),
                ("integration_error_recovery_duration_seconds", "histogram"),
                ("alpha_beta_batches_transferred_total", "counter"),
                ("alpha_beta_records_transferred_total", "counter"),
                ("beta_gamma_batches_transferred_total", "counter"),
                ("beta_gamma_records_transferred_total", "counter"),
                ("beta_sigma_2_records_transferred_total", "counter"),
                ("transfer_latency_seconds", "histogram"),
                ("beta_input_queue_depth", "gauge"), ("gamma_input_queue_depth", "gauge"),
                ("sigma_2_input_queue_depth", "gauge")):
            self.assertEqual(page.types.get(name), kind, name)

    def test_a_transfer_is_counted_at_processed(self):
        beta = self.module(self.broker, "BETA")
        deliveries = [beta.delivery(self.alpha.hand_over(count=3)) for _ in range(2)]
        page = self.looker.page()
        self.assertEqual((page["alpha_beta_batches_transferred_total"],
                          page["beta_input_queue_depth"],
                          page["handoff_custody_batches", {"route": "alpha-beta",
                                                           "state": "ASSIGNED"}]), (0, 2, 2))
        for delivery in deliveries:
            beta.finish(delivery)
        page = self.looker.page()
        self.assertEqual((page["alpha_beta_batches_transferred_total"],
                          page["alpha_beta_records_transferred_total"],
                          page["beta_input_queue_depth"]), (2, 6, 0))
        route = {"route": "alpha-beta"}
        self.assertEqual(page["transfer_latency_seconds_count", route], 2)
        self.assertGreater(page["transfer_latency_seconds_sum", route], 0)
        self.assertEqual(page["integration_error_recovery_duration_seconds_count", route], 0)
        self.assertEqual(page["transfer_latency_seconds_bucket", {**route, "le": "+Inf"}], 2)

    def test_a_rejected_record_was_not_transferred(self):
        beta = self.module(self.broker, "BETA")
        delivery = beta.delivery(self.alpha.hand_over(count=4))
        error = messages.error("BETA", "PERMANENT", "RECORD", code="BETA_R",
                               context={"record_id": messages.record_ids(delivery)[0]})
        beta.answer_to(beta.acknowledge(delivery, "PROCESSED", 3, 1, errors=[error]))
        page = self.looker.page()
        self.assertEqual((page["alpha_beta_batches_transferred_total"],
                          page["alpha_beta_records_transferred_total"],
                          page["handoff_dead_letters", {"route": "alpha-beta"}]), (1, 3, 1))

    def test_a_recovery_lasts_from_the_first_failure(self):
        beta = self.module(self.broker, "BETA")
        batch = self.alpha.hand_over()
        beta.reject(beta.delivery(batch))
        beta.finish(beta.delivery(batch))
        page = self.looker.page()
        route = {"route": "alpha-beta"}
        recovery = "integration_error_recovery_duration_seconds"
        self.assertEqual((page["integration_retries_total", route], page[recovery + "_count", route]),
                         (1, 1))
        took = page[recovery + "_sum", route]
        self.assertGreaterEqual(took, 0.050)
        self.assertLessEqual(took, page["transfer_latency_seconds_sum", route])

    def test_dead_letters_are_counted(self):
        beta = self.module(self.broker, "BETA")
        batch = self.alpha.hand_over()
        beta.reject(beta.delivery(batch), "PERMANENT")
        self.alpha.outcome(batch)
        page = self.looker.page()
        route = {"route": "alpha-beta"}
        self.assertEqual((page["handoff_dead_letters", route],
                          page["handoff_batches_dead_total", route],
                          page["handoff_unaccounted_records", route],
                          page["alpha_beta_batches_transferred_total"]), (1, 1, 0, 0))
        self.assertGreater(page["handoff_dead_letters_bytes", route], 0)
        self.assertGreaterEqual(page["handoff_oldest_batch_age_seconds",
                                     {**route, "reason": "DEAD"}], 0)

    def test_the_oldest_batch_is_told_by_why_it_waits(self):
        self.alpha.hand_over()
        page = self.looker.page()
        ages = page.all("handoff_oldest_batch_age_seconds")
        self.assertEqual([labels for labels, _ in ages],
                         [{"route": "alpha-beta", "reason": "NO_CONSUMER"}])
        first = ages[0][1]
        page = self.wait_for("it does not grow", lambda page:
                             page.all("handoff_oldest_batch_age_seconds")[0][1] > first)
        Ctl(self.broker).say("pause", "alpha-beta", "--reason", "a test")
        page = self.looker.page()
        self.assertEqual(page["handoff_route_paused", {"route": "alpha-beta"}], 1)
        self.assertEqual([labels["reason"] for labels, _ in
                          page.all("handoff_oldest_batch_age_seconds")], ["ROUTE_HALTED"])

    def test_who_is_there_and_who_was_refused(self):
        self.module(self.broker, "ALPHA")
        page = self.looker.page()
        self.assertEqual(page["handoff_module_instances", {"module": "ALPHA"}], 2)
        self.assertEqual(page["handoff_connections"], 2)
        refused = {labels["cause"]: value
                   for labels, value in page.all("handoff_handshakes_refused_total")}
        self.assertEqual(set(refused.values()), {0})
        with socket.create_connection(self.broker.address) as stranger:
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
            self.wait_for("no refusal", lambda page: page[
                "handoff_handshakes_refused_total", {"cause": "tls"}] == 1)

    def test_a_sound_certificate_of_no_module_is_a_refusal(self):
        self.assert_refused_connection(lambda: self.connect(
            self.broker, "ALPHA", credentials=authority().module("NOBODY")))
        self.wait_for("no refusal", lambda page: page[
            "handoff_handshakes_refused_total", {"cause": "identity"}] == 1)

    def test_the_certificate_expires_when_it_says(self):
        end = subprocess.run(["openssl", "x509", "-enddate", "-noout", "-dateopt", "iso_8601",
                              "-in", self.broker.credentials.certificate], check=True,
                             capture_output=True, text=True).stdout
        told = self.looker.page()["handoff_certificate_expiry_timestamp_seconds",
                                  {"kind": "broker"}]
        self.assertEqual(time.strftime("notAfter=%Y-%m-%d %H:%M:%SZ", time.gmtime(told)),
                         end.strip())

    def test_store_and_process_are_measured(self):
        beta = self.module(self.broker, "BETA")
        for _ in range(5):
            beta.finish(beta.delivery(self.alpha.hand_over()))
        page = self.looker.page()
        self.assertEqual(page["handoff_store_size_bytes"], 64 << 20)
        self.assertEqual(page["handoff_store_used_bytes"] + page["handoff_store_free_bytes"],
                         64 << 20)
        self.assertGreater(page["handoff_history_bytes"], 0)
        self.assertEqual(page["handoff_history_size_bytes"], 16 << 20)
        self.assertEqual(page["handoff_history_retention_seconds"], 86400)
        commits = page["handoff_commit_duration_seconds_count"]
        self.assertGreaterEqual(commits, 10)
        self.assertEqual(commits, page["handoff_turn_duration_seconds_count"])
        self.assertGreater(page["handoff_turn_duration_seconds_sum"],
                           page["handoff_commit_duration_seconds_sum"])
        self.assertGreaterEqual(page["handoff_commit_changes_sum"], 10)
        resident = page["handoff_memory_resident_bytes"]
        self.assertLess(abs(resident - self.broker.memory()), 8 << 20)
        self.assertLess(abs(page["handoff_start_timestamp_seconds"] - time.time()), 600)

    def test_counters_of_custody_outlive_a_restart_and_measures_begin_anew(self):
        beta = self.module(self.broker, "BETA")
        beta.finish(beta.delivery(self.alpha.hand_over()))
        self.broker.restart()
        page = self.looker.page()
        route = {"route": "alpha-beta"}
        self.assertEqual((page["handoff_batches_processed_total", route],
                          page["alpha_beta_batches_transferred_total"],
                          page["transfer_latency_seconds_count", route]), (1, 0, 0))

    def test_histograms_add_up(self):
        page = self.looker.page()
        for name, kind in page.types.items():
            if kind != "histogram":
                continue
            for labels, count in page.all(name + "_count"):
                buckets = [(float(own["le"]), value) for own, value in page.all(name + "_bucket")
                           if {**own, "le": None} == {**labels, "le": None}]
                self.assertEqual([value for _, value in buckets],
                                 sorted(value for _, value in buckets))
                self.assertEqual(buckets, sorted(buckets))
                self.assertEqual(buckets[-1], (float("inf"), count))

    def test_what_peers_send_adds_no_series(self):
        keys = set(self.looker.page().samples)
        beta = self.module(self.broker, "BETA")
        for i in range(20):
            alpha = self.module(self.broker, "ALPHA", instance_id="instance-%d" % i)
            batch = alpha.hand_over()
            beta.reject(beta.delivery(batch), "PERMANENT", code="BETA_%d" % i)
            alpha.outcome(batch)
        new = set(self.looker.page().samples) - keys
        self.assertEqual({name for name, _ in new}, {"handoff_oldest_batch_age_seconds"})
        self.assertLessEqual(len(new), 2)


class Health(Http):
    def test_the_verdict_is_the_status(self):
        self.start()
        answer = self.looker.get("/health")
        self.assertEqual((answer.status, answer.json()["overall_status"],
                          answer.json()["module_statuses"]), (200, "HEALTHY", {}))
        alpha = self.module(self.broker, "ALPHA")
        alpha.hand_over()
        answer = self.looker.get("/health")     # BETA is away, and there is work for it
        self.assertEqual((answer.status, answer.json()["overall_status"]), (200, "DEGRADED"))
        modules = answer.json()["module_statuses"]
        self.assertEqual((modules["BETA"]["connected_instances"], modules["BETA"]["last_seen"]),
                         (0, None))
        self.assertRegex(modules["ALPHA"]["last_seen"], r"^20\d\d-\d\d-\d\dT[\d:]+\.\d{6}Z$")

    def test_an_unhealthy_module_is_503_and_its_buffer_is_told(self):
        self.start(health_check_interval_ms=200)
        beta = self.module(self.broker, "BETA")
        self.assertNotIn(("beta_output_buffer_depth", ()), self.looker.page().samples)
        beta.answer_check(beta.check(), "UNHEALTHY", [messages.component("output_buffer", message="7")])
        page = self.wait_for("no depth", lambda page: page.all("beta_output_buffer_depth"))
        self.assertEqual(page["beta_output_buffer_depth"], 7)
        answer = self.looker.get("/health")
        self.assertEqual((answer.status, answer.json()["overall_status"],
                          answer.json()["module_statuses"]["BETA"]["status"]),
                         (503, "UNHEALTHY", "UNHEALTHY"))
        beta.answer_check(beta.check())         # it tells no depth any more
        self.assertNotIn(("beta_output_buffer_depth", ()), self.looker.page().samples)

    def test_errors_that_end_a_connection_are_counted_as_well(self):
        self.start()
        self.assert_refused_connection(lambda: self.connect(
            self.broker, "ALPHA", credentials=authority().module("NOBODY")))
        alpha = self.module(self.broker, "ALPHA")
        alpha.send_bytes(b"\xff\xff\xff\xff")
        self.assert_ends_with_goodbye(alpha, "PROTOCOL_ERROR", "INT_PROTOCOL_002")
        self.wait_for("not counted", lambda page: all(page[
            "integration_errors_total", {"code": code, "severity": severity}] == 1
            for code, severity in (("INT_AUTH_001", "CRITICAL"), ("INT_PROTOCOL_002", "ERROR"))))

    def test_a_gap_is_a_warning_or_a_refusal_by_its_route(self):
        self.start('route "beta-gamma" { ordered = true }')
        alpha, beta = self.module(self.broker, "ALPHA"), self.module(self.broker, "BETA", 0)
        for client in (alpha, beta):
            client.hand_over(sequence_number=1)
            batch = client.send(client.batch(sequence_number=3))
            self.assertEqual(client.answer_to(batch).code, "INT_BATCH_004")
        page, counted = self.looker.page(), "integration_errors_total"
        for severity in ("WARNING", "ERROR"):
            self.assertEqual(page[counted, {"code": "INT_BATCH_004", "severity": severity}], 1)

    def test_errors_are_counted_by_code(self):
        self.start()
        alpha = self.module(self.broker, "ALPHA")
        batch = alpha.batch()
        batch["metadata"]["checksum"] = 64 * "0"
        alpha.send(batch)
        self.assertEqual(alpha.answer_to(batch).code, "INT_BATCH_001")
        beta = self.module(self.broker, "BETA")
        batch = alpha.hand_over()
        beta.reject(beta.delivery(batch), "PERMANENT", code="BETA_X")
        alpha.outcome(batch)
        page = self.looker.page()
        errors = {(labels["code"], labels["severity"]): value
                  for labels, value in page.all("integration_errors_total")}
        self.assertEqual(errors["INT_BATCH_001", "ERROR"], 1)
        self.assertEqual(errors["INT_DELIVERY_004", "ERROR"], 1)
        self.assertEqual(errors["module", "ERROR"], 1)
        self.assertGreaterEqual(page["integration_error_queue_depth"], 2)


class Circuits(Http):
    def test_a_circuit_that_opens_is_told(self):
        self.start('route "alpha-beta" { retry_delay_ms = 10 }', circuit_failure_threshold=2,
                   circuit_reset_timeout_ms=3600000)
        circuit = {"circuit_id": "alpha-beta"}
        state, trips = "integration_circuit_breaker_state", "integration_circuit_breaker_trips_total"
        page = self.looker.page()
        self.assertEqual((page[state, circuit], page[trips, circuit]), (0, 0))
        alpha, beta = self.module(self.broker, "ALPHA"), self.module(self.broker, "BETA")
        for batch in [alpha.hand_over() for _ in range(2)]:
            beta.reject(beta.delivery(batch))
        page = self.wait_for("it stays closed", lambda page: page[state, circuit] == 2)
        self.assertEqual(page[trips, circuit], 1)
        waits = {"route": "alpha-beta", "reason": "CIRCUIT_OPEN"}
        self.wait_for("no batch waits for it", lambda page: waits in
                      [labels for labels, _ in page.all("handoff_oldest_batch_age_seconds")])

    def test_a_failure_that_cost_no_attempt_is_recovered_from_as_well(self):
        self.start('route "alpha-beta" { retry_delay_ms = 10 }', circuit_failure_threshold=2,
                   circuit_reset_timeout_ms=300)
        alpha, beta = self.module(self.broker, "ALPHA"), self.module(self.broker, "BETA")
        deliveries = [beta.delivery(alpha.hand_over()) for _ in range(3)]
        for delivery in deliveries:     # the circuit is open when the last one fails
            beta.reject(delivery)
        for _ in deliveries:
            beta.finish(beta.delivery())
        page, route = self.looker.page(), {"route": "alpha-beta"}
        self.assertEqual((page["integration_retries_total", route],
                          page["integration_error_recovery_duration_seconds_count", route]), (2, 3))


class Full(Http):
    def test_ready_says_503_while_the_store_is_full(self):
        self.start('route "alpha-beta" { queue_capacity_bytes = "64M" }')
        alpha = self.module(self.broker, "ALPHA")
        self.assertEqual(self.looker.get("/ready").status, 200)
        taken = []
        for size in (4000000, 1000000, 100000, 20000):
            while True:
                batch = alpha.batch(count=1, size=size)
                alpha.send(batch)
                answer = alpha.answer_to(batch)
                if answer.type == "ERROR_NOTIFICATION":     # before a refusal for fullness
                    self.assertEqual(alpha.answer_to(batch).code, "INT_STORE_001")
                    break
                taken.append(batch)
        ready = self.looker.get("/ready")
        self.assertEqual((ready.status, ready.json()),
                         (503, {"ready": False, "reason": "store full"}))
        page = self.looker.page()
        self.assertEqual(page["handoff_ready"], 0)
        self.assertLess(page["handoff_store_free_bytes"] - page["handoff_store_reserve_bytes"],
                        0.1 * page["handoff_store_size_bytes"])     # the alert's threshold
        beta = self.module(self.broker, "BETA", 4)
        for _ in taken[:2]:
            beta.finish(beta.delivery())
        self.wait_for("it is not ready again", lambda page: page["handoff_ready"] == 1)

    def test_the_retention_in_force_is_what_history_has_room_for(self):
        self.start(history_size="64K")
        alpha, beta = self.module(self.broker, "ALPHA"), self.module(self.broker, "BETA", 100)
        retention = "handoff_history_retention_seconds"
        self.assertEqual(self.looker.page()[retention], 86400)
        seen = 0
        for _ in range(300):
            batch = alpha.hand_over(count=1, size=1, seen=seen)
            beta.finish(beta.delivery(batch))
            seen = alpha.outcome(batch)["notice"]
        page = self.looker.page()
        self.assertLess(page[retention], 600)
        self.wait_for("it does not grow", lambda later: later[retention] > page[retention])


class Manual(Http):
    def test_every_metric_has_its_words_and_no_other_is_promised(self):
        self.start()
        with open(os.path.join(ROOT, "man", "handoff-metrics.7")) as file:
            told = set(re.findall(r"^\.It Li (\S+)", file.read(), re.MULTILINE))
        page = self.looker.page()
        names = {re.sub(r"^(alpha_beta|beta_gamma)_(batches|records)_t", r"ROUTE_\2_t",
                        re.sub(r"^[a-z]+_(input_queue|output_buffer)", r"MODULE_\1", name))
                 for name in page.types}
        self.assertEqual(told, names)


@unittest.skipUnless(shutil.which("prometheus") and shutil.which("promtool"),
                     "no prometheus here: tools/setup --check")
class Prometheus(Http):
    def test_promtool_finds_nothing_to_say(self):
        self.start()
        body = self.looker.get("/metrics").body
        checked = subprocess.run(["promtool", "check", "metrics"], input=body, check=False,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual((checked.returncode, checked.stdout), (0, b""))

    def test_the_alert_rules_are_sound_and_fire_when_they_should(self):
        for words in (["check", "rules", "conf/alerts.yml"],
                      ["test", "rules", "tests/system/alerts_cases.yml"]):
            done = subprocess.run(["promtool", *words], cwd=ROOT, check=False, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.assertEqual(done.returncode, 0, done.stdout)

    def test_each_alert_is_tried_and_asks_for_metrics_that_there_are(self):
        self.start()
        with open(os.path.join(ROOT, "conf", "alerts.yml")) as file:
            rules = file.read()
        with open(os.path.join(ROOT, "tests", "system", "alerts_cases.yml")) as file:
            cases = file.read()
        names = re.findall(r"- alert: (\w+)", rules)
        for name in names:
            self.assertEqual(len(re.findall(r"alertname: %s\n *exp_alerts" % name, cases)), 1, name)
            self.assertIn("alertname: %s }" % name, cases)
        asked = set(re.findall(r"\bhandoff_\w+", " ".join(re.findall(
            r"expr: (.*?)\n +(?:for|labels)", rules, re.DOTALL))))
        there = set(self.looker.page().types)
        self.assertEqual({re.sub("_bucket$", "", name) for name in asked} - there, set())
        self.assertTrue(asked)

    def test_a_real_prometheus_scrapes_all_of_it(self):
        self.start()
        alpha, beta = self.module(self.broker, "ALPHA"), self.module(self.broker, "BETA")
        beta.finish(beta.delivery(alpha.hand_over(count=3)))
        port = free_port()
        configuration = os.path.join(self.directory, "prometheus.yml")
        with open(configuration, "w") as file:
            file.write("global: { scrape_interval: 200ms, scrape_timeout: 200ms }\n"
                       "rule_files: [ %s ]\n"
                       "scrape_configs: [ { job_name: handoff, static_configs: "
                       "[ { targets: [ '127.0.0.1:%d' ] } ] } ]\n"
                       % (os.path.join(ROOT, "conf", "alerts.yml"), self.looker.port))
        with open(os.path.join(self.directory, "prometheus.log"), "w") as log:
            prometheus = subprocess.Popen(
                ["prometheus", "--config.file", configuration, "--storage.tsdb.path",
                 os.path.join(self.directory, "tsdb"), "--web.listen-address",
                 "127.0.0.1:%d" % port], stdout=log, stderr=log)
        try:
            ask = "http://127.0.0.1:%d/api/v1/query?query=" % port
            self.assertEqual(self.ask_until(ask + "up", lambda value: value == 1), 1)
            self.assertEqual(self.ask_until(ask + "alpha_beta_records_transferred_total",
                                            lambda value: value == 3), 3)
            page = self.looker.page()
            # Samples of the scrape itself are Prometheus's own.
            self.assertEqual(self.ask_until(
                ask + "scrape_samples_scraped", lambda value: value == len(page.samples)),
                len(page.samples))
        finally:
            prometheus.kill()
            prometheus.wait()

    @staticmethod
    def ask_until(url, is_it):
        """The value of the query, as soon as it is so, or what it is at last."""
        deadline = time.monotonic() + 6 * PATIENCE_SECONDS
        value = None
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as answer:
                    result = json.load(answer)["data"]["result"]
                value = float(result[0]["value"][1]) if result else None
                if is_it(value):
                    break
            except OSError:
                pass    # it is not up yet
            time.sleep(0.05)
        return value
