# proof.mk - kill -9 of everything, at random and at named points; judged by an oracle outside
#
#	make prove-crash                300 kills of the broker, 120 in pipelines, 300 frames cut: for CI
#	make prove-crash CRASH=--long   the same until there were 10,000 kills (or CRASH='--minutes 60')
#
# A broker that kills itself at named points (src/base/failpoint.h) is built beside the usual one,
# in which there is nothing of them.

FAILPOINTS := $(BUILD)/failpoints

prove-crash: $(PROGRAMS) failpoints
	HANDOFFD=$(abspath $(BUILD)/handoffd) HANDOFF=$(abspath $(BUILD)/handoff) \
		HANDOFFCTL=$(abspath $(BUILD)/handoffctl) \
		HANDOFFD_FAILPOINTS=$(abspath $(FAILPOINTS)/handoffd) tests/crash/prove $(CRASH)

failpoints:
	+@$(MAKE) --no-print-directory BUILD=$(FAILPOINTS) DEPS=$(DEPS) \
		CPPFLAGS='$(CPPFLAGS) -DHANDOFF_FAILPOINTS' $(FAILPOINTS)/handoffd

.PHONY: prove-crash failpoints
