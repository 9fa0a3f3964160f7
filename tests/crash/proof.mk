# proof.mk - kill -9 of everything, at random and at named points; judged by an oracle outside
#
#	make prove-crash                    300 kills of the broker, 40 in a whole pipeline; for CI
#	tests/crash/prove --long MINUTES    the same for so long, ten thousand kills in some hours
#
# A broker that kills itself at named points (src/base/failpoint.h) is built beside the usual one,
# in which there is nothing of them.

FAILPOINTS := $(BUILD)/failpoints

prove-crash: $(PROGRAMS) failpoints
	HANDOFFD=$(abspath $(BUILD)/handoffd) HANDOFF=$(abspath $(BUILD)/handoff) \
		HANDOFFCTL=$(abspath $(BUILD)/handoffctl) \
		HANDOFFD_FAILPOINTS=$(abspath $(FAILPOINTS)/handoffd) tests/crash/prove

failpoints:
	+@$(MAKE) --no-print-directory BUILD=$(FAILPOINTS) DEPS=$(DEPS) \
		CPPFLAGS='$(CPPFLAGS) -DHANDOFF_FAILPOINTS' $(FAILPOINTS)/handoffd

.PHONY: prove-crash failpoints
