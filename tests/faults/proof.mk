# proof.mk - every call fails once: make prove-faults
#
# FAULTS are options of tests/faults/run: make prove-faults FAULTS=--long gives each call all its
# errors, once and from then on; FAULTS='--seed S' takes the errors of that seed.

FAULTS ?=
FAULTS_LIBRARY := $(BUILD)/tests/faults/faults.so

$(FAULTS_LIBRARY): tests/faults/faults.c tests/faults/memory.c tests/faults/faults.h $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,LINK) $(CC) -std=c11 -D_GNU_SOURCE $(WARNINGS) -O1 -fPIC -shared -o $@ \
		$(filter %.c,$^)

prove-faults: $(PROGRAMS) $(FAULTS_LIBRARY)
	HANDOFFD=$(abspath $(BUILD)/handoffd) HANDOFFCTL=$(abspath $(BUILD)/handoffctl) \
		FAULTS_LIBRARY=$(abspath $(FAULTS_LIBRARY)) tests/faults/run $(FAULTS)

.PHONY: prove-faults
