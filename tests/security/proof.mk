# proof.mk - make prove-security: who gets in, and what strangers' bytes and connections can do
#
# About two minutes on two processors. The long version, with counts as reliability asks for:
#	make prove-security SCALE=20
# One test alone, as with the system tests:
#	tests/system/run -d tests/security PATTERN

SCALE ?= 1

prove-security: $(PROGRAMS) $(CLIB:%.c=$(BUILD)/%)
	HANDOFFD=$(abspath $(BUILD)/handoffd) HANDOFF=$(abspath $(BUILD)/handoff) \
		HANDOFFCTL=$(abspath $(BUILD)/handoffctl) HANDOFF_TEST_DEPS=$(abspath $(DEPS)) \
		HANDOFF_TEST_SCALE=$(SCALE) tests/system/run -d tests/security

.PHONY: prove-security
