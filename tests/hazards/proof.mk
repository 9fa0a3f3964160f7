# proof.mk - the hazards of the sandbox, the store and time, each reached on purpose
#
#	make prove-hazards			what every change has to pass
#	make prove-hazards HAZARDS=long		an hour of soak, a million in custody, 200 stops, …
#	make prove-hazards HAZARDS_SEED=N	the same random choices again
#	tests/system/run -d tests/hazards -v soak	one of them, with what it printed
#	tests/hazards/soak --hours 72		load with faults, and the slopes of what may not grow
#
# With sanitizers, after `make check-san`:
#	HANDOFFD=build/san/handoffd HAZARDS=long tests/system/run -d tests/hazards signals

CHURN := $(wildcard tests/hazards/*.c)
-include $(patsubst %.o,%.d,$(call objects,$(CHURN)))

$(BUILD)/churn: $(call objects,$(CHURN)) $(BUILD)/rooms.a
	@mkdir -p $(@D)
	$(call say,LINK) $(LINK) -pie -o $@ $^ $(LIBS) -lm

prove-hazards: $(addprefix $(BUILD)/,handoffd handoffctl bench fill churn \
		tests/unit/server/test_sandbox)
	@tests/unit/run $(BUILD)/tests/unit/server/test_sandbox
	@export HAZARDS_SEED=$${HAZARDS_SEED:-$$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}; \
	echo "HAZARDS_SEED=$$HAZARDS_SEED"; \
	HANDOFFD=$(abspath $(BUILD)/handoffd) HANDOFFCTL=$(abspath $(BUILD)/handoffctl) \
		tests/system/run -v -d tests/hazards

.PHONY: prove-hazards
