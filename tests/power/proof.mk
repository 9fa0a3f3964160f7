# proof.mk - make prove-power: power losses, early promises, rot (tests/PROOF.md)
#
#	make prove-power				as in CI
#	tests/power/run --images 5000000		the long run; --seed S replays one
#
# POWER_IMAGES is how many images of a power loss are looked at.

POWER_IMAGES ?= 200000

POWER := $(filter-out tests/power/recorder.c,$(wildcard tests/power/*.c))
POWER_SHARED := $(addprefix tests/power/,capture.c judge.c story.c workers.c) tests/quiet_peers.c

$(BUILD)/power/recorder.so: tests/power/recorder.c tests/power/trace.h $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,LINK) $(COMPILE) -shared -o $@ $<

$(BUILD)/power/replay: $(call objects,tests/power/replay.c tests/power/disk.c $(POWER_SHARED))
$(BUILD)/power/rot: $(call objects,$(addprefix tests/power/,rot.c rows.c spoil.c) $(POWER_SHARED))
$(BUILD)/power/replay $(BUILD)/power/rot: $(BUILD)/rooms.a
	@mkdir -p $(@D)
	$(call say,LINK) $(LINK) -pie -o $@ $(filter %.o,$^) $(BUILD)/rooms.a $(LIBS)

-include $(patsubst %.o,%.d,$(call objects,$(POWER)))

prove-power: $(BUILD)/handoffd $(BUILD)/handoffctl $(BUILD)/power/recorder.so \
		$(BUILD)/power/replay $(BUILD)/power/rot
	HANDOFFD=$(abspath $(BUILD)/handoffd) HANDOFFCTL=$(abspath $(BUILD)/handoffctl) \
		tests/power/run --images $(POWER_IMAGES)

.PHONY: prove-power
