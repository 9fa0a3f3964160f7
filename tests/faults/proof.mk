# proof.mk - every call fails once, and what is scarce for long: make prove-faults
#
# FAULTS are options of tests/faults/run, SCARCE of tests/faults/scarce. The long command is
#
#	make prove-faults FAULTS=--long SCARCE='--rounds 1000'
#
# FAULTS='--seed S' takes the errors of that seed.

FAULTS ?=
SCARCE ?=
FAULTS_LIBRARY := $(BUILD)/tests/faults/faults.so

$(FAULTS_LIBRARY): $(wildcard tests/faults/*.[ch]) $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,LINK) $(CC) -std=c11 -D_GNU_SOURCE $(WARNINGS) -O1 -fPIC -shared -o $@ \
		$(filter %.c,$^) -lgcc_s

prove-faults: $(PROGRAMS) $(FAULTS_LIBRARY)
	HANDOFFD=$(abspath $(BUILD)/handoffd) FAULTS_LIBRARY=$(abspath $(FAULTS_LIBRARY)) \
		tests/faults/run $(FAULTS)
	HANDOFFD=$(abspath $(BUILD)/handoffd) FAULTS_LIBRARY=$(abspath $(FAULTS_LIBRARY)) \
		tests/faults/scarce $(SCARCE)

.PHONY: prove-faults
